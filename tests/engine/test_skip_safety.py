"""Never a wrong skip: sources that change meanwhile, builds that are killed, odd files."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import skip_repository
from engine_fixtures import DockerSession
from skip_repository import Make, Repository

Change = Callable[[Path], object]


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
    "dockerfile": (
        COPY_ALL,
        wrote("Dockerfile", f"{COPY_ALL}RUN echo 2 > /src/f\n"),
        wrote("Dockerfile", COPY_ALL),
    ),
    "ignore-file": (COPY_SOME, wrote(".dockerignore", "f\n"), wrote(".dockerignore", "nothing\n")),
    "added": (COPY_ALL, wrote("d/new", "2"), removed("d/new")),
    "added-to-pattern": (COPY_SOME, wrote("f-new", "2"), removed("f-new")),
    "link": (COPY_ALL, linked("link", "f2"), linked("link", "f1")),
    "mode": (COPY_ALL, mode("f", 0o600), mode("f", 0o644)),
    "folder-mode": (COPY_ALL, mode("d", 0o700), mode("d", 0o755)),
    "untouched": (COPY_ALL, lambda folder: None, lambda folder: None),
}


def test_sources_that_change_while_they_are_built(make: Make) -> None:
    """All wait for a gate: when it starts, everything has been looked at, and nothing has been sent."""
    files = {"gate/Dockerfile": "FROM TINY\nRUN sleep 1\n"}
    for name, (dockerfile, _, _) in MEANWHILE.items():
        files |= {
            f"{name}/Dockerfile": dockerfile,
            f"{name}/f": "1",
            f"{name}/f-{name}": "1",
            f"{name}/d/f": "1",
        }
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
    done = skip_repository.finish(process, said=said)

    assert done.built == {"gate", *MEANWHILE}
    for name in sorted(set(MEANWHILE) - {"untouched"}):
        assert f"{name}: its sources changed while it was built" in done.said
    assert "untouched: " not in done.said
    again = stack.build()
    assert again.skipped == {"untouched", "gate"}
    assert again.built == set(MEANWHILE) - {"untouched"}
    assert stack.build().skipped == set(MEANWHILE)
    assert {name: stack.out(name, "/src/f") for name in ("changed", "and-back", "dockerfile")} == {
        "changed": "2",
        "and-back": "1",
        "dockerfile": "1",
    }


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
    while not said.endswith("\n") or said.splitlines()[-1].split()[2:4] != ["built", "app"]:
        line = process.stderr.readline()
        assert line, said
        said += line
    skip_repository.commit(stack.name("app"), "echo patched > /out", docker_session.label)
    skip_repository.finish(process, said=said)
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
        assert skip_repository.finish(process).built >= {"base", "api", "web"}
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
    Path(os.fsdecode(os.fsencode(folder) + b"/bytes/\xff\xfe")).write_text("1", encoding="utf-8")
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


def test_content_that_changes_without_a_trace(make: Make) -> None:
    """As `rsync --times` and `tar` may leave it. BuildKit then builds from what it was sent before; that must
    not be noted, and far less published, as an image of the new content."""
    stack = make({"Dockerfile": "FROM TINY\nCOPY f /out\n", "f": "old"}, {"app": {"tags": ["MINE-app"]}})
    for text in ("old", "new"):
        stack.write("f", text)
        os.utime(stack.folder / "f", (1_600_000_000, 1_600_000_000))
        done = stack.build()
        assert done.built == {"app"}
    assert "f has another content, but size and time as before" in done.said
    assert stack.out("app") == "old", "BuildKit notices by itself: this need not be looked for any more"
    assert stack.build().built == {"app"}, "an image that may be stale is not remembered"
    os.utime(stack.folder / "f")
    assert "size and time" not in stack.build().said
    assert stack.out("app") == "new"
    assert stack.build().skipped == {"app"}
