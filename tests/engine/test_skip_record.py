"""The record of what was built here: never believed alone, and never the end of a build."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from engine_fixtures import run_program
from skip_repository import Make, Repository


def scramble(file: Path) -> None:
    file.write_bytes(random.Random(1).randbytes(20_000))  # noqa: S311 - the same noise every time


def scramble_the_middle(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[200:-200] = random.Random(1).randbytes(len(content) - 400)  # noqa: S311
    file.write_bytes(content)


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:5000])


def empty(file: Path) -> None:
    file.write_bytes(b"")


def sql(*statements: str) -> Callable[[Path], None]:
    def run(file: Path) -> None:
        with closing(sqlite3.connect(file)) as connection, connection:
            for statement in statements:
                connection.execute(statement)

    return run


DAMAGE: dict[str, Callable[[Path], None]] = {
    "noise": scramble,
    "noise in the middle": scramble_the_middle,
    "cut off": cut,
    "empty": empty,
    "no tables": sql("DROP TABLE builds", "DROP TABLE listings"),
    "other columns": sql("DROP TABLE builds", "CREATE TABLE builds (engine, place)"),
    "image of another target": sql(
        "UPDATE builds SET image = (SELECT image FROM builds WHERE target = 'web')"
    ),
    "fingerprints exchanged": sql(
        "UPDATE builds SET fingerprint = fingerprint || '-'",
        "UPDATE builds SET fingerprint = (SELECT substr(other.fingerprint, 1, 64) FROM builds AS other"
        " WHERE other.target = CASE builds.target WHEN 'api' THEN 'web' WHEN 'web' THEN 'api'"
        " ELSE builds.target END)",
    ),
    "nonsense": sql("UPDATE builds SET image = 7, inputs = '[1', files = '{\"\": 3}', built = 'x'"),
    "an option": sql("UPDATE builds SET image = '--help'"),
}


def test_records_that_lie(make: Make) -> None:
    stack = make(
        {f"{name}/Dockerfile": f"FROM TINY\nENV NAME={name}\n" for name in ("api", "web")},
        {name: {"context": name, "tags": [f"MINE-{name}"]} for name in ("api", "web")},
    )
    stack.build()
    intact = stack.record.read_bytes()
    right = {name: stack.image(name) for name in ("api", "web")}
    for what, damage in DAMAGE.items():
        stack.record.write_bytes(intact)
        damage(stack.record)
        done = stack.build()
        assert {name: stack.image(name) for name in right} == right, what
        assert done.skipped | done.built == {"api", "web"}, what
        assert "warning" not in done.said, f"{what}: {done.said}"
    assert stack.build().skipped == {"api", "web"}, "it is whole again"


@pytest.mark.parametrize("place", ["a file", "/proc/homeport", "a folder in its place"])
def test_a_cache_folder_that_cannot_be_written(place: str, make: Make, tmp_path: Path) -> None:
    stack = make({"Dockerfile": "FROM TINY\n"}, {"app": {"tags": ["MINE-app"]}})
    cache = tmp_path / "no-folder"
    if place == "a file":
        cache.write_text("")
    elif place.startswith("/proc"):
        cache = Path(place)
    else:
        (cache / "homeport" / "builds-2.sqlite").mkdir(parents=True)
    unwritten = Repository(stack.folder, stack.prefix, stack.run, cache)
    done = unwritten.build()
    assert done.built == {"app"}
    assert "What was built can't be noted in" in done.said


def test_as_somebody_without_rights(make: Make) -> None:
    """Files and a cache folder that may be seen and not touched. Root gives up the right to overlook that."""
    weak: list[str] = []
    if os.geteuid() == 0:
        if not shutil.which("setpriv"):
            pytest.skip("nothing here takes root its rights (setpriv)")
        weak = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"]
    made = make({"Dockerfile": "FROM TINY\nCOPY . /src\n", "f": "1"}, {"app": {"tags": ["MINE-app"]}})

    def run(
        args: Sequence[str], cwd: Path, env: Mapping[str, str] | None = None, timeout: float = 60
    ) -> subprocess.CompletedProcess[str]:
        return run_program([*weak, sys.executable, "-m", "homeport", *args], cwd, env, timeout)

    stack = Repository(made.folder, made.prefix, run, made.cache)
    assert stack.build().built == {"app"}
    folder = stack.record.parent
    try:
        folder.chmod(0o500)
        stack.record.chmod(0o400)
        assert stack.build().skipped == {"app"}, "reading is enough"
        stack.write("f", "2")
        for bits in (0o500, 0):
            folder.chmod(bits)
            done = stack.build()
            assert done.built == {"app"}
            assert "What was built can't be noted in" in done.said
    finally:
        folder.chmod(0o700)
    (stack.folder / "f").chmod(0)
    assert "f can't be read: Permission denied" in stack.build("--explain").said
    # BuildKit itself builds with an empty file, and says nothing: that is no image to rely on.
    for _ in range(2):
        assert stack.build(code=None).skipped == set()
