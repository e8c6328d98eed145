"""The steps that are about deploys: a stack of its own, replaced while callers count what they miss."""

from __future__ import annotations

import contextlib
import http.client
import json
import secrets
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from homeport.bench import cleanup, stack
from homeport.bench.builds import PARALLEL
from homeport.bench.stack import Trial
from homeport.bench.work import Caller, Load, NotMeasured, StepFailed, Value, Work
from homeport.engine import containers, gate, projects
from homeport.model import graph
from homeport.report.words import plural
from homeport.sources.mounted import Sources

_AROUND_SECONDS = 1.0
"""How long callers come before a deploy and after it."""
_PORTS = range(20_000, 32_768)
"""Below those that systems give to outgoing connections (Linux: from 32768, the others: from 49152)."""
_MOST = 3
"""So many services and reasons are named of lost requests."""
FIRST, SECOND = 1, 2


class Deploys:
    """The steps. Only one stack is up at a time, and each begins with none."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._tags: dict[str, str] | None = None

    def plain(self, number: int) -> list[Value]:
        """``docker compose up`` of another release, until everything is well."""
        work = self._work
        with self._stack("plain") as trial:
            folder = work.deploy_folder("plain")
            self._up(trial, FIRST, folder)
            took, lost, notes = self._under_load(trial, lambda: self._up(trial, SECOND, folder))
        return [Value("deploy-plain", took, _changed(trial)), *_lost("deploy-plain-lost", lost, notes)]

    def zero(self, number: int) -> list[Value]:
        """``homeport deploy --zero-downtime`` of another release, and the rollback to the first one."""
        work = self._work
        words = ["deploy", "--zero-downtime"]
        found: list[Value] = []
        asked = {one.key for step in work.plan.steps if step.key == "deploy-zero" for one in step.measures}
        with self._stack("zero") as trial:
            folder = work.deploy_folder("zero")
            file = folder / "stack.json"
            env = {"COMPOSE_PROJECT_NAME": trial.project}

            def run(arguments: Sequence[str]) -> float:
                done, _ = work.homeport([*arguments, f"--file={file}"], folder, "deploy", env)
                return done.seconds

            file.write_text(json.dumps(trial.release(FIRST)), encoding="utf-8", newline="\n")
            run(words)
            file.write_text(json.dumps(trial.release(SECOND)), encoding="utf-8", newline="\n")
            took, lost, notes = self._under_load(trial, lambda: run(words))
            found += [Value("deploy-zero", took, _changed(trial)), *_lost("deploy-zero-lost", lost, notes)]
            if "rollback" in asked:
                took, lost, notes = self._under_load(trial, lambda: run(["rollback"]))
                found += [Value("rollback", took, _changed(trial)), *_lost("rollback-lost", lost, notes)]
        return found

    # -- the stack ------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _stack(self, kind: str) -> Iterator[Trial]:
        work = self._work
        project = work.facts.project
        if project is None:
            raise NotMeasured(work.facts.no_project)
        trial = stack.make(
            project,
            work.names.project(kind),
            work.names.labels,
            services=work.plan.services,
            images=self._images(),
            source=Sources(work.facts.root),
            free_port=free_port,
        )
        if not trial.changed:
            left = "; ".join(f"{name}: {why}" for name, why in trial.left_out.items())
            raise NotMeasured(
                f"no service can be deployed beside what runs ({left or 'all run to their end'})"
            )
        for name in trial.images:
            work.image(name)
        try:
            yield trial
        finally:
            # Whoever interrupts this is heard: all that is left goes at the end of the run.
            cleanup.project(trial.project)

    def _images(self) -> dict[str, str]:
        """By service the image under its name here; all are built when they are asked for first."""
        work = self._work
        specs = (work.facts.project or {}).get("services") or {}
        needs = {name: tuple(one for one in spec.get("depends_on") or () if one in specs)
                 for name, spec in specs.items()}  # fmt: skip
        services = graph.closure(needs, work.plan.services)
        wanted = {name: work.plan.made[name] for name in services if name in work.plan.made}
        if not wanted or work.facts.builds is None:
            return {}
        if self._tags is None:
            builds = work.facts.builds.only(wanted.values())
            path, made = work.define("stack", "stack", builds)
            work.tell("preparing: the images of the stack are built")
            work.homeport([*PARALLEL, "--load", "--file", str(path)], work.tree("deploy-plain"), "stack")
            self._tags = {name: spec["tags"][0] for name, spec in made["target"].items()}
        return {service: self._tags[target] for service, target in wanted.items()}

    def _up(self, trial: Trial, release: int, folder: Path) -> float:
        """Start a release as Compose does, and wait until all of it is well; returns the seconds."""
        work = self._work
        limit = float(work.deploy.gate)
        work.settle()
        began = time.monotonic()
        projects.start(trial.release(release), folder, work.config.limit)
        for one in containers.of_project(trial.project):
            if one.service in trial.ending:
                verdict = gate.wait_for_end(one.id, float(work.deploy.run))
            else:
                verdict = gate.wait([one.id], limit)
            if verdict.problem:
                raise StepFailed(f"{one.service}: {verdict.problem}")
        return time.monotonic() - began

    # -- callers --------------------------------------------------------------------------------------------

    def _under_load(self, trial: Trial, deploy: Callable[[], float]) -> tuple[float, float | None, str]:
        """Deploy while callers call; returns the seconds, how many requests were lost (None: nobody can be
        called), and what is to be known of them."""
        work = self._work
        urls = {url: name for url, name in stack.addresses(trial, work.probes).items() if serves(url)}
        if not urls:
            return deploy(), None, "no published port answers HTTP"
        callers: list[Caller] = []
        with contextlib.ExitStack() as calls:
            callers += [calls.enter_context(work.lent.call(url, work.config.rate)) for url in urls]
            time.sleep(_AROUND_SECONDS)
            took = deploy()
            time.sleep(_AROUND_SECONDS)
        results = [(name, caller.result) for name, caller in zip(urls.values(), callers, strict=True)]
        return took, float(sum(len(one.failed) for _, one in results)), said(results)


def said(results: Sequence[tuple[str, Load]]) -> str:
    """What callers of services saw: how much they sent, and whose requests were lost, by what."""
    sent = sum(len(one.sent) for _, one in results)
    lost = Counter({name: len(one.failed) for name, one in results if one.failed})
    why: Counter[str] = Counter()
    for _, one in results:
        why.update(one.errors)
    found = f"of {sent} sent to {plural(len(results), 'port')}"
    if not lost:
        return found
    where, what = (
        ", ".join(f"{key} {count}" for key, count in each.most_common(_MOST)) for each in (lost, why)
    )
    return f"{found}; at {where}; {what}"


def serves(url: str) -> bool:
    """Whether an address answers HTTP, and not with an error of the server's."""
    place, _, path = url.removeprefix("http://").partition("/")
    connection = http.client.HTTPConnection(place, timeout=5)
    try:
        connection.request("GET", f"/{path}")
        return connection.getresponse().status < 500
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def free_port() -> int:
    """A port of this machine that nobody has, and that no connection of somebody's caller is given."""
    while True:
        number = _PORTS.start + secrets.randbelow(len(_PORTS))
        with socket.socket() as found, contextlib.suppress(OSError):
            found.bind(("127.0.0.1", number))
            return number


def _changed(trial: Trial) -> tuple[str, ...]:
    all_of_them = len(trial.document["services"])
    notes = [f"{len(trial.changed)} of {plural(all_of_them, 'service')} replaced"]
    notes += [f"{name} is left out: {why}" for name, why in trial.left_out.items()]
    return tuple(notes)


def _lost(key: str, lost: float | None, note: str) -> list[Value]:
    return [] if lost is None else [Value(key, lost, (note,))]
