"""``bench``: measure on this repository what building and deploying it takes, beside what was promised."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from homeport.commands.adapter import command, names, whole_number

if TYPE_CHECKING:
    from collections.abc import Mapping

    from homeport.bench.definition import Builds
    from homeport.bench.facts import Facts
    from homeport.bench.work import Lent, Sent
    from homeport.model.config import BuildConfig, Config


@command(
    help={
        "scenarios": "Only these scenarios, separated by commas (default: all; --dry-run lists them).",
        "services": "Only these services or targets, separated by commas (default: all).",
        "rounds": "How often each is measured (default: 3).",
        "against": "A file of an earlier 'bench --json', to be compared with.",
        "check": "With --against: exit with 1 if something got slower, beyond noise.",
        "dry-run": "Show what would be done, and touch nothing.",
        "json": "Write plan or result as JSON; '-' is standard output.",
        "report": "Write an HTML page with pictures, and the JSON, into this folder.",
    }
)
def bench(
    c: Any,
    scenarios: str = "",
    services: str = "",
    rounds: str = "",
    against: str = "",
    check: bool = False,
    dry_run: bool = False,
    json: str = "",
    report: str = "",
) -> int:
    """Measure builds and deploys of this repository, in copies of it, beside what was promised."""
    from homeport.bench import flow
    from homeport.commands import settings

    root = Path.cwd()
    config = settings.read(root)
    request = flow.Request(
        names(scenarios),
        names(services),
        whole_number(rounds, "--rounds", config.bench.rounds),
        config.bench,
        config.build,
        config.deploy,
        _probes(config),
        dry_run=dry_run,
        check=check,
        against=against,
        json=json,
        report=report,
    )
    return flow.run(request, lambda: _facts(root, config), _lent(root))


def _probes(config: Config) -> Mapping[tuple[str, int], str]:
    """What ``homeport test`` asks services for is what callers ask for."""
    found = config.test.probes.items()
    return {(one.service or name, one.port): one.http for name, one in found if one.http and one.port}


def _facts(root: Path, config: Config) -> tuple[Facts, tuple[str, ...]]:
    from homeport.bench import copies, facts
    from homeport.deploy.flow import FRONT_VARIABLE

    copies.listing(root)  # without git there is nothing to begin with
    builds, why, warnings = _builds(root, config.build)
    found = facts.read(
        root,
        builds=builds,
        no_builds=why,
        builder=config.build.builder,
        compose_files=config.deploy.files or config.test.files,
        front_variable=FRONT_VARIABLE,
    )
    return found, warnings


def _builds(root: Path, config: BuildConfig) -> tuple[Builds | None, str, tuple[str, ...]]:
    """The targets as a build would read them, or why there are none; a flow calls no other one."""
    from homeport.bench.definition import Builds
    from homeport.build import facts
    from homeport.build.links import tag_dependencies
    from homeport.errors import DefinitionError

    try:
        found = facts.read(root, files=config.files, names=config.targets, builder=config.builder)
    except DefinitionError as error:
        return None, " ".join(filter(None, (error.what, error.cause))), ()
    warnings = [*found.warnings]
    tagged = tag_dependencies(found.definition, found.images, warnings)
    graph = {
        target.name: tuple(dict.fromkeys((*target.linked, *tagged[target.name].values())))
        for target in found.definition
    }
    return Builds(found.definition, graph, tagged), "", tuple(warnings)


def _lent(root: Path) -> Lent:
    """What rooms that bench can't know do for it."""
    from homeport.audit.finding import CACHE_DEFEATED, CACHE_MISSING, SYSTEM_CACHE_MISSING
    from homeport.bench.work import Lent
    from homeport.deploy.probe import Probe

    rules = (CACHE_MISSING.id, SYSTEM_CACHE_MISSING.id, CACHE_DEFEATED.id)
    return Lent(Probe, lambda builds: _sent(root, builds), rules)


def _sent(root: Path, builds: Builds) -> tuple[Mapping[str, Sent], tuple[str, ...]]:
    """What each target's build is sent, as the audit knows it."""
    from homeport.audit import sent
    from homeport.audit.transfer import Build
    from homeport.bench.work import Sent
    from homeport.build.facts import dockerfile_path, local_path

    looked_at = {}
    for name in builds.order:
        target = builds.definition.targets[name]
        path = dockerfile_path(target, root)
        if path is not None and path.is_file() and target.inline_dockerfile is None:
            folder = local_path(target.context, root)
            shown = path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
            contexts = frozenset(target.contexts)
            looked_at[name] = Build(folder, path, shown, target.args, target.stage, contexts)
    found, problems = sent.compare(looked_at, root, sent.texts(looked_at.values()))
    return {name: Sent(one.without, one.present, one.mended) for name, one in found.items()}, problems
