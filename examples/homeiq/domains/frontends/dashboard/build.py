"""Writes the site: assets named after their content (so browsers may keep them for ever), and the page."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path


def build(source: Path, target: Path, version: str) -> None:
    page = (source / "index.html").read_text(encoding="utf-8").replace("{{VERSION}}", version)
    (target / "assets").mkdir(parents=True)
    for asset in (source / "app.js", source / "style.css"):
        content = asset.read_bytes()
        name = f"{asset.stem}.{hashlib.sha256(content).hexdigest()[:12]}{asset.suffix}"
        (target / "assets" / name).write_bytes(content)
        page = page.replace(asset.name, f"assets/{name}")
    (target / "index.html").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    build(Path(sys.argv[1]), Path(sys.argv[2]), os.environ.get("VERSION", "dev"))
