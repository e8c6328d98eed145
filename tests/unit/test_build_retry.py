from __future__ import annotations

import pytest

from homeport.build.retry import backoff, transient_class


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("failed to solve: x: read tcp 1.2.3.4:443: read: connection reset by peer", "connection"),
        ("failed to do request: Head: dial tcp 1.2.3.4:443: i/o timeout", "timeout"),
        ("net/http: TLS handshake timeout", "timeout"),
        ("dial tcp: lookup r.io: Temporary failure in name resolution", "name-resolution"),
        ("unexpected status from HEAD request: 429 Too Many Requests", "registry-overloaded"),
        ("unexpected status: 503 Service Unavailable", "registry-overloaded"),
        ("failed to receive status: rpc error: code = Unknown desc = no such job abc", "engine-busy"),
        (
            "failed to commit 8tts to 1vmh during finalize: failed to stat active key during commit: "
            "snapshot 8tts does not exist: not found",
            "image-store",
        ),
        ("rpc error: code = Unavailable desc = error reading from server", "engine-busy"),
        ("failed to prepare extraction snapshot x: parent snapshot sha256:1 does not exist", "image-store"),
        ('failed to solve: image "docker.io/library/x:latest": already exists', "image-store"),
        # What comes again however often one tries:
        (
            'process "sh -c curl x: connection reset by peer" did not complete successfully: exit code: 7',
            "",
        ),
        ("failed to read dockerfile: open Dockerfile: no such file or directory", ""),
        ("pull access denied, repository does not exist", ""),
        ("dial tcp: lookup registry-1.docker.io on 10.0.0.1:53: no such host", ""),
        ("no space left on device", ""),
        ("", ""),
    ],
)
def test_classes(message: str, expected: str) -> None:
    assert transient_class(message) == expected


def test_waiting_grows_and_has_an_end() -> None:
    waits = [backoff(attempt) for attempt in range(1, 9)]
    assert waits == sorted(waits)
    assert waits[-1] <= 30
