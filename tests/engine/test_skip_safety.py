"""Never a wrong skip: sources that change meanwhile, builds that are killed, records that lie."""

from __future__ import annotations

import contextlib
import os
import random
import secrets
import shutil
import signal
import socket
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import skipping
from engine_fixtures import DockerSession, RunHomeport, Sandbox
from skipping import STACK, STACK_FILES, Repository

Make = Callable[..., Repository]
Change = Callable[[Path], object]


@pytest.fixture
def make(
    sandbox: Sandbox, run_homeport: RunHomeport, docker_session: DockerSession, tiny_image: str, tmp_path: Path
) -> Make:
    """A repository with images of its own."""

    def run(
        files: Mapping[str, str] = STACK_FILES, targets: Mapping[str, Any] = STACK, *requested: str
    ) -> Repository:
        prefix = docker_session.name(f"{secrets.token_hex(2)}-")
        wanted = requested or tuple(name for name in targets if name != "base")
        folder = sandbox({path: text.replace("TINY", f"TINY\nENV OF={prefix}") for path, text in files.items()})
        cache = tmp_path / "cache"
        return skipping.make(folder, targets, wanted, prefix, tiny_image, run=run_homeport, cache=cache)

    return run


# -- while it is built ------------------------------------------------------------------------------------

COPY_ALL = "FROM gate\nCOPY . /src/\nRUN sleep 2\n"
COPY_SOME = "FROM gate\nCOPY f* /src/\nRUN sleep 2\n"


def wrote(name: str, text: str) -> Change:
    return lambda folder: (folder / name).write_text(text, encoding="utf-8")


def removed(name: str) -> Change:
    return lambda folder: (folder / name).unlink()


def linked(name: str, aim: str) -> Change:
    def change(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(aim)

    return change


def mode(name: str, bits: int) -> Change:
    return lambda folder: (folder / name).chmod(bits)


# By target: its Dockerfile, what changes before BuildKit reads it, and what changes back before it has done.
MEANWHILE: dict[str, tuple[str, Change, Change]] = {
    "changed": (COPY_ALL, wrote("f", "2"), lambda folder: None),
    "and-back": (COPY_ALL, wrote("f", "2"), wrote("f", "1")),
    "dockerfile": (COPY_ALL, wrote("Dockerfile", f"{COPY_ALL}RUN echo 2 > /src/f\n"), wrote("Dockerfile", COPY_ALL)),
    "ignore-file": (COPY_SOME, wrote(".dockerignore", "f\n"), wrote(".dockerignore", "nothing\n")),
    "added": (COPY_ALL, wrote("d/new", "2"), removed("d/new")),
    "added-to-pattern": (COPY_SOME, wrote("f-new", "2"), removed("f-new")),
    "link": (COPY_ALL, linked("link", "f2"), linked("link", "f1")),
    "mode": (COPY_ALL, mode("f", 0o600), mode("f", 0o644)),
    "folder-mode": (COPY_ALL, mode("d", 0o700), mode("d", 0o755)),
    "untouched": (COPY_ALL, lambda folder: None, lambda folder: None),
}
ANYTHING = "cd /src; cat f; ls -lR . | tr -s ' ' | cut -d' ' -f1,9-"


def test_sources_that_change_while_they_are_built(make: Make) -> None:
    """All wait for a gate: when it starts, everything has been looked at, and nothing has been sent."""
    files = {"gate/Dockerfile": "FROM TINY\nRUN sleep 1\n"}
    for name, (dockerfile, _, _) in MEANWHILE.items():
        files |= {f"{name}/Dockerfile": dockerfile, f"{name}/f": "1", f"{name}/f2": "1", f"{name}/d/f": "1"}
        files[f"{name}/.dockerignore"] = "nothing\n"
    gated = {"contexts": {"gate": "target:gate"}}
    targets = {name: {"context": name, "tags": [f"MINE-{name}"], **gated} for name in MEANWHILE}
    stack = make(files, {"gate": {"context": "gate", "tags": ["MINE-gate"]}, **targets}, *MEANWHILE)
    linked("link", "f1")(stack.folder / "link")

    process = stack.start("--jobs", str(len(MEANWHILE)))
    said, waiting = "", set(MEANWHILE)
    assert process.stderr
    while waiting and (line := process.stderr.readline()):
        said += line
        words = line.split()
        if "start" in words and "gate" in words:
            for name, (_, change, _) in MEANWHILE.items():
                change(stack.folder / name)
        if "start" in words:
            waiting -= set(words)
    time.sleep(1.2)
    for name, (_, _, back) in MEANWHILE.items():
        back(stack.folder / name)
    done = skipping.finish(process, said=said)

    assert done.built == {"gate", *MEANWHILE}
    for name in sorted(set(MEANWHILE) - {"untouched"}):
        assert f"{name}: its sources changed while it was built" in done.said
    assert "untouched: " not in done.said
    for name in MEANWHILE:
        if name != "changed":
            (stack.folder / name / "Dockerfile").write_text(
                (stack.folder / name / "Dockerfile").read_text(encoding="utf-8"), encoding="utf-8"
            )
    again = stack.build()
    assert again.skipped == {"untouched", "gate"}
    assert again.built == set(MEANWHILE) - {"untouched"}
    assert stack.build().skipped == set(MEANWHILE)
    assert {name: stack.out(name, "/src/f") for name in ("changed", "and-back", "dockerfile")} == {
        "changed": "2", "and-back": "1", "dockerfile": "1"
    }  # fmt: skip


def test_an_image_patched_while_others_are_built(make: Make, docker_session: DockerSession) -> None:
    """What is committed from it has its label, and its name before the run is over."""
    stack = make(
        {
            "app/Dockerfile": "FROM TINY\nRUN echo right > /out\n",
            "slow/Dockerfile": "FROM TINY\nRUN sleep 3\n",
        },
        {name: {"context": name, "tags": [f"MINE-{name}"]} for name in ("app", "slow")},
    )
    process, said = stack.start("--jobs", "2"), ""
    assert process.stderr
    while not said.endswith("\n") or not (said.splitlines()[-1].split()[2:4] == ["built", "app"]):
        line = process.stderr.readline()
        assert line, said
        said += line
    skipping.commit(stack.name("app"), "echo patched > /out", docker_session.label)
    skipping.finish(process, said=said)
    stack.build()
    assert stack.out("app") == "right"


def test_two_builds_at_once_of_two_copies(make: Make) -> None:
    stack = make()
    for name in ("base", "api", "web"):
        file = stack.folder / name / "Dockerfile"
        file.write_text(f"{file.read_text(encoding='utf-8')}RUN sleep 0.5\n", encoding="utf-8")
    other = Path(shutil.copytree(stack.folder, stack.folder.with_name("other copy")))
    (other / "base/f").write_text("base 2\n")
    (other / "web/f").write_text("web 2\n")
    started = [stack.start(folder=folder) for folder in (stack.folder, other)]
    for process in started:
        assert len(skipping.finish(process).built) == 4
    second = Repository(other, stack.prefix, stack.run, stack.cache)
    for copy, version in ((stack, "1"), (second, "2"), (stack, "1")):
        copy.build()
        assert stack.out("web:1") == f"base {version}\nweb {version}"
        assert stack.out("api:1") == f"base {version}\napi 1"


@pytest.mark.parametrize("after", [0.3, 1.5])
def test_killed_in_the_middle(after: float, make: Make) -> None:
    stack = make()
    file = stack.folder / "base/Dockerfile"
    file.write_text(f"{file.read_text(encoding='utf-8')}RUN sleep 1\n", encoding="utf-8")
    process = stack.start()
    assert process.stderr
    process.stderr.readline()
    time.sleep(after)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    stack.write("web/f", "web 2\n")
    stack.build()
    assert [stack.out(name) for name in ("api:1", "web:1")] == ["base 1\napi 1", "base 1\nweb 2"]
    assert stack.build().skipped == {"api", "web", "other"}


# -- the record -------------------------------------------------------------------------------------------


def scramble(file: Path) -> None:
    file.write_bytes(random.Random(1).randbytes(20_000))  # noqa: S311 - the same noise every time


def scramble_the_middle(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[200:-200] = random.Random(1).randbytes(len(content) - 400)  # noqa: S311
    file.write_bytes(content)


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:5000])


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
    "empty": lambda file: file.write_bytes(b"") and None,
    "no tables": sql("DROP TABLE builds", "DROP TABLE listings"),
    "other columns": sql("DROP TABLE builds", "CREATE TABLE builds (engine, place)"),
    "image of another target": sql("UPDATE builds SET image = (SELECT image FROM builds WHERE target = 'web')"),
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
    stack = make()
    stack.build()
    intact = stack.record.read_bytes()
    right = {name: stack.image(name) for name in ("base", "api:1", "web:1", "other")}
    for what, damage in DAMAGE.items():
        stack.record.write_bytes(intact)
        damage(stack.record)
        stack.write("web/f", f"web {what}\n")
        told = stack.build("--explain")
        assert told.decisions["web"]["action"] == "build", what
        stack.write("web/f", "web 1\n")
        stack.build()
        assert {name: stack.image(name) for name in right} == right, what
        assert stack.build("--explain").decisions["api"]["action"] == "skip", f"{what}: it is whole again"


@pytest.mark.parametrize("place", ["a file", "/proc/homeport", "a folder in its place"])
def test_a_cache_folder_that_cannot_be_written(place: str, make: Make, tmp_path: Path) -> None:
    stack = make({"Dockerfile": "FROM TINY\n"}, {"app": {"tags": ["MINE-app"]}})
    cache = tmp_path / "no-folder"
    if place == "a file":
        cache.write_text("")
    elif place.startswith("/proc"):
        cache = Path(place)
    else:
        (cache / "homeport" / "builds-1.sqlite").mkdir(parents=True)
    unwritten = Repository(stack.folder, stack.prefix, stack.run, cache)
    for _ in range(2):
        done = unwritten.build()
        assert done.built == {"app"}
        assert "What was built can't be noted in" in done.said


# -- odd files --------------------------------------------------------------------------------------------


@contextlib.contextmanager
def socket_in(folder: Path) -> Iterator[None]:
    """A path may be too long for a socket's name: so by a short way."""
    before = Path.cwd()
    with socket.socket(socket.AF_UNIX) as listener:
        os.chdir(folder)
        try:
            listener.bind("socket")
        finally:
            os.chdir(before)
        yield


def test_odd_files_in_a_context(make: Make, tmp_path: Path) -> None:
    """Each is either built and then skipped, or BuildKit refuses it; a change beside it is noticed."""
    sound = ("dangling", "loop", "up", "fifo", "socket", "newline", "outside")
    refused = ("bytes", "loop-named")
    files = {f"{name}/Dockerfile": "FROM TINY\nCOPY . /src/\n" for name in (*sound, *refused)}
    files |= {f"{name}/f": "1" for name in (*sound, *refused)}
    files["loop-named/Dockerfile"] = "FROM TINY\nCOPY a /src\n"
    files["homeport.toml"] = '[build]\nallow = ["fs.read=.."]\n'
    targets = {name: {"context": name, "tags": [f"MINE-{name}"]} for name in (*sound, *refused)}
    targets["outside"]["context"] = "../outside"
    stack = make(files, targets)
    shutil.move(stack.folder / "outside", stack.folder.parent / "outside")
    folder = stack.folder
    (folder / "dangling/a").symlink_to("nowhere")
    (folder / "up/a").symlink_to("..")
    for name in ("loop", "loop-named"):
        (folder / name / "a").symlink_to("b")
        (folder / name / "b").symlink_to("a")
    os.mkfifo(folder / "fifo/a")
    (folder / "newline/a\n::error::b").write_text("1")
    Path(os.fsdecode(os.fsencode(folder) + b"/bytes/\xff\xfe")).write_text("1")
    with socket_in(folder / "socket"):
        first = stack.build("--keep-going", code=1)
        assert first.built == set(sound)
        second = stack.build("--keep-going", code=1)
        assert second.skipped == set(sound)
        for name in sound:
            where = stack.folder.parent if name == "outside" else folder
            (where / name / "f").write_text("2")
        assert stack.build(f"--targets={','.join(sound)}").built == set(sound)
        assert {stack.out(name, "/src/f") for name in ("outside", "newline")} == {"2"}


def test_times_of_files_mean_nothing(make: Make) -> None:
    stack = make()
    stack.build()
    for year in (1970, 2038):
        moment = (year - 1970) * 365.25 * 86400 + 100_000
        for path in stack.folder.rglob("*"):
            os.utime(path, (moment, moment))
        assert stack.build().skipped == {"api", "web", "other"}


@pytest.mark.xfail(strict=True, reason="BuildKit takes a file of the same size and time for unchanged")
def test_content_that_changes_without_a_trace(make: Make) -> None:
    """As `rsync --times` and `tar` may leave it. BuildKit then builds from what it was sent before; that must
    not be noted, and far less published, as an image of the new content."""
    stack = make({"Dockerfile": "FROM TINY\nCOPY f /out\n", "f": "old"}, {"app": {"tags": ["MINE-app"]}})
    for text in ("old", "new"):
        stack.write("f", text)
        os.utime(stack.folder / "f", (1_600_000_000, 1_600_000_000))
        stack.build()
    os.utime(stack.folder / "f")
    stack.build()
    assert stack.out("app") == "new"


# -- somebody who may not do everything --------------------------------------------------------------------


def test_as_somebody_without_rights(make: Make, tmp_path: Path) -> None:
    """Files and a cache folder that may be seen and not touched; root would never notice."""
    docker_socket = Path("/var/run/docker.sock")
    if os.name != "posix" or os.geteuid() != 0 or os.environ.get("DOCKER_HOST") or not docker_socket.exists():
        pytest.skip("needs root, who can become somebody else, and the engine's usual socket")
    stack = make({"Dockerfile": "FROM TINY\nCOPY . /src\n", "f": "1"}, {"app": {"tags": ["MINE-app"]}})
    import tempfile

    with tempfile.TemporaryDirectory(prefix="homeport-somebody-") as name:
        home = Path(name)
        folder = Path(shutil.copytree(stack.folder, home / "repository"))
        shutil.copytree(os.environ["DOCKER_CONFIG"], home / "docker")
        (home / "cache").mkdir()
        for path in (home, *home.rglob("*")):
            os.chown(path, 65534, 65534)
        python = home / "python"

        def run(args: list[str], cwd: Path, env: Mapping[str, str] | None = None, timeout: float = 60) -> Any:
            return subprocess.run(
                [shutil.which("python3") or "python3", "-m", "homeport", *args],
                cwd=cwd,
                env={**os.environ, "DOCKER_CONFIG": str(home / "docker"), "HOME": name, **(env or {})},
                capture_output=True,
                text=True,
                timeout=timeout,
                user=65534,
                group=65534,
                extra_groups=[docker_socket.stat().st_gid],
            )

        del python
        somebody = Repository(folder, stack.prefix, run, home / "cache")
        assert somebody.build().built == {"app"}
        (home / "cache/homeport").chmod(0o500)
        somebody.record.chmod(0o400)
        assert somebody.build().skipped == {"app"}
        (folder / "f").write_text("2")
        noted = somebody.build()
        assert noted.built == {"app"}
        assert "can't be noted" in noted.said
        (home / "cache/homeport").chmod(0)
        assert "can't be noted" in somebody.build().said
        (folder / "f").chmod(0)
        (folder / "f").chmod(0)
        os.chown(folder / "f", 0, 0)
        assert "f can't be read: Permission denied" in somebody.build(code=1).said + somebody.build("--explain").said
