"""Wait for other threads and still see requests to stop.

On Windows a main thread that waits for one without an end is deaf to Ctrl-C until it comes
(https://github.com/python/cpython/issues/80116), so it waits in slices.
"""

from __future__ import annotations

from collections.abc import Collection
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import TypeVar

T = TypeVar("T")
_SLICE_SECONDS = 0.5


def first_done(futures: Collection[Future[T]]) -> set[Future[T]]:
    """Those that have ended, as soon as at least one has; none if there are none."""
    while True:
        done, _ = wait(futures, timeout=_SLICE_SECONDS, return_when=FIRST_COMPLETED)
        if done or not futures:
            return done


def result_of(future: Future[T]) -> T:
    """What it returns or raises, when it has ended."""
    first_done([future])
    return future.result()
