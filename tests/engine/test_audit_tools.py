"""The real BuildKit and the real hadolint, asked by an audit."""

from __future__ import annotations

import json
import secrets
from pathlib import Path

from engine_fixtures import RunHomeport, Sandbox, docker

FILE = """\
FROM nowhere.example/base:1 as a
MAINTAINER somebody
RUN apt-get update && apt-get install -y curl
RUN pip install --no-cache-dir requests
"""


def test_what_others_find_is_merged_in_once(
    sandbox: Sandbox, run_homeport: RunHomeport, tmp_path: Path
) -> None:
    folder = sandbox({"app/Dockerfile": FILE, "app/compose.txt": ""})
    done = run_homeport(["audit", "--json", "-", "--sarif", str(tmp_path / "x.sarif")], folder)
    assert done.returncode == 0, done.stderr
    found = {(one["rule"], one["line"]) for one in json.loads(done.stdout)["findings"]}
    assert {
        ("buildkit/FromAsCasing", 1),
        ("buildkit/MaintainerDeprecated", 2),
        ("hadolint/DL3008", 3),
    } <= found
    assert not {rule for rule, _ in found} & {"hadolint/DL4000", "hadolint/DL3042", "hadolint/DL3006"}
    assert ("cache-missing", 4) in found
    rules = json.loads((tmp_path / "x.sarif").read_text(encoding="utf-8"))["runs"][0]["tool"]["driver"][
        "rules"
    ]
    assert len({rule["id"] for rule in rules}) == len(rules)
    assert {rule for rule, _ in found} <= {rule["id"] for rule in rules}
    alone = run_homeport(["audit", "--json", "-", "--no-tools"], folder)
    assert not any("/" in one["rule"] for one in json.loads(alone.stdout)["findings"])
    config = '[audit.suppress.pins]\nrule = "hadolint/DL3008"\nreason = "the base decides"\n'
    (folder / "homeport.toml").write_text(config, encoding="utf-8")
    done = run_homeport(["audit", "--json", "-", "--only", "hadolint/DL3008"], folder)
    document = json.loads(done.stdout)
    assert document["findings"] == []
    assert document["suppressed"][0]["reason"] == "the base decides"


def test_a_base_is_pinned_to_what_the_registry_says(
    sandbox: Sandbox, run_homeport: RunHomeport, registry: str, tiny_image: str
) -> None:
    name = f"{registry}/team/base-{secrets.token_hex(4)}:1"
    docker("tag", tiny_image, name)
    try:
        pushed = docker("push", "--quiet", name)
        said = docker("buildx", "imagetools", "inspect", "--format", "{{json .Manifest}}", pushed)
    finally:
        docker("rmi", name)
    digest = json.loads(said)["digest"]
    folder = sandbox({"Dockerfile": f"FROM {name} AS x\nFROM {registry}/no/such:1\n"})
    (folder / "homeport.toml").write_text('[audit]\nalso = ["base-unpinned"]\n', encoding="utf-8")
    done = run_homeport(["audit", "--fix", "--apply", "--no-tools"], folder)
    assert done.returncode == 0, done.stderr
    text = (folder / "Dockerfile").read_text(encoding="utf-8")
    assert text == f"FROM {name}@{digest} AS x\nFROM {registry}/no/such:1\n"
