"""What is measured on this machine's own engine.

Each scenario yields a result before it fills it in: if something goes wrong then, it is known with what.
"""

from __future__ import annotations

import json
import secrets
import subprocess
from collections.abc import Collection, Iterator
from pathlib import Path

from fixture import Shape
from runs import (
    HOMEPORT,
    OWN,
    Measured,
    ScenarioError,
    Tree,
    homeport,
    part_of,
    shuffled,
    timed,
    trees,
    under,
)

# Nothing to do: homeport compares fingerprints and asks the engine; the others ask BuildKit for every step.
IDLE = (under(1), part_of("bake", 15))
IDLE_CONTEXT = (under(1.5),)
IDLE_MANY = (under(3),)
ONE = (part_of("bake", 5),)


def cold(base: str, count: int, rounds: int, tools: Collection[str]) -> Iterator[Measured]:
    """Nothing is cached: every step of every target runs."""
    result = Measured("cold", f"{count} targets of one second each, nothing cached")
    yield result
    for number in range(rounds):
        for tool in shuffled(tools, number):
            with trees([tool], Shape(count, base, step_seconds=1.0)) as made:
                ran = made[tool].run()
                result.add(tool, ran)
                _note(result, made[tool].expect(ran, made[tool].repository.everything))


def warm(base: str, count: int, rounds: int, tools: Collection[str]) -> Iterator[Measured]:
    """Everything is cached and built: nothing changed since the last build with the same tool."""
    result = Measured("warm", f"{count} targets, nothing to do", IDLE)
    yield result
    with trees(tools, Shape(count, base)) as made:
        prepare(result, made)
        nothing_to_do(result, made, rounds)


def one(base: str, count: int, rounds: int, tools: Collection[str]) -> Iterator[Measured]:
    """A line more in a file of one service, in each run another line."""
    result = Measured("one", f"{count} targets, one service changed", ONE)
    yield result
    with trees(tools, Shape(count, base)) as made:
        prepare(result, made)
        for number in range(rounds):
            for tool in shuffled(tools, number):
                tree = made[tool]
                names = tree.repository.names
                name, nonce = names[number % len(names)], secrets.token_hex(8)
                append(tree.repository.file(name), nonce)
                ran = tree.run()
                result.add(tool, ran)
                rest = {*names, "base"} - {name}
                _note(result, tree.expect(ran, {name}, rest))
                tree.expect_inside(ran, name, nonce)


def shared_base(base: str, count: int, rounds: int, tools: Collection[str]) -> Iterator[Measured]:
    """A line more in a file of a base on which a fifth of the services is built."""
    some = max(1, count // 5)
    result = Measured("base", f"{count} targets, the base of {some} changed")
    yield result
    with trees(tools, Shape(count, base, second_base=some)) as made:
        prepare(result, made)
        for number in range(rounds):
            for tool in shuffled(tools, number):
                tree = made[tool]
                append(tree.repository.file("base2"), secrets.token_hex(8))
                ran = tree.run()
                result.add(tool, ran)
                on = tree.repository.on
                if tree.expect(ran, {"base2", *on["base2"]}, on["base"]):
                    result.note(
                        f"homeport built exactly this base and its {some} dependents and skipped the other "
                        f"{len(on['base'])} services in every run, by its own JSON"
                    )


def context(base: str, count: int, rounds: int, tools: Collection[str], files: int) -> Iterator[Measured]:
    """A large context that all services share: once each copies its part of it, once all of it."""
    services = max(1, count - 1)
    for name, copied, everything in (
        ("context", "its own folder and a shared one", False),
        ("context-all", "everything", True),
    ):
        what = f'{services} targets with context "." of {files} files, each copying {copied}, nothing to do'
        result = Measured(name, what, IDLE_CONTEXT)
        yield result
        with trees(tools, Shape(services, base, files=files, everything=everything)) as made:
            prepare(result, made)
            nothing_to_do(result, made, rounds)
            if OWN in made:
                _sees_a_change(result, made[OWN], everything)


def many(base: str, count: int, rounds: int, tools: Collection[str]) -> Iterator[Measured]:
    """So many targets that bake on the docker driver gives up; then again, with nothing to do."""
    chosen = [tool for tool in (OWN, "bake") if tool in tools]
    first = Measured("many", f"{count} targets, nothing cached")
    again = Measured("many-warm", f"{count} targets, nothing to do", IDLE_MANY)
    yield first
    with trees(chosen, Shape(count, base)) as made:
        for tool, tree in made.items():
            ran = tree.run()
            first.add(tool, ran)
            if tree.expect(ran, tree.repository.everything):
                first.note(f"homeport built all {len(tree.repository.everything)} targets")
        yield again
        # What gave up may get to its end with what it has cached by now; homeport has no such excuse.
        prepare(again, {tool: tree for tool, tree in made.items() if first.median(tool) is None})
        nothing_to_do(again, made, rounds)


def in_flight(base: str, count: int, jobs: int) -> dict[str, int]:
    """Most targets at the same time, by the engine's own build records (created_at, completed_at)."""
    with trees([OWN], Shape(count, base, step_seconds=0.3)) as made:
        ran = made[OWN].run(["--jobs", str(jobs)])
        if ran.seconds is None or ran.document is None:
            raise ScenarioError(f"--jobs {jobs} failed: {ran.said}")
        made[OWN].expect(ran, made[OWN].repository.everything)
    refs = {target["record"] for target in ran.document["targets"]}
    listing = subprocess.run(
        ["docker", "buildx", "history", "ls", "--no-trunc", "--format", "json"],
        check=True,
        capture_output=True,
        encoding="utf-8",
    )
    rows = [row for row in map(json.loads, listing.stdout.splitlines()) if row["ref"] in refs]
    marks = sorted(mark for row in rows for mark in ((row["created_at"], 1), (row["completed_at"], -1)))
    running = most = 0
    for _, change in marks:
        running += change
        most = max(most, running)
    return {"jobs": jobs, "targets": len(refs), "records": len(rows), "most": most}


def listing(argv: list[str], folder: Path, rounds: int) -> list[float]:
    """Seconds of ``invoke --list`` in this repository."""
    return [taken for _ in range(rounds) if (taken := timed(argv, folder).seconds) is not None]


# -- parts of scenarios -----------------------------------------------------------------------------------


def prepare(result: Measured, made: dict[str, Tree]) -> None:
    """Build everything once with each tool, a second time if it failed; a failure becomes a note."""
    for tool, tree in made.items():
        print(f"{result.name:<11} {tool:<22} prepares", flush=True)
        ran = tree.run()
        if ran.seconds is None:
            ran = tree.run()
            if ran.seconds is None:
                result.note(f"{tool} failed to build everything before it was measured: `{ran.said}`")
        else:
            tree.expect(ran, tree.repository.everything)


def nothing_to_do(result: Measured, made: dict[str, Tree], rounds: int) -> None:
    """Run each tool again and again in its tree, where everything is built."""
    for number in range(rounds):
        for tool in shuffled(made, number):
            ran = made[tool].run()
            result.add(tool, ran)
            # The base is in nobody's way: nobody asked for it, and nothing that is built needs it.
            _note(result, made[tool].expect(ran, (), made[tool].repository.names))


def append(path: Path, nonce: str) -> None:
    """Change a file for good: what was built before doesn't come back."""
    with path.open("a", encoding="utf-8", newline="\n") as file:
        file.write(f"{nonce}\n")


def _sees_a_change(result: Measured, tree: Tree, everything: bool) -> None:
    """Nothing to do is quickly said: make sure that homeport would notice one file out of the many."""
    names = tree.repository.names
    append(tree.repository.file(names[0]), secrets.token_hex(8))
    ran = homeport([*HOMEPORT, "--dry-run"], tree.repository.folder, tree.own)
    due = {str(target["name"]) for target in (ran.document or {}).get("targets", [])}
    if due != set(names if everything else names[:1]):
        raise ScenarioError(f"after one file changed homeport would build {sorted(due)}")
    result.note(f"after one file of one service changed, homeport would build {len(due)} of {len(names)}")


def _note(result: Measured, text: str) -> None:
    if text:
        result.note(text)
