"""BuildKit's progress stream, with objects as a real buildx 0.29 wrote them."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from homeport.model.solve import Solve, Stream, failure_of, source_position

TAIL = """Dockerfile:3
--------------------
   1 |     FROM base
   3 | >>> RUN make
--------------------
ERROR: failed to solve: process "/bin/sh -c make" did not complete successfully: exit code: 2
"""


def vertex(digest: str, name: str, **more: Any) -> dict[str, Any]:
    return {"vertexes": [{"digest": digest, "name": name, **more}]}


def log(digest: str, data: bytes) -> dict[str, Any]:
    return {"logs": [{"vertex": digest, "stream": 1, "data": base64.b64encode(data).decode()}]}


START, END = "2026-01-01T00:00:01.5Z", "2026-01-01T00:00:03.25Z"


def test_steps_are_counted_by_how_they_were_answered() -> None:
    solve = Solve()
    solve.feed(vertex("i", "[internal] load build definition from Dockerfile", started=START, completed=END))
    solve.feed(vertex("f", "[1/3] FROM x", started=START, completed=END))
    solve.feed(vertex("a", "[2/3] COPY . .", started=START, completed=END, cached=True))
    solve.feed(vertex("b", "[builder 3/3] RUN y", started=START))
    assert (solve.cached, solve.executed, solve.current) == (1, 0, "[builder 3/3] RUN y")
    solve.feed(vertex("b", "[builder 3/3] RUN y", started=START, completed=END))
    assert (solve.cached, solve.executed, solve.current) == (1, 1, "")
    step = solve.steps["b"]
    assert step.stage == "builder"
    assert step.completed is not None
    assert step.started is not None
    assert step.completed - step.started == pytest.approx(1.75)


@pytest.mark.parametrize(
    ("name", "stage"),
    [
        ("[2/3] RUN y", ""),
        ("[api builder 2/3] RUN y", "builder"),
        ("[linux/amd64 build 1/2] COPY z z", "build"),
    ],
)
def test_stage_names(name: str, stage: str) -> None:
    solve = Solve()
    solve.feed(vertex("a", name, started=START))
    assert solve.steps["a"].stage == stage
    assert solve.steps["a"].is_instruction


def test_steps_of_linked_targets_do_not_count() -> None:
    solve = Solve("api")
    solve.feed(vertex("a", "[api 2/2] RUN x", started=START, completed=END))
    for name in ("[api 2/2] RUN z", "[base 2/2] RUN z", "[api 2/2] RUN z"):
        solve.feed(vertex("b", name, started=START, completed=END, cached=True))
    solve.feed(vertex("c", "[base internal] load build context"))
    solve.feed({"statuses": [{"id": "transferring context:", "vertex": "c", "current": 10}]})
    assert (solve.cached, solve.executed, solve.context_bytes) == (0, 1, 0)


def test_context_bytes_are_what_was_sent_once() -> None:
    solve = Solve()
    solve.feed(vertex("c", "[internal] load build context"))
    for current in (10, 500, 500):
        solve.feed({"statuses": [{"id": "transferring context:", "vertex": "c", "current": current}]})
    solve.feed(vertex("d", "[internal] load build definition from Dockerfile"))
    solve.feed({"statuses": [{"id": "transferring dockerfile:", "vertex": "d", "current": 99}]})
    assert solve.context_bytes == 500


def test_log_lines_are_joined_over_chunks_and_never_fail_on_bytes() -> None:
    solve = Solve()
    solve.feed(vertex("a", "[1/1] RUN x", started=START))
    assert [line for _, line in solve.feed(log("a", b"one\r\ntw"))] == ["one"]
    assert [line for _, line in solve.feed(log("a", b"o\n\xff\xfe!\nrest"))] == ["two", "\ufffd\ufffd!"]
    assert solve.steps["a"].last_lines() == ["one", "two", "\ufffd\ufffd!", "rest"]


def test_failure_names_stage_line_and_log() -> None:
    solve = Solve()
    solve.feed(vertex("o", "[other 1/1] RUN z", started=START, error="context canceled"))
    solve.feed(vertex("a", "[builder 2/2] RUN make", started=START, completed=END, error="exit code: 2"))
    solve.feed(log("a", b"cc: no\n\n"))
    failure = failure_of(solve, TAIL)
    assert (failure.stage, failure.dockerfile, failure.line) == ("builder", "Dockerfile", 3)
    assert failure.log == ("cc: no",)
    assert failure.message.startswith("failed to solve: process")


def test_failure_without_a_step_or_a_word() -> None:
    assert failure_of(Solve(), "").message == "the build ended without a message"
    assert failure_of(Solve(), "ERROR: unable to prepare context\n").message == "unable to prepare context"


def test_no_position_without_an_excerpt() -> None:
    assert source_position("something:3\nmore") == ("", 0)


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"vertexes": None},
        {"logs": [{"vertex": "?", "data": "!"}]},
        {"statuses": [{"vertex": "?"}]},
        {"warnings": [{}]},
    ],
)
def test_odd_messages_do_no_harm(message: dict[str, Any]) -> None:
    Solve().feed(message)


def test_several_targets_in_one_stream_are_told_apart() -> None:
    stream = Stream(["api", "web"])
    stream.feed(vertex("a", "[api stage-0 2/2] RUN x", started=START, completed=END))
    stream.feed(vertex("w", "[web 2/2] RUN x", started=START, error="exit code: 1"))
    stream.feed(vertex("e", "[api] exporting to image", started=START, completed=END))
    api, web = stream.solves["api"], stream.solves["web"]
    assert (api.executed, api.exported, api.failed) == (1, 1, None)
    assert (web.executed, web.exported) == (0, 0)
    assert web.failed is not None
    assert web.failed.name == "[2/2] RUN x"


def test_a_step_that_targets_share_is_told_once_to_each() -> None:
    stream = Stream(["api", "web"])
    for name in ("api", "web"):
        stream.feed(vertex("s", f"[{name} 1/2] COPY common", started=START, completed=END, cached=True))
    line = {"vertex": "s", "timestamp": "t1", "data": base64.b64encode(b"hello\n").decode()}
    told = [stream.feed({"logs": [line]}), stream.feed({"logs": [line]})]
    assert [(name, text) for name, _, text in told[0]] == [("api", "hello"), ("web", "hello")]
    assert told[1] == []
    assert [solve.cached for solve in stream.solves.values()] == [1, 1]


def test_a_cache_that_is_not_there_has_failed_nothing() -> None:
    solve = Solve()
    solve.feed(vertex("c", "importing cache manifest from r/cache:a", started=START, error="not found"))
    solve.feed(vertex("a", "[1/1] RUN x", started=START, error="exit code: 1"))
    assert solve.failed is solve.steps["a"]


def test_the_digest_of_an_index_counts_more_than_its_manifests() -> None:
    solve = Solve()
    solve.feed(vertex("e", "exporting to image", started=START))
    for kind, digit in (
        ("manifest", "1"),
        ("config", "2"),
        ("attestation manifest", "3"),
        ("manifest list", "4"),
    ):
        solve.feed({"statuses": [{"id": f"exporting {kind} sha256:{digit * 64}", "vertex": "e"}]})
    assert solve.digest == f"sha256:{'4' * 64}"


def test_what_was_only_cancelled_has_not_failed() -> None:
    solve = Solve()
    solve.feed(vertex("a", "[1/1] RUN x", started=START, error="context canceled: context canceled"))
    solve.feed(vertex("e", "exporting to image", started=START, error="Canceled: grpc"))
    assert solve.failed is None
    assert solve.exported == 0
