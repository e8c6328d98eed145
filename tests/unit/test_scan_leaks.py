"""Secrets that images tell of themselves: the names are found, the values are shown nowhere."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import pytest

from homeport.engine import api, history, process
from homeport.engine.history import Told
from homeport.engine.process import Completed
from homeport.errors import EnvironmentProblem
from homeport.model.vulnerability import SECRET, Level
from homeport.scan import leaks

VALUE = "hunter2hunter2"


def found(*steps: str, variables: Sequence[str] = ()) -> dict[str, str]:
    """By name where it was found, in one word."""
    told = leaks.find(Told(tuple(variables), steps))
    assert all((one.id, one.level, one.fixable) == (SECRET, Level.HIGH, True) for one in told)
    assert VALUE not in repr(told)
    words = {"a variable": "settings", "set by": "ENV", "a build": "ARG", "written in": "RUN"}
    return {
        one.package: next(word for start, word in words.items() if f"{one.package} is {start}" in one.title)
        for one in told
    }


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (f"ENV DB_PASSWORD={VALUE}", {"DB_PASSWORD": "ENV"}),
        (f'ENV A=1 API_KEY="{VALUE}" B=2', {"API_KEY": "ENV"}),
        (f"/bin/sh -c #(nop)  ENV DB_PASSWORD={VALUE}", {"DB_PASSWORD": "ENV"}),
        (f"ARG NPM_TOKEN={VALUE}", {"NPM_TOKEN": "ARG"}),
        (f"RUN |2 A=1 NPM_TOKEN={VALUE} /bin/sh -c npm ci # buildkit", {"NPM_TOKEN": "ARG"}),
        (f"|1 NPM_TOKEN={VALUE} /bin/sh -c npm ci", {"NPM_TOKEN": "ARG"}),
        (f"RUN /bin/sh -c export TOKEN={VALUE} && ./get # buildkit", {"TOKEN": "RUN"}),
        (f"RUN |1 A=b /bin/sh -c TOKEN={VALUE} ./get", {"TOKEN": "RUN"}),
        (f"ENV DATABASE_URL=postgres://me:{VALUE}@db/x", {"DATABASE_URL": "ENV"}),
        (f"RUN |1 INDEX_URL=https://me:{VALUE}@pypi.example/ /bin/sh -c pip i x", {"INDEX_URL": "ARG"}),
    ],
)
def test_what_is_one(step: str, expected: dict[str, str]) -> None:
    assert found(step) == expected


@pytest.mark.parametrize(
    "step",
    [
        "",
        "ENV PATH=/usr/bin GPG_KEY=A035C8C19219BA821ECEA86B64E628F8D684696D",
        "ENV DB_PASSWORD=",
        "ENV DB_PASSWORD_FILE=/run/secrets/db",
        "ENV DB_PASSWORD=/run/secrets/db",
        "ENV DB_PASSWORD=changeme",
        "ENV DATABASE_URL=postgres://db/x",
        "ENV DATABASE_URL=postgres://me:$PASSWORD@db/x",
        "ARG NPM_TOKEN",
        "RUN |1 NPM_TOKEN= /bin/sh -c npm ci",
        'RUN /bin/sh -c TOKEN="$(cat /run/secrets/token)" ./get',
        "RUN /bin/sh -c TOKEN=$T ./get",
        "RUN --mount=type=secret,id=TOKEN ./get",
        "COPY file:abc in /",
    ],
)
def test_what_is_none(step: str) -> None:
    assert found(step) == {}


def test_each_name_once_where_it_is_easiest_to_read() -> None:
    steps = (f"ENV DB_PASSWORD={VALUE}", f"ARG TOKEN={VALUE}", f"RUN |1 TOKEN={VALUE} /bin/sh -c x")
    assert found(*steps, variables=[f"DB_PASSWORD={VALUE}", "PATH=/bin"]) == {
        "DB_PASSWORD": "settings",
        "TOKEN": "ARG",
    }


# -- what the engine says of an image -----------------------------------------------------------------------

SETTINGS = {"Id": "sha256:1", "Config": {"Env": ["A=1", f"TOKEN={VALUE}"]}}
STEPS = [{"CreatedBy": f"ENV TOKEN={VALUE}"}, {"CreatedBy": ""}, {"Id": "<missing>"}]


def test_values_are_in_no_representation() -> None:
    told = history.parse(SETTINGS, STEPS)
    assert told.variables == ("A=1", f"TOKEN={VALUE}")
    assert told.steps == (f"ENV TOKEN={VALUE}", "", "")
    assert VALUE not in repr(told)
    assert history.parse({"Config": None}, []) == Told((), ())


@pytest.mark.parametrize("direct", [True, False])
def test_asked_directly_or_by_the_command(direct: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def get_all(paths: Iterable[str]) -> list[tuple[int, Any]]:
        if not direct:
            raise api.NoDirectWay
        asked.extend(paths)
        return [(200, SETTINGS), (200, STEPS)]

    def run(argv: Sequence[str], **_: Any) -> Completed:
        asked.append(" ".join(argv[:3]))
        inspected = json.dumps([SETTINGS])
        listed = "\n".join(map(json.dumps, STEPS))
        return Completed(tuple(argv), 0, inspected if argv[2] == "inspect" else listed, "")

    monkeypatch.setattr(api, "get_all", get_all)
    monkeypatch.setattr(process, "run", run)
    assert history.read(["sha256:1"]) == {"sha256:1": history.parse(SETTINGS, STEPS)}
    expected = ["/images/sha256:1/json", "/images/sha256:1/history"]
    assert asked == (expected if direct else ["docker image inspect", "docker image history"])


@pytest.mark.parametrize("printed", ["", "[]", "no json"])
def test_an_engine_that_can_not_say_it_is_an_error(printed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def get_all(paths: Iterable[str]) -> list[tuple[int, Any]]:
        raise api.NoDirectWay

    monkeypatch.setattr(api, "get_all", get_all)
    monkeypatch.setattr(process, "run", lambda argv, **_: Completed(argv, 1, printed, "no such image\n"))
    with pytest.raises(EnvironmentProblem, match="can't say how sha256:1 was made") as caught:
        history.read(["sha256:1"])
    assert caught.value.cause == "no such image"


@pytest.mark.parametrize("documents", [(None, []), ({}, [3]), ({"Config": 3}, [])])
def test_other_documents_are_an_error(documents: tuple[Any, Any]) -> None:
    with pytest.raises(EnvironmentProblem, match="can't be read"):
        history.parse(*documents)
