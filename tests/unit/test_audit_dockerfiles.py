"""What else is found in Dockerfiles, and what isn't."""

from __future__ import annotations

import pytest

from homeport.audit import pins
from homeport.audit.dockerfiles import find
from homeport.audit.finding import (
    BASE_UNTAGGED,
    BUILD_TOOLS,
    COPY_TOO_EARLY,
    NO_HEALTH_CHECK,
    RUNS_AS_ROOT,
    SECRET,
    UNREADABLE,
)
from homeport.model.finding import Rule

DIGEST = "sha256:" + "a" * 64


def lines(text: str, rule: Rule) -> list[int]:
    return [one.line for one in find(text, "Dockerfile") if one.rule is rule]


@pytest.mark.parametrize(
    ("text", "untagged", "unpinned"),
    [
        ("FROM python\n", [1], [1]),
        ("FROM python:latest\n", [1], [1]),
        ("FROM host:5000/python\n", [1], [1]),
        ("FROM python:3.12\n", [], [1]),
        (f"FROM python:3.12@{DIGEST}\n", [], []),
        (f"FROM python@{DIGEST}\n", [], []),
        ("FROM scratch\n", [], []),
        ("ARG V=3.12\nFROM python:$V\n", [], [2]),
        ("ARG BASE\nFROM $BASE\n", [], []),
        ("FROM a:1 AS one\nFROM one\n", [], [1]),
    ],
)
def test_bases(text: str, untagged: list[int], unpinned: list[int]) -> None:
    assert lines(text, BASE_UNTAGGED) == untagged
    assert [one.line for one in pins.find(text, "Dockerfile", (), {})] == unpinned


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FROM a:1\nCOPY . .\nRUN pip install -r requirements.txt\n", [2]),
        ("FROM a:1\nCOPY . /app\nRUN npm ci\n", [2]),
        ("FROM a:1\nADD ./ /app/\nRUN uv sync\n", [2]),
        ("FROM a:1\nCOPY requirements.txt .\nRUN pip install -r requirements.txt\nCOPY . .\n", []),
        ("FROM a:1\nCOPY . .\nRUN pip install curl-cffi\n", []),
        ("FROM a:1\nCOPY . .\nRUN npm install -g serve\n", []),
        ("FROM a:1\nCOPY --from=b . .\nRUN npm ci\n", []),
        ("FROM a:1 AS one\nCOPY . .\nFROM a:1\nRUN npm ci\n", []),
        ("FROM a:1\nCOPY src src\nRUN npm ci\n", []),
    ],
)
def test_sources_before_dependencies(text: str, expected: list[int]) -> None:
    assert lines(text, COPY_TOO_EARLY) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FROM a:1\n", [1]),
        ("FROM a:1\nUSER app\n", []),
        ("FROM a:1\nUSER app\nRUN x\nUSER root\n", [4]),
        ("FROM a:1\nUSER 0:0\n", [2]),
        ("FROM a:1 AS one\nUSER app\nFROM one\n", []),
        ("FROM a:1 AS one\nUSER app\nFROM a:1\n", [3]),
        ("FROM scratch\n", []),
    ],
)
def test_root(text: str, expected: list[int]) -> None:
    assert lines(f'{text}CMD ["x"]\n', RUNS_AS_ROOT) == expected
    assert lines(text, RUNS_AS_ROOT) == [], "a base for others"


@pytest.mark.parametrize("program", ["su-exec", "gosu"])
def test_an_entrypoint_that_goes_on_as_another_user(program: str) -> None:
    text = f'FROM a:1\nRUN apk add {program}\nENTRYPOINT ["/start.sh"]\nCMD ["x"]\n'
    assert lines(text, RUNS_AS_ROOT) == []


def test_a_name_that_is_a_context_is_no_image() -> None:
    found = [one.rule for one in find("FROM base\n", "Dockerfile", contexts={"base"})]
    assert BASE_UNTAGGED not in found


def test_health() -> None:
    serves = "FROM a:1\nEXPOSE 80\n"
    assert lines(serves, NO_HEALTH_CHECK) == [1]
    assert lines(f"{serves}HEALTHCHECK CMD true\n", NO_HEALTH_CHECK) == []
    assert lines("FROM a:1\n", NO_HEALTH_CHECK) == []
    assert not [one for one in find(serves, "x", checked=True) if one.rule is NO_HEALTH_CHECK]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("ENV DB_PASSWORD=hunter2", True),
        ("ENV API_KEY hunter2", True),
        ("ARG GITHUB_TOKEN", True),
        ("ARG GITHUB_TOKEN=abc", True),
        ("ENV A=1 AWS_SECRET_ACCESS_KEY=abc", True),
        ("ENV DB_PASSWORD=", False),
        ("ENV DB_PASSWORD=$FROM_OUTSIDE", False),
        ("ENV DB_PASSWORD=changeme", False),
        ("ENV DB_PASSWORD_FILE=/run/secrets/db", False),
        ("ENV TOKEN_URL=https://example.org", False),
        ("ENV TOKENIZERS_PARALLELISM=false", False),
        ("ENV MAX_TOKENS=100", False),
        ("LABEL password=no", False),
    ],
)
def test_secrets_by_name_and_never_their_value(line: str, found: bool) -> None:
    own = [one for one in find(f"FROM a:1\n{line}\n", "Dockerfile") if one.rule is SECRET]
    assert bool(own) is found
    assert "hunter2" not in str(own)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FROM a:1\nRUN apt-get install -y gcc libpq-dev\n", [2]),
        ("FROM a:1\nRUN apk add --no-cache build-base\n", [2]),
        ("FROM a:1\nRUN apt-get install -y gcc && pip install x && apt-get purge -y gcc\n", []),
        ("FROM a:1\nRUN apk add --virtual .build gcc && make && apk del .build\n", []),
        ("FROM a:1 AS one\nRUN apt-get install -y gcc\nFROM a:1\nCOPY --from=one /x /x\n", []),
        ("FROM a:1 AS one\nRUN apt-get install -y gcc\nFROM one\n", [2]),
        ("FROM a:1\nRUN apt-get install -y curl\n", []),
    ],
)
def test_compilers(text: str, expected: list[int]) -> None:
    assert lines(text, BUILD_TOOLS) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing\n",
        "RUN\n",
        "ENV A\n",
        "FROM a\nRUN <<EOF\nno end\n",
        "FROM a:1\nFETCH b\n",
        "FROM\n",
        "FROM a:1 b\n",
        "FROM a:1\nRUN --mount=nothing pip install x\n",
    ],
)
def test_what_buildkit_rejects_is_one_finding(text: str) -> None:
    assert [one.rule for one in find(text, "Dockerfile")] == [UNREADABLE]


@pytest.mark.parametrize(
    "text",
    [
        "from a:1\nrun pip install x\n",
        "FROM a:1\nRUN pip \\\n\n  install \\\n# c\n  x",
        "FROM a:1\r\nRUN pip install x\r\n",
        "\ufeffFROM a:1\nRUN pip install x\n",
        "# escape=`\nFROM a:1\nRUN pip install `\n  x\n",
        "FROM a:1\nONBUILD RUN pip install x\n",
        "FROM a:1\nRUN 'unclosed pip install x\n",
        "FROM a:1\nWHATEVER pip install x\n",
        "FROM a:1\nRUN ${X} pip install x\n",
        "FROM a:1\nUSER ${U:-app}\nRUN pip install x\n",
        'FROM a:1\nSHELL ["pwsh"]\nRUN pip install --no-cache-dir x\n',
    ],
)
def test_odd_files_are_read_without_an_error(text: str) -> None:
    from homeport.audit.mend import mended

    mended(text, find(text, "Dockerfile"))


def test_a_secret_of_a_stage_that_is_left_behind_and_one_that_is_published() -> None:
    text = "FROM a AS b\nARG GITHUB_TOKEN\nARG VITE_API_KEY\nFROM c\nUSER x\n"
    (found,) = (one for one in find(text, "Dockerfile") if one.rule is SECRET)
    assert (
        found.what == "ARG GITHUB_TOKEN, in a stage that isn't shipped: build caches and attestations have it"
    )


def test_another_frontend_reads_what_it_likes() -> None:
    assert find("# syntax=example.com/other\nFETCH b\n", "Dockerfile") == []
    assert lines("# syntax=docker/dockerfile:1\nFETCH b\n", UNREADABLE) == [2]
