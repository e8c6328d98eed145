"""The results that the report tests read; test_report_samples.py proves what they claim to be."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies

from homeport.model.result import BuildResult, Status, StepResult, TargetResult
from homeport.model.solve import Failure

FAILURE = Failure(
    'process "/bin/sh -c pip install -r requirements.txt" did not complete successfully: exit code: 1',
    "builder",
    "[builder 3/5] RUN pip install -r requirements.txt",
    "services/api/Dockerfile",
    12,
    ("Collecting fastapi==99", "\x1b[31mERROR: No matching distribution found for fastapi==99\x1b[0m"),
)
# Markup, quotes, Markdown, workflow commands, terminal escapes, controls and a lone surrogate.
HOSTILE = (
    "a<b>&\"'|`*_[x](y)\\ </pre></script>]]> ::error::x ##[group]y \x1b[31mred\x1b[0m "
    "\x00\x08\ufffe\ud800 \r\n::stop::z"
)
# Any text at all, and often what means something to XML, Markdown or a runner.
TEXTS = strategies.text(
    strategies.one_of(
        strategies.characters(),
        strategies.sampled_from("<>&\"'|`*_[]()\\#!~:;,%$@\r\n\t \x00\x1b\ud800\ufffe-=/"),
    ),
    max_size=40,
) | strategies.sampled_from([HOSTILE, "]]>", "-->", "</svg>", "::error::x", " ##[group]x", "%0A", "a" * 3000])


def target(name: str, started: float = 0.0, seconds: float = 1.0, **fields: object) -> TargetResult:
    """A target that ran and was built, unless ``fields`` say otherwise."""
    ran = TargetResult(name, Status.BUILT, "no image yet", started=started, seconds=seconds, attempts=1)
    return replace(ran, **fields)  # type: ignore[arg-type]


def steps(started: float, seconds: float) -> tuple[StepResult, ...]:
    """Steps as BuildKit has them: its own, a cached instruction, two that overlap, and one after them."""

    def step(name: str, begin: float, part: float, *, cached: bool = False) -> StepResult:
        return StepResult(
            name, started + begin * seconds, part * seconds, cached, name[0] == "[" and "/" in name
        )

    return (
        step("[internal] load build definition from Dockerfile", 0.0, 0.05),
        step("[builder 1/5] FROM docker.io/library/python:3.12-slim", 0.05, 0.0, cached=True),
        step("[builder 2/5] WORKDIR /app", 0.05, 0.0, cached=True),
        step("[builder 3/5] RUN pip install -r requirements.txt", 0.1, 0.55),
        step("[web 2/3] RUN npm ci", 0.1, 0.3),
        step("[builder 4/5] COPY . .", 0.66, 0.04),
        step("exporting to image", 0.75, 0.25),
    )


def build(count: int, *, jobs: int = 4, broken: tuple[int, ...] = ()) -> BuildResult:
    """``count`` targets, the first one the base of all others, run ``jobs`` at a time.

    Of the numbers in ``broken`` the first one failed, the others were cancelled. Where something is broken,
    the last target was never started, and the one before it needed no build.
    """
    found: list[TargetResult] = []
    free = [0.0] * jobs
    for index in range(count):
        seconds = 0.8 + (index * 7 % 11) * 0.45
        slot = min(range(jobs), key=free.__getitem__)
        started = max(free[slot], found[0].seconds if found else 0.0)
        free[slot] = started + seconds
        status = Status.BUILT
        if index in broken:
            status = Status.FAILED if index == broken[0] else Status.CANCELLED
        name = "base" if index == 0 else f"service-{index:03d}"
        why = "no image yet" if index % 3 else "services/app/main.py changed"
        ran = target(name, started, seconds, status=status, why=why, needs=("base",) if index else ())
        ran = replace(ran, steps=steps(started, seconds), cached=2, executed=3, context_bytes=index * 12345)
        if status is Status.BUILT:
            ran = replace(ran, digest=f"sha256:{index:064x}", tags=(f"registry.example/{name}:latest",))
        if status is Status.FAILED:
            ran = replace(ran, failure=FAILURE, attempts=2, retried=("timeout",))
        if status is Status.CANCELLED:
            ran = replace(ran, note=f"stopped, because service-{broken[0]:03d} failed")
        found.append(ran)
    if broken:
        skipped, last = found[-2:]
        found[-2] = TargetResult(
            skipped.name, Status.SKIPPED, "unchanged, in the engine", (), skipped.tags, digest=skipped.digest
        )
        found[-1] = TargetResult(last.name, Status.UNBUILT, last.why, last.needs, note="needs base")
    names = tuple(ran.name for ran in found)
    return BuildResult(
        tuple(found),
        started_at=1_760_000_000.0,
        seconds=max((ran.started + ran.seconds for ran in found), default=0.0),
        jobs=jobs,
        batches=tuple(batch for batch in (names[:1], names[1:]) if batch),
        project="homeiq",
        facts={"engine": "28.2.2", "buildx": "v0.29.1", "builder": "default (docker)", "registry": "none"},
    )


def saying(text: str) -> BuildResult:
    """A failed build of two targets in which every text is ``text``."""
    failure = Failure(text, text, text, text, 3, (text, "", text))
    step = StepResult(text, 0.1, 0.5, False, True)
    bad = target(
        text,
        status=Status.FAILED,
        why=text,
        tags=(text,),
        digest=text,
        note=text,
        failure=failure,
        steps=(step, replace(step, cached=True)),
        warnings=(text,),
        attempts=2,
        retried=(text,),
    )
    result = BuildResult(
        (bad, target(f"{text} good", 1.0, needs=(text,))), 0.0, 2.0, 2, ((text,), (f"{text} good",))
    )
    return replace(result, warnings=(text,), project=text, facts={text: text})
