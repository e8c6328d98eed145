"""Images looked at by a scanner, several at the same time; what it said before isn't asked again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from homeport.engine import grype, trivy
from homeport.engine.scanner import Programs, Ready, Report, Scanner
from homeport.engine.waiting import first_done
from homeport.errors import UsageError, did_you_mean
from homeport.model.config import ScanConfig
from homeport.scan import results
from homeport.scan.subjects import Subject

SCANNERS = ("trivy", "grype")

T = TypeVar("T")


@dataclass(frozen=True)
class Looked:
    """What a scanner said of an image, and how long that took in seconds; 0 where it was known."""

    subject: Subject
    report: Report
    seconds: float
    cached: bool


def choose(name: str, config: ScanConfig, programs: Programs) -> Scanner:
    """The scanner by its name. Raises UsageError for an unknown one, ScannerProblem for a missing one."""
    if name not in SCANNERS:
        raise UsageError(
            f"There is no scanner {name!r}.",
            cause=did_you_mean(name, SCANNERS),
            hint=f"Scanners: {', '.join(SCANNERS)}.",
        )
    return grype.find(programs) if name == "grype" else trivy.find(programs, config.trivy_image)


def look(
    scanner: Scanner,
    ready: Ready,
    subjects: Sequence[Subject],
    jobs: int,
    folder: Path,
    programs: Programs,
    on_done: Callable[[Looked], None],
) -> list[Looked]:
    """Scan images, ``jobs`` of them at a time, and tell ``on_done`` of each.

    Raises the first error, after what still runs has come to its end: that needn't be done again then.
    """

    def one(subject: Subject) -> Looked:
        known = results.read(folder, ready, subject.id)
        if known is not None:
            return Looked(subject, known, 0.0, cached=True)
        began = time.monotonic()
        report = scanner.scan(subject.id, subject.reference)
        results.write(folder, ready, subject.id, report)
        return Looked(subject, report, time.monotonic() - began, cached=False)

    most = min(jobs, ready.at_once or jobs)
    return each(one, subjects, most, programs, on_done)


def each(
    work: Callable[[Subject], T],
    subjects: Sequence[Subject],
    jobs: int,
    programs: Programs,
    on_done: Callable[[T], None],
) -> list[T]:
    """Do something for each image, ``jobs`` at a time; the results in the images' order.

    Raises the first error. Interrupted, it ends the programs that run.
    """
    with _pool(jobs, programs) as pool:
        futures = [pool.submit(work, subject) for subject in subjects]
        left = set(futures)
        while left:
            done = first_done(left)
            left -= done
            for future in done:
                if future.cancelled():
                    continue
                if future.exception() is None:
                    on_done(future.result())
                else:
                    for other in futures:
                        other.cancel()
        return [future.result() for future in futures if not future.cancelled()]


@contextmanager
def _pool(jobs: int, programs: Programs) -> Iterator[ThreadPoolExecutor]:
    pool = ThreadPoolExecutor(max(jobs, 1), thread_name_prefix="scan")
    try:
        yield pool
        pool.shutdown()
    except BaseException:
        programs.stop()
        pool.shutdown(cancel_futures=True)
        raise
