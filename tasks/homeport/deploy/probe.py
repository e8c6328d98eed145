"""Requests to one URL for as long as a deploy runs, to see what whoever calls it would have seen."""

from __future__ import annotations

import re
import ssl
import threading
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import urllib3
from urllib3.exceptions import HTTPError, LocationParseError
from urllib3.util import Url, parse_url

from homeport.deploy.work import Event
from homeport.errors import UsageError
from homeport.report.words import one_line, plural, seconds

TIMEOUT_SECONDS = 10.0
MOST_SAMPLES = 200_000
MOST_IN_FLIGHT = 256
"""At the usual rate no request has to be left out for this one: each has an end after TIMEOUT_SECONDS."""

_GRACE_SECONDS = 2.0
_MOST_BYTES = 1 << 20
_LATE = f"no answer in {TIMEOUT_SECONDS:.0f} s"
_NO_ROOM = "not sent: too many had no answer yet"


@dataclass(frozen=True)
class Sample:
    """One request. ``at`` is when it was sent, on the clock of the deploy, ``took`` how long it took until
    its answer was read or it failed, both in seconds. ``status`` is 0 where no whole answer came; then
    ``error`` says why. One that could not be ``sent`` says nothing about the service."""

    at: float
    took: float
    status: int
    error: str = ""
    sent: bool = True

    @property
    def failed(self) -> bool:
        """Whether its caller got no answer, or one that says that the server is at fault."""
        return self.sent and (self.status == 0 or self.status >= 500)

    @property
    def why(self) -> str:
        """What went wrong, in a few words; empty for a request that was answered."""
        return self.error or (f"HTTP {self.status}" if self.failed else "")


@dataclass(frozen=True)
class Probed:
    """What a probe has seen. ``url`` is without its query, ``began`` the ``time.monotonic()`` from which its
    samples count, ``samples`` are in the order in which they were sent."""

    url: str
    began: float
    samples: tuple[Sample, ...]

    @property
    def sent(self) -> tuple[Sample, ...]:
        return tuple(sample for sample in self.samples if sample.sent)

    @property
    def failed(self) -> tuple[Sample, ...]:
        return tuple(sample for sample in self.samples if sample.failed)

    @property
    def slowest(self) -> float:
        """The longest time in seconds that an answer took; 0 without answers."""
        answers = (sample.took for sample in self.samples if sample.sent and not sample.failed)
        return max(answers, default=0.0)

    @property
    def errors(self) -> dict[str, int]:
        """How often what went wrong, most often first; with what was not sent."""
        return dict(Counter(sample.why for sample in self.samples if sample.why).most_common())


class Probe:
    """Sends GET requests while a deploy runs: ``with Probe(url) as probe: ...``, then ``probe.result``.

    ``rate`` requests a second are sent whether or not earlier ones have been answered, each on a connection
    of its own, directly (never by a proxy), without following redirects. ``began`` is the deploy's
    ``time.monotonic()``, from which its events count; without it, samples count from when this was made.
    Leaving waits for what is in flight, TIMEOUT_SECONDS and a little at most. Nothing that a server or the
    network does is raised.
    """

    def __init__(self, url: str, rate: float = 20.0, *, began: float | None = None) -> None:
        """Raises UsageError for a URL that :func:`check_url` refuses."""
        if rate <= 0:
            raise ValueError(f"{rate} requests per second")
        self._url = _parse(url)
        self._rate = rate
        self._began = time.monotonic() if began is None else began
        # Reading all certificates of the system for each request would keep a processor busy.
        self._tls: dict[str, Any] = {}
        if self._url.scheme == "https":
            self._tls = {"ssl_context": ssl.create_default_context()}
        self._samples: list[Sample] = []
        self._in_flight: dict[int, float] = {}
        self._changed = threading.Condition()
        self._stop = threading.Event()
        self._sender = threading.Thread(target=self._send, name="probe", daemon=True)

    def __enter__(self) -> Probe:
        self._sender.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._sender.join(_GRACE_SECONDS)
        with self._changed:
            self._changed.wait_for(lambda: not self._in_flight, TIMEOUT_SECONDS + _GRACE_SECONDS)
            # A name service has no time limit, and a server may send its answer byte by byte.
            now = time.monotonic() - self._began
            self._samples += [Sample(at, now - at, 0, _LATE) for at in self._in_flight.values()]
            self._in_flight.clear()

    @property
    def result(self) -> Probed:
        """What has been seen so far: all of it after the ``with``."""
        with self._changed:
            samples = sorted(self._samples, key=lambda sample: sample.at)
        return Probed(_shown(self._url), self._began, tuple(samples))

    def _send(self) -> None:
        first = time.monotonic()
        for number in range(MOST_SAMPLES):
            if self._stop.wait(max(first + number / self._rate - time.monotonic(), 0.0)):
                return
            self._launch(number)

    def _launch(self, number: int) -> None:
        at = time.monotonic() - self._began
        with self._changed:
            if len(self._in_flight) >= MOST_IN_FLIGHT:
                self._samples.append(Sample(at, 0.0, 0, _NO_ROOM, sent=False))
                return
            self._in_flight[number] = at
        try:
            threading.Thread(target=self._ask, args=(number, at), daemon=True).start()
        except RuntimeError as error:  # the system has no more threads
            self._note(number, Sample(at, 0.0, 0, f"not sent: {error}", sent=False))

    def _ask(self, number: int, at: float) -> None:
        status, error = 0, ""
        try:
            status = self._get()
        except Exception as problem:  # noqa: BLE001 - whatever it is, it is what a caller would have seen
            error = _words(problem)
        self._note(number, Sample(at, time.monotonic() - self._began - at, status, error))

    def _note(self, number: int, sample: Sample) -> None:
        with self._changed:
            # What was given up has been counted already.
            if self._in_flight.pop(number, None) is not None:
                self._samples.append(sample)
                self._changed.notify_all()

    def _get(self) -> int:
        """The status of an answer that was read to its end, or to its first megabyte."""
        end = time.monotonic() + TIMEOUT_SECONDS
        with urllib3.connectionpool.connection_from_url(self._url.url, **self._tls) as pool:
            answer = pool.urlopen(
                "GET",
                self._url.request_uri,
                headers={"User-Agent": "homeport-probe", "Connection": "close"},
                timeout=urllib3.Timeout(total=TIMEOUT_SECONDS),
                retries=False,
                redirect=False,
                preload_content=False,
                decode_content=False,
            )
            try:
                read = 0
                while read < _MOST_BYTES and (part := answer.read(65536)):
                    read += len(part)
                    if time.monotonic() > end:
                        raise TimeoutError
            finally:
                answer.close()
            return answer.status


def check_url(url: str) -> None:
    """Raise UsageError, before anything is touched, for what can't be probed."""
    _parse(url)


def _parse(url: str) -> Url:
    hint = "Name an address of this stack, such as http://localhost:8080/health."
    # Said without the URL: what is wrong with it may be its password.
    if "@" in re.split("[/?#]", url.partition("://")[2])[0]:
        raise UsageError("The URL of --probe has a user or password in it.", hint=hint)
    try:
        found = parse_url(url)
    except LocationParseError as error:
        raise UsageError("--probe isn't a URL.", hint=hint) from error
    if found.scheme not in {"http", "https"} or not found.host or found.auth or any(map(str.isspace, url)):
        raise UsageError("--probe needs the URL of a web address, http or https.", hint=hint)
    return found._replace(fragment=None)


def _shown(url: Url) -> str:
    """A URL as reports may show it: a query may hold a key."""
    return f"{url._replace(query=None).url}{'?…' if url.query else ''}"


def _words(problem: BaseException) -> str:
    """What went wrong, as short as it can be said."""
    found: list[BaseException] = [problem]
    for one in found:  # grows while it is read: urllib3 keeps the reason in one of three places
        inner = (one.__cause__, getattr(one, "reason", None), *one.args)
        found += [more for more in inner if isinstance(more, BaseException) and more not in found]
    # First, for urllib3 calls whatever keeps it from connecting a timeout.
    system = [one.strerror for one in found if isinstance(one, OSError) and one.strerror]
    if system:
        return one_line(system[-1], 80)
    if any(isinstance(one, TimeoutError | urllib3.exceptions.TimeoutError) for one in found):
        return _LATE
    if any(isinstance(one, urllib3.exceptions.IncompleteRead) for one in found):
        return "the answer was cut short"
    if any(isinstance(one, ConnectionError) for one in found):
        return "closed without an answer"
    plain = str(problem) if not isinstance(problem, HTTPError) else type(problem).__name__
    return one_line(plain or type(problem).__name__, 80)


def switched_at(events: Iterable[Event]) -> float | None:
    """When the first service of a deploy was switched, in seconds since it began; None for never."""
    return min((event.at for event in events if event.what in {"switch", "front"}), default=None)


def summary(probed: Probed) -> str:
    """What a probe has seen, in a line: ``240 requests, none failed, the slowest answer took 0.3 s``."""
    failed, sent = len(probed.failed), len(probed.sent)
    missing = len(probed.samples) - sent
    parts = [
        plural(sent, "request"),
        f"{failed} failed" if failed else "none failed",
        f"{missing} could not be sent" if missing else "",
        f"the slowest answer took {seconds(probed.slowest)}" if sent > failed else "",
        "ended before the deploy did" if len(probed.samples) >= MOST_SAMPLES else "",
    ]
    return ", ".join(filter(None, parts))


def document(probed: Probed) -> dict[str, Any]:
    """What a probe has seen, as JSON data; times are seconds."""
    return {
        "url": probed.url,
        "requests": len(probed.sent),
        "failed": len(probed.failed),
        "not_sent": len(probed.samples) - len(probed.sent),
        "slowest": round(probed.slowest, 3),
        "errors": probed.errors,
    }
