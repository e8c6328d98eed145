"""What one build did, step by step, folded from BuildKit's progress stream (``--progress=rawjson``).

The stream is one JSON object a line with ``vertexes``, ``statuses``, ``logs`` and ``warnings``: BuildKit's
``client.SolveStatus`` (https://github.com/moby/buildkit/blob/master/client/graph.go).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any

LOG_LINES = 60
"""How many of a step's last log lines are kept in memory."""

_STEP = re.compile(r"^\[(?:(?P<where>.*?)\s+)?(?P<number>\d+)/(?P<total>\d+)\]\s+(?P<command>.*)$", re.DOTALL)
_EXPORT = re.compile(r"^(?:\[[^\]]*\] )?exporting ")
# "exporting manifest list sha256:..." comes after "exporting manifest sha256:..." where there is an index.
_IMAGE = re.compile(r"^(?:exporting manifest(?: list)?|writing image) (?P<digest>sha256:[0-9a-f]{64})")
_CANCELED = re.compile(r"context canceled|Canceled", re.IGNORECASE)
_HARMLESS = re.compile(r"^(?:\[[^\]]*\] )?importing cache manifest ")
# With several targets in one stream, what a step belongs to: "[api 2/5] RUN x", "[api] exporting to image".
_OWNER = re.compile(r"^\[(?P<name>[^\s\]]+)[\s\]]")
_CONTEXT = re.compile(r"load build context$|load from client$")
# buildx prints the failing Dockerfile line after the stream, as "path:12" over a ruled excerpt.
_SOURCE = re.compile(r"^(?P<file>\S.*?):(?P<line>\d+)\s*$")
_RULE = re.compile(r"^-{10,}\s*$")


@dataclass
class Step:
    """One vertex of the build graph. Times are seconds since the epoch; None means not yet."""

    name: str
    started: float | None = None
    completed: float | None = None
    cached: bool = False
    error: str = ""
    own: bool = True
    """False for a step of another target, which this one's definition only brings along."""
    log: deque[str] = field(default_factory=lambda: deque(maxlen=LOG_LINES))
    _partial: str = ""

    @property
    def is_instruction(self) -> bool:
        """Whether this is an instruction that a cache can answer: FROM, which only names, is not counted."""
        match = _STEP.match(self.name)
        return match is not None and not match["command"].startswith("FROM ")

    @property
    def stage(self) -> str:
        """The stage's name where BuildKit gives one (``[builder 2/5] RUN ...``)."""
        match = _STEP.match(self.name)
        name = (match["where"] or "").split(" ")[-1] if match else ""
        return "" if "/" in name else name  # a platform: "[linux/arm64 2/5] RUN make"

    def feed_log(self, data: bytes) -> list[str]:
        """Take in raw log bytes, return the lines they complete. Bytes that aren't UTF-8 are replaced."""
        text = self._partial + data.decode("utf-8", errors="replace")
        *lines, self._partial = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        self.log.extend(lines)
        return lines

    def last_lines(self) -> list[str]:
        """The kept log lines with the unfinished one, blank ones at the end left out."""
        lines = [*self.log, self._partial] if self._partial else list(self.log)
        while lines and not lines[-1].strip():
            lines.pop()
        return lines


@dataclass
class Solve:
    """The state of one build; ``feed`` it the stream's objects.

    ``prefix`` is the target's name where its definition brings linked targets along: buildx then puts a
    target's name before each of its steps (``[api builder 2/5] RUN make``). Only its own steps count.
    """

    prefix: str = ""
    steps: dict[str, Step] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    transfers: dict[tuple[str, str], int] = field(default_factory=dict)
    digest: str = ""
    """The image's digest, as far as the stream tells it; the metadata file at the end is what counts."""

    def feed(self, message: Mapping[str, Any]) -> list[tuple[Step, str]]:
        """Fold one object of the stream in; returns the log lines that it completed, with their step."""
        for vertex in message.get("vertexes") or ():
            self._feed_vertex(vertex)
        for status in message.get("statuses") or ():
            step = self.steps.get(status.get("vertex", ""))
            if step is not None and step.own and (image := _IMAGE.match(str(status.get("id", "")))):
                self.digest = image["digest"]
            if step is not None and _CONTEXT.search(step.name):
                key = (status["vertex"], str(status.get("id", "")))
                self.transfers[key] = max(self.transfers.get(key, 0), int(status.get("current") or 0))
        for warning in message.get("warnings") or ():
            if warning.get("vertex", "") in self.steps:
                self.warnings.append(_decoded(warning.get("short", "")))
        lines: list[tuple[Step, str]] = []
        for log in message.get("logs") or ():
            step = self.steps.get(log.get("vertex", ""))
            if step is not None:
                lines.extend((step, line) for line in step.feed_log(_raw(log.get("data", ""))))
        return lines

    def _feed_vertex(self, vertex: Mapping[str, Any]) -> None:
        name, own = self._own_name(str(vertex.get("name", "")))
        step = self.steps.setdefault(str(vertex.get("digest", "")), Step(name))
        # A linked target's steps come under its name and under this one's: seen once as another's, foreign.
        step.own = step.own and own
        started, completed = _seconds(vertex.get("started")), _seconds(vertex.get("completed"))
        if started is not None:
            # A vertex may run in several intervals (a context is looked at, then sent): keep the outer ones.
            step.started = started if step.started is None else min(step.started, started)
            step.completed = completed
        step.cached = step.cached or bool(vertex.get("cached"))
        step.error = str(vertex.get("error") or step.error)

    def _own_name(self, name: str) -> tuple[str, bool]:
        owner = _OWNER.match(name) if self.prefix else None
        if owner and owner["name"] == self.prefix:
            rest = name[owner.end() :].lstrip()
            return (f"[{rest}" if name[owner.end() - 1] != "]" else rest), True
        return name, not self.prefix

    @property
    def context_bytes(self) -> int:
        """Bytes of build context that were really sent, as BuildKit counted them."""
        return sum(count for (digest, _), count in self.transfers.items() if self.steps[digest].own)

    @property
    def cached(self) -> int:
        """Instructions answered by a cache."""
        return sum(step.cached for step in self._instructions())

    @property
    def executed(self) -> int:
        """Instructions that ran to their end."""
        return sum(step.completed is not None and not step.cached for step in self._instructions())

    @property
    def exported(self) -> int:
        """Results that have been written: images, files and caches."""
        return sum(
            step.completed is not None and not step.error
            for step in self.steps.values()
            if step.own and _EXPORT.match(step.name)
        )

    @property
    def current(self) -> str:
        """The name of the step that started last and still runs; empty between steps."""
        running = [
            step for step in self.steps.values() if step.started is not None and step.completed is None
        ]
        return max(running, key=lambda step: step.started or 0.0).name if running else ""

    @property
    def failed(self) -> Step | None:
        """The step whose error ended the build.

        Steps that were only cancelled with it don't count, nor does a cache that could not be imported.
        """
        broken = (step for step in self.steps.values() if step.error and not _HARMLESS.search(step.name))
        return next((step for step in broken if not _CANCELED.search(step.error)), None)

    def _instructions(self) -> list[Step]:
        return [step for step in self.steps.values() if step.own and step.is_instruction]


class Stream:
    """The progress stream of one process, which builds one target or several.

    ``linked`` says that definitions of linked targets come along, so that names are put before steps.
    """

    def __init__(self, names: Sequence[str], *, linked: bool = False) -> None:
        prefixed = linked or len(names) > 1
        self.solves = {name: Solve(name if prefixed else "") for name in names}
        self._holders: dict[str, list[tuple[str, Solve]]] = {}
        self._seen: set[tuple[str, str]] = set()

    def feed(self, message: Mapping[str, Any]) -> list[tuple[str, Step, str]]:
        """Fold one object in; returns the log lines that it completed, with target and step."""
        if len(self.solves) == 1:
            ((name, solve),) = self.solves.items()
            return [(name, step, line) for step, line in solve.feed(message)]
        for vertex in message.get("vertexes") or ():
            owner = _OWNER.match(str(vertex.get("name", "")))
            known = owner is not None and owner["name"] in self.solves
            for name in (owner["name"],) if owner and known else self.solves:
                solve = self.solves[name]
                solve.feed({"vertexes": (vertex,)})
                holders = self._holders.setdefault(str(vertex.get("digest", "")), [])
                if (name, solve) not in holders:
                    holders.append((name, solve))
        lines = []
        for kind in ("statuses", "warnings", "logs"):
            for part in message.get(kind) or ():
                # A step that targets share is told once for each of them: its log counts the first time.
                if kind == "logs" and not self._is_new(part):
                    continue
                for name, solve in self._holders.get(str(part.get("vertex", "")), ()):
                    lines += [(name, step, line) for step, line in solve.feed({kind: (part,)})]
        return lines

    def _is_new(self, log: Mapping[str, Any]) -> bool:
        key = (str(log.get("vertex", "")), str(log.get("timestamp", "")))
        known = key in self._seen
        self._seen.add(key)
        return not known


def wrote_result(message: Mapping[str, Any]) -> bool:
    """Whether an object of the stream tells of an image, files or a cache that has been written."""
    return any(
        vertex.get("completed") and "exporting " in str(vertex.get("name", ""))
        for vertex in message.get("vertexes") or ()
    )


@dataclass(frozen=True)
class Failure:
    """Why a target's build failed, as far as BuildKit tells."""

    message: str
    stage: str = ""
    step: str = ""
    dockerfile: str = ""
    line: int = 0
    log: tuple[str, ...] = ()


def failure_of(solve: Solve, tail: str, *, lines: int = 20) -> Failure:
    """Gather a failure from the stream and from ``tail``, the plain text buildx prints after it.

    ``lines`` limits the log that is kept. The step's number keeps its total: ``[builder 2/5] RUN make``.
    """
    dockerfile, line = source_position(tail)
    errors = [text for text in tail.splitlines() if text.startswith("ERROR:")]
    step = solve.failed
    message = errors[-1].removeprefix("ERROR:").strip() if errors else (step.error if step else "")
    message = message or (tail.strip().splitlines() or ["the build ended without a message"])[-1]
    if step is None:
        return Failure(message, dockerfile=dockerfile, line=line)
    log = tuple(step.last_lines()[-lines:])
    return Failure(message, step.stage, step.name, dockerfile, line, log)


def source_position(tail: str) -> tuple[str, int]:
    """The Dockerfile and line that buildx shows over its excerpt; ``("", 0)`` where it shows none."""
    texts = tail.splitlines()
    for text, following in pairwise(texts):
        match = _SOURCE.match(text)
        if match and _RULE.match(following):
            return match["file"], int(match["line"])
    return "", 0


def _seconds(stamp: Any) -> float | None:
    """Seconds since the epoch of an RFC 3339 time with nanoseconds; None for none or Go's zero time."""
    if not isinstance(stamp, str) or stamp.startswith("0001-"):
        return None
    whole, _, rest = stamp.removesuffix("Z").partition(".")
    fraction = rest[:9] if rest.isdigit() else ""
    base = datetime.fromisoformat(f"{whole}+00:00").timestamp()
    return base + (float(f"0.{fraction}") if fraction else 0.0)


def _raw(data: Any) -> bytes:
    try:
        return base64.b64decode(data)
    except (binascii.Error, ValueError, TypeError):
        return str(data).encode()


def _decoded(data: Any) -> str:
    return _raw(data).decode("utf-8", errors="replace").strip()
