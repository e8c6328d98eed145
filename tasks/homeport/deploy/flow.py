"""The deploy and rollback commands from end to end: facts -> plan -> apply -> report."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from homeport.deploy import facts, notes, past, preflight, shared, show
from homeport.deploy import plan as planning
from homeport.deploy.desired import desired
from homeport.deploy.execution import execute
from homeport.deploy.facts import DeployFacts
from homeport.deploy.plan import DeployPlan
from homeport.deploy.request import Request, Wanted
from homeport.engine import compose, docker, images
from homeport.model import release as releases
from homeport.report.console import make_console, show_warnings
from homeport.report.document import check_file, make_folder, write_json
from homeport.report.words import plural

FRONT_VARIABLE = "HAPROXY_IMAGE"
"""Names the image of the fronts, before what is configured."""


def deploy(request: Request) -> int:
    """Deploy what the Compose file says; returns the exit code. Raises HomeportError."""
    with ThreadPoolExecutor(1) as pool:
        front_image = pool.submit(_front_image, request)
        return _run(request, "deploy", lambda found: _wanted(request, found, front_image.result()))


def _front_image(request: Request) -> str:
    """As this process or .env says: else another shell, or CI, would want to replace all fronts."""
    if said := os.environ.get(FRONT_VARIABLE, "").strip():
        return said
    folders = {request.cwd, *((request.cwd / file).parent for file in request.files)}
    if not any((folder / ".env").is_file() for folder in folders) and "COMPOSE_ENV_FILES" not in os.environ:
        return request.front_image
    variables = compose.environment(request.files, request.cwd)
    return compose.variable(FRONT_VARIABLE, variables).strip() or request.front_image


def _wanted(request: Request, found: DeployFacts, front_image: str) -> Wanted:
    # Who had fronts keeps them, whatever became of them: without, the next deploy would lose requests.
    last = releases.current(found.releases)
    had = any(one.front for one in found.running.values()) or (
        last is not None and any(one.front for one in last.services.values())
    )
    fronts = request.zero_downtime or had
    made = desired(found.stack, found.images, found.files, front_image=front_image, fronts=fronts)
    return Wanted(found.stack, made, whole=not request.services)


def rollback(request: Request, to: str, *, force: bool = False) -> int:
    """Deploy an old release again; returns the exit code. Raises HomeportError."""

    def wanted(found: DeployFacts) -> Wanted:
        chosen = releases.choose(found.releases, to)
        stack, sets = past.of_release(chosen, found, force=force)
        leaving = past.leaving(chosen, found)
        return Wanted(stack, sets, chosen.number, past.warnings(chosen, found, leaving), leaving=leaving)

    return _run(request, f"rollback to {to}", wanted, back=True)


def _run(request: Request, what: str, wanted: Callable[[DeployFacts], Wanted], *, back: bool = False) -> int:
    console = make_console(sys.stderr if request.json == "-" else sys.stdout)
    if request.json:
        check_file(request.json, "--json")
    if request.report:
        make_folder(Path(request.report))
    if request.probe:
        from homeport.deploy.probe import check_url

        check_url(request.probe)
    engine = docker.engine()
    document = compose.config(request.files, request.cwd)
    if request.dry_run:
        found = _facts(document, request, pull=False, lenient=back)
        plan, goal = _plan(found, request, wanted)
        absent = preflight.externals(_externals(plan, goal))
        more = [f"A deploy would end at once: {one}." for one in absent]
        fronts = images.find(preflight.new_fronts(plan, found.running))
        more += [
            f"A deploy pulls the image of the fronts first, {name}, which the engine doesn't have."
            for name, image in fronts.items()
            if image is None
        ]
        plan = replace(plan, warnings=(*plan.warnings, *more))
        show.plan(plan, console)
        if request.json:
            write_json(request.json, show.plan_document(plan))
        return 0
    name = str(document.get("name") or "")
    with notes.Lock(name, what, request.lock_wait, lambda text: console.print(text, markup=False)):
        if request.lock_wait:  # whoever had the lock may have changed it
            document = compose.config(request.files, request.cwd)
        found = _facts(document, request, pull=not back, lenient=back)
        plan, goal = _plan(found, request, wanted)
        show_warnings(plan.warnings, console)
        if not plan.changes and not plan.strays and _is_current(found, goal):
            console.print(f"Nothing to deploy: {plural(len(plan.steps), 'service')} unchanged.", markup=False)
            return 0
        preflight.check(plan, goal.desired, found.running, engine, _externals(plan, goal))
        return execute(request, found, plan, goal, console)


def _facts(document: Mapping[str, Any], request: Request, *, pull: bool, lenient: bool) -> DeployFacts:
    return facts.read(
        document, request.cwd, request.services, files=request.files, pull=pull, lenient=lenient
    )


def _plan(
    found: DeployFacts, request: Request, wanted: Callable[[DeployFacts], Wanted]
) -> tuple[DeployPlan, Wanted]:
    goal = wanted(found)
    last = releases.current(found.releases)
    released = {name: one.replica_set for name, one in last.services.items()} if last else {}
    plan = planning.make(
        goal.stack, goal.desired, found.running, whole=goal.whole, leaving=goal.leaving, released=released
    )
    return replace(plan, warnings=(*goal.warnings, *_shared(found, goal), *plan.warnings)), goal


def _shared(found: DeployFacts, goal: Wanted) -> tuple[str, ...]:
    """Warnings about networks and volumes, of which a rollback makes none. Raises DefinitionError."""
    last = releases.current(found.releases)
    if last is None or goal.of:
        return ()
    in_use = {
        network
        for one in found.running.values()
        for container in one.everything
        for network in container.networks
        if container.running and container not in one.plain
    }
    return shared.check(last.shared, shared.digests(found.stack.name, found.stack.document), in_use)


def _externals(plan: DeployPlan, goal: Wanted) -> dict[tuple[str, str], str]:
    steps = (step for step in plan.steps.values() if step.target is not None)
    return shared.externals(
        goal.stack.document, {step.service: goal.stack.services[step.service].spec for step in steps}
    )


def _is_current(found: DeployFacts, goal: Wanted) -> bool:
    """Whether the last release says what should run: it doesn't after a deploy that was killed at its end."""
    now = releases.current(found.releases)
    sets = goal.desired.sets
    return (
        now is not None
        and all(
            name in now.services and now.services[name].replica_set == one.name for name, one in sets.items()
        )
        and not (goal.whole and now.services.keys() - sets.keys())
    )
