"""Which failures are worth another try: those of the network and of a busy engine, never a failed step.

Each class has a name, because a report that says "retried: registry-overloaded" can be acted upon.
"""

from __future__ import annotations

import re

BACKOFF_SECONDS = (1.0, 3.0, 8.0, 20.0)
"""Waiting time before the second, third, ... attempt; the last one repeats."""

TRANSIENT: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (name, re.compile(pattern, re.IGNORECASE))
    for name, pattern in (
        (
            "connection",
            r"connection reset by peer|connection refused|broken pipe|unexpected EOF|no route to host",
        ),
        ("timeout", r"i/o timeout|TLS handshake timeout|context deadline exceeded|Client\.Timeout exceeded"),
        ("name-resolution", r"temporary failure in name resolution|server misbehaving"),
        ("registry-overloaded", r"toomanyrequests|429 Too Many Requests|50[0234] [A-Z][a-z]+ ?[A-Z]?[a-z]*"),
        ("engine-busy", r"no such job|code = Unavailable|transport is closing|failed to receive status"),
        # containerd tidies up while images are written: seen on Engine 28 with images built over others.
        # Two builds that give a name nobody had yet do it at the same time, and one of them fails.
        # A build that was killed is still being taken back while the next one writes the same layer.
        (
            "image-store",
            r"failed to prepare extraction snapshot|parent snapshot \S+ does not exist"
            r"|failed to stat active key during commit|image \S+: already exists",
        ),
    )
)

# A step of the user's own Dockerfile may print any of the above; that it failed is then not BuildKit's.
_OWN_STEP = re.compile(r"did not complete successfully|failed to compute cache key|failed to read dockerfile")


def transient_class(message: str) -> str:
    """The class of a transient failure, or an empty string for a failure that would only come again.

    ``message`` is BuildKit's own error, not the log of a step.
    """
    if _OWN_STEP.search(message):
        return ""
    return next((name for name, pattern in TRANSIENT if pattern.search(message)), "")


def backoff(attempt: int) -> float:
    """Seconds to wait after ``attempt`` (1, 2, ...) failed."""
    return BACKOFF_SECONDS[min(attempt, len(BACKOFF_SECONDS)) - 1]
