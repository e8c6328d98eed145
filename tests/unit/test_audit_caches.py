"""Which steps fetch packages without a cache, which have one that does nothing, and what mends it."""

from __future__ import annotations

import textwrap

import pytest

from homeport.audit import caches
from homeport.audit.dockerfiles import find
from homeport.audit.finding import CACHE_DEFEATED, CACHE_MISSING, SYSTEM_CACHE_MISSING
from homeport.audit.mend import Unproven, mended, prove
from homeport.audit.stages import places
from homeport.model.dockerfile import parse
from homeport.model.finding import Edit, Finding, Rule

PIP = "--mount=type=cache,target=/root/.cache/pip"
ABOUT_CACHES = {CACHE_MISSING, CACHE_DEFEATED, SYSTEM_CACHE_MISSING}


def about(text: str) -> list[Finding]:
    return [one for one in find(text, "Dockerfile") if one.rule in ABOUT_CACHES]


def after(text: str) -> str:
    """The file as it is mended; it then has nothing more that can be."""
    new = mended(text, find(text, "Dockerfile"))
    assert not [one for one in find(new, "Dockerfile") if one.fixable]
    return new


def run(words: str, before: str = "FROM python:3.12\n") -> str:
    return f"{before}RUN {words}\n"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("pip install -r requirements.txt", f"{PIP} pip install -r requirements.txt"),
        ("pip install --no-cache-dir x", f"{PIP} pip install x"),
        (f"{PIP} pip install --no-cache-dir x", f"{PIP} pip install x"),
        (f"{PIP} pip install x --no-cache-dir", f"{PIP} pip install x"),
        ("python3 -m pip install x", f"{PIP} python3 -m pip install x"),
        ("/venv/bin/pip3.12 install x", f"{PIP} /venv/bin/pip3.12 install x"),
        ("set -e; pip install --no-cache-dir x && echo ok", f"{PIP} set -e; pip install x && echo ok"),
        ("--network=host pip install x", f"{PIP} --network=host pip install x"),
        ("uv sync --frozen --no-cache", "--mount=type=cache,target=/root/.cache/uv uv sync --frozen"),
        ("uv pip install x", "--mount=type=cache,target=/root/.cache/uv uv pip install x"),
        ("npm ci", "--mount=type=cache,target=/root/.npm npm ci"),
        ("pnpm install", "--mount=type=cache,target=/root/.local/share/pnpm/store pnpm install"),
        (
            "poetry install --no-cache",
            "--mount=type=cache,target=/root/.cache/pypoetry/cache "
            "--mount=type=cache,target=/root/.cache/pypoetry/artifacts poetry install",
        ),
        ("pip --timeout 60 install x", f"{PIP} pip --timeout 60 install x"),
        ("npm --prefix app ci", "--mount=type=cache,target=/root/.npm npm --prefix app ci"),
        ("uv --directory a sync", "--mount=type=cache,target=/root/.cache/uv uv --directory a sync"),
        ("uv run --no-cache pytest -n 3", "--mount=type=cache,target=/root/.cache/uv uv run pytest -n 3"),
    ],
)
def test_what_is_mended(words: str, expected: str) -> None:
    assert after(run(words)) == run(expected)


@pytest.mark.parametrize(
    ("base", "words", "expected"),
    [
        (
            "golang:1.23",
            "go build ./...",
            "--mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build "
            "go build ./...",
        ),
        (
            "docker.io/library/rust:1",
            "cargo build --release",
            "--mount=type=cache,target=/usr/local/cargo/registry "
            "--mount=type=cache,target=/usr/local/cargo/git/db cargo build --release",
        ),
    ],
)
def test_folders_of_official_images(base: str, words: str, expected: str) -> None:
    assert after(run(words, f"FROM {base}\n")) == run(expected, f"FROM {base}\n")


@pytest.mark.parametrize(
    ("setting", "target"),
    [
        ("ENV PIP_CACHE_DIR=/c", "/c"),
        ("ENV XDG_CACHE_HOME=/x", "/x/pip"),
        ("ENV HOME=/home/me", "/home/me/.cache/pip"),
        ("ARG WHERE=/a\nENV PIP_CACHE_DIR=$WHERE/pip", "/a/pip"),
        ("USER 0", "/root/.cache/pip"),
    ],
)
def test_where_the_cache_is(setting: str, target: str) -> None:
    head = f"FROM python:3.12\n{setting}\n"
    expected = run(f"--mount=type=cache,target={target} pip install x", head)
    assert after(run("pip install x", head)) == expected
    assert about(expected) == []


def test_settings_of_the_stage_that_it_begins_with_count() -> None:
    text = "FROM a AS one\nENV PIP_CACHE_DIR=/c\nFROM one\nRUN pip install x\nFROM a\nRUN pip install x\n"
    assert after(text) == (
        "FROM a AS one\nENV PIP_CACHE_DIR=/c\nFROM one\nRUN --mount=type=cache,target=/c pip install x\n"
        f"FROM a\nRUN {PIP} pip install x\n"
    )


@pytest.mark.parametrize(
    ("before", "command", "expected"),
    [
        ("ENV PIP_NO_CACHE_DIR=1\n", "pip install x", "PIP_NO_CACHE_DIR= pip install x"),
        ("ENV PIP_NO_CACHE_DIR 1\n", "pip install x", "PIP_NO_CACHE_DIR= pip install x"),
        ("ENV PIP_NO_CACHE_DIR=off\n", "pip install x", "PIP_NO_CACHE_DIR= pip install x"),  # any is a yes
        ("ARG PIP_NO_CACHE_DIR=1\n", "pip install x", "PIP_NO_CACHE_DIR= pip install x"),
        ("ENV PIP_NO_CACHE_DIR=\n", "pip install x", "pip install x"),  # an empty one is none
        (
            "ENV PIP_NO_CACHE_DIR=1\n",
            "A=1 pip install x && pip install y",
            "A=1 PIP_NO_CACHE_DIR= pip install x && PIP_NO_CACHE_DIR= pip install y",
        ),
    ],
)
def test_variables_that_turn_it_off(before: str, command: str, expected: str) -> None:
    head = f"FROM python:3.12\n{before}RUN {PIP} "
    assert after(f"{head}{command}\n") == f"{head}{expected}\n"


def test_a_variable_that_uv_takes_for_a_no() -> None:
    uv = "--mount=type=cache,target=/root/.cache/uv"
    assert about(run(f"{uv} uv sync", "FROM a\nENV UV_NO_CACHE=false\n")) == []
    head = "FROM a\nENV UV_NO_CACHE=1\n"
    assert after(run(f"{uv} uv sync", head)) == run(f"{uv} UV_NO_CACHE=0 uv sync", head)


def test_a_variable_of_another_stage_is_none_of_this_one() -> None:
    text = f"FROM a AS a\nENV PIP_NO_CACHE_DIR=1\nFROM b\nRUN {PIP} pip install x\n"
    assert about(text) == []


def test_what_stands_around_stays_byte_for_byte() -> None:
    text = textwrap.dedent("""\
        # syntax=docker/dockerfile:1
        FROM python:3.12 AS build

        RUN date && \\
            # a comment within
            ls -l

        RUN --mount=type=cache,target=/root/.cache/pip   pip   install \\
            --no-cache-dir \\
            # why this one
            --user   "a b"   'c'  # the end
        """).replace("\n", "\r\n")
    assert after(text) == text.replace("    --no-cache-dir \\\r\n", "")


def test_in_a_here_document() -> None:
    text = "FROM python:3.12\nRUN <<EOF\nset -e\npip install --no-cache-dir x # y\necho --no-cache-dir\nEOF\n"
    expected = f"FROM python:3.12\nRUN {PIP} <<EOF\nset -e\npip install x # y\necho --no-cache-dir\nEOF\n"
    assert after(text) == expected


@pytest.mark.parametrize(
    "words",
    [
        f"{PIP} pip install x",
        "--mount=type=cache,id=a,target=/root/.cache pip install x",
        "--mount=type=cache,target=/c pip install --cache-dir=/c x",
        "--mount=type=cache,target=/c PIP_CACHE_DIR=/c pip install x",
        "--mount=type=cache,dst=/root/.cache/pip pip install x",
        "pip --version",
        "pip install --no-deps ./wheel.whl",
        "echo pip install x",
        "uv --version && uv venv",
        "npm run build",
        "go version",
        "apt-get update",
        "cargo --version",
        'printf "%s" "pip install --no-cache-dir"',
        "# pip install x",
        "true # pip install --no-cache-dir x",
    ],
)
def test_what_is_no_finding(words: str) -> None:
    assert about(run(words)) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (f"{PIP} PIP_NO_CACHE_DIR=1 pip install x", "PIP_NO_CACHE_DIR in the command"),
        (f"{PIP} export PIP_NO_CACHE_DIR=1 && pip install x", "PIP_NO_CACHE_DIR in the step"),
        (f"{PIP} pip install $(cat x) --no-cache-dir", "--no-cache-dir on the same line"),
        (f"{PIP} pip install x && rm -rf /root/.cache", "'rm -rf /root/.cache' in the same step"),
        (f"{PIP} pip install x && pip cache purge", "'pip cache purge' in the same step"),
        (
            "--mount=type=cache,target=/root/.npm npm ci && npm cache clean --force",
            "'npm cache clean --force'",
        ),
        (
            "--mount=type=cache,target=/var/cache/apt --mount=type=cache,target=/var/lib/apt/lists "
            "apt-get install x && rm -rf /var/lib/apt/lists/*",
            "'rm -rf /var/lib/apt/lists/*' in the same step",
        ),
        ("--mount=type=cache,target=/etc/apk/cache apk add --no-cache x", "--no-cache on the same line"),
    ],
)
def test_a_mount_that_does_nothing_and_needs_people(words: str, said: str) -> None:
    (found,) = about(run(words))
    assert found.rule is CACHE_DEFEATED
    assert said in found.what
    assert not found.fixable or "apk" in words or "lists" in words


def test_a_user_whose_cache_lies_elsewhere() -> None:
    (found,) = about(run(f"{PIP} pip install x", "FROM python:3.12\nUSER app\nENV HOME=/home/app\n"))
    assert found.rule is CACHE_DEFEATED
    assert "keeps its cache in /home/app/.cache/pip (the step runs as app)" in found.what
    (found,) = about(run("pip install x", "FROM python:3.12\nUSER app\n"))
    assert found.rule is CACHE_MISSING
    assert not found.fixable


APT = "--mount=type=cache,target=/var/cache/apt,sharing=locked"
KEPT = "-o Dir::Cache::Archives=/var/cache/apt/kept"
APK = "--mount=type=cache,target=/etc/apk/cache,sharing=locked"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (
            "apt-get update && apt-get install -y curl && rm -rf /var/lib/apt/lists/*",
            f"{APT} apt-get update && apt-get {KEPT} install -y curl && rm -rf /var/lib/apt/lists/*",
        ),
        (
            "DEBIAN_FRONTEND=noninteractive apt-get -y install a && apt-get clean && apt-get upgrade",
            f"{APT} DEBIAN_FRONTEND=noninteractive apt-get {KEPT} -y install a && apt-get clean && "
            f"apt-get {KEPT} upgrade",
        ),
        ("sudo apt install x", f"{APT} sudo apt {KEPT} -o APT::Keep-Downloaded-Packages=true install x"),
        (
            "rm -f /etc/apt/apt.conf.d/docker-clean; apt-get install x",
            f"{APT} rm -f /etc/apt/apt.conf.d/docker-clean; apt-get install x",
        ),
        ("apt-get -t backports install x", f"{APT} apt-get {KEPT} -t backports install x"),
        ("env A=/opt/apt apt-get install x", f"{APT} env A=/opt/apt apt-get {KEPT} install x"),
        ("--mount=type=cache,target=/var/lib/apt/lists apt-get install x", None),
        (f"{APT} apt-get install x", f"{APT} apt-get {KEPT} install x"),
        (f"{APT} apt-get update -q", f"{APT} apt-get update -q"),
        ("apk add --no-cache curl", f"{APK} apk add --update-cache curl"),
        ("apk -X url --no-cache add a", f"{APK} apk -X url --update-cache add a"),
        ("apk update && apk add b", f"{APK} apk update && apk add b"),
        (f"{APK} apk add --no-cache x", f"{APK} apk add --update-cache x"),
    ],
)
def test_system_packages(words: str, expected: str | None) -> None:
    if expected is None:
        expected = f"{APT} {words.replace('apt-get', f'apt-get {KEPT}')}"
    assert after(run(words)) == run(expected)


def test_system_packages_without_a_mount_are_a_note() -> None:
    for words in ("apt-get update && apt-get install -y curl", "apk add --no-cache curl"):
        (found,) = about(run(words))
        assert found.rule is SYSTEM_CACHE_MISSING


@pytest.mark.parametrize(
    ("words", "rule"),
    [
        ("apt-get install x && rm -rf /var/cache/apt/*", SYSTEM_CACHE_MISSING),
        (f"{APT} apt-get install x && rm -rf /var/cache/*", CACHE_DEFEATED),
        (f"{APT} rm /etc/apt/apt.conf.d/docker-clean; apt-get install x; apt-get clean", CACHE_DEFEATED),
        ("apk add --no-cache x && rm -rf /etc/apk/cache", SYSTEM_CACHE_MISSING),
        ("apk --no-cache add a && apk add b", SYSTEM_CACHE_MISSING),  # with a cache b has no index
        ("apt-get install -y -d x", SYSTEM_CACHE_MISSING),
        ("apt-get install x && cp /var/cache/apt/archives/*.deb /d", SYSTEM_CACHE_MISSING),
        ("--mount=type=cache,target=/var/cache/apt/archives apt-get install x", CACHE_DEFEATED),
    ],
)
def test_what_empties_the_cache_of_the_system_is_left_to_people(words: str, rule: Rule) -> None:
    (found,) = about(run(words))
    assert found.rule is rule
    assert not found.fixable


def test_docker_clean_is_known_of_official_images_only_and_where_it_was_removed() -> None:
    assert about(run(f"{APT} apt-get install x", "FROM registry.example/base:1\n")) == []
    before = "FROM debian:12 AS a\nRUN rm -f /etc/apt/apt.conf.d/docker-clean\nFROM a\n"
    assert about(run(f"{APT} apt-get install x", before)) == []
    assert about(run(f"{APT} apt-get -o Dir::Cache::Archives=/var/cache/apt/a install x")) == []


PIP_OF = "--mount=type=cache,target=/home/app/.cache/pip,uid="


@pytest.mark.parametrize(
    ("head", "uid"),
    [
        ("RUN useradd -m -u 1001 app\nUSER app\n", "1001"),
        ("RUN groupadd -g 7 g && useradd -mu 1001 -g 7 -s /bin/sh app\nUSER app:g\n", "1001"),
        ("RUN useradd --create-home --uid=1001 app\nUSER app\n", "1001"),
        ("RUN adduser --disabled-password --gecos '' --uid 1001 app\nUSER app\n", "1001"),
        ("RUN adduser -D -u 1001 app\nUSER app\n", "1001"),
        ("RUN useradd -u 1001 app\nENV HOME=/home/app\nUSER app\n", "1001"),
        ("ENV HOME=/home/app\nUSER 7:7\n", "7"),
        ("RUN useradd -m -u 1001 app\nFROM scratch AS other\nFROM 0\nUSER app\n", ""),
        ("RUN useradd -m app\nUSER app\n", ""),  # whatever number is free
        ("RUN useradd -u 1001 app\nUSER app\n", ""),  # it has no home
        ("RUN useradd -m -b /srv -u 1001 app\nUSER app\n", ""),
        ("RUN useradd -m -u 1001 app\nRUN usermod -u 7 app\nUSER app\n", ""),
        ("RUN useradd -m -u 1001 other\nUSER app\n", ""),
        ("RUN adduser -S -u 1001 app\nUSER app\n", ""),
        ("RUN adduser app staff\nUSER app\n", ""),
        ("RUN useradd -m -u $UID app\nUSER app\n", ""),
        ("USER $WHO\n", ""),
    ],
)
def test_the_cache_of_a_user(head: str, uid: str) -> None:
    before = f"FROM python:3.12\n{head}"
    (found,) = about(run("pip install x", before))
    assert found.rule is CACHE_MISSING
    assert found.fixable == bool(uid)
    if uid:
        assert after(run("pip install x", before)) == run(f"{PIP_OF}{uid} pip install x", before)


def test_folders_above_a_mount_are_root_s() -> None:
    before = "FROM python:3.12\nRUN useradd -m -u 1001 app\nUSER app\n"
    for words in ("pip install x && mkdir ~/.cache/other", "cargo build", "pnpm install"):
        (found,) = about(run(words, before))
        assert not found.fixable
        assert "would be root's in this step" in found.fix
    # The home is there already, and the user's.
    assert after(run("npm ci && npm run build", before)) == run(
        "--mount=type=cache,target=/home/app/.npm,uid=1001 npm ci && npm run build", before
    )


@pytest.mark.parametrize(
    "step",
    [
        "pip install x && rm -rf ~/.cache",
        "pip install x && rm -rf $HOME/.cache/*",
        "pip install x && /bin/rm -rf /root/.cac*",
        "pip install x && rm -rf $SOMETHING",
        "pip install x && cd /root/.cache && rm -rf pip",
        "pip install x && find /root -delete",
        "pip3 install x && pip3 cache purge",
        "pip install x && cp -r ${HOME}/.cache/pip /saved",
        "PIP_CACHE_DIR=/c pip install x; tar cf /t $PIP_CACHE_DIR",
        "--mount=type=bind,source=c,target=/root/.cache/pip,from=x pip install x && npm ci && false",
        "pip install x\nRUN cp -r /root/.cache/pip /saved",
        "pip install x\nFROM b\nCOPY --from=0 /root/.cache /root/.cache",
        "pip install x\nFROM b\nCOPY --from=0 /root /root",
        "pip install x\nWORKDIR /root/.cache/pip/x",
        "pip install x\nRUN --network=none make",
        "pip install --no-index x",
        "pnpm fetch\nRUN pnpm install --offline",
        "cargo fetch\nRUN cargo build --frozen",
        'go mod download\nCMD ["go", "run", "."]',
        "go build && cp -r $(go env GOMODCACHE) /m",
        "poetry install && rm -rf $POETRY_CACHE_DIR",
    ],
)
def test_what_may_be_needed_or_emptied_is_left_to_people(step: str) -> None:
    head = "FROM python:3.12\nENV POETRY_CACHE_DIR=/p\n"
    found = about(run(step, head))
    assert not [one for one in found if one.fixable and one.about in step.split()[0]]
    assert mended(run(step, head), [one for one in found if one.about == "pip"]) == run(step, head)


def test_where_something_else_is_mounted_nothing_is_missing() -> None:
    for kind in ("bind,source=c", "tmpfs"):
        assert about(run(f"--mount=type={kind},target=/root/.cache pip install x")) == []


@pytest.mark.parametrize(
    "words",
    [
        "cat > /setup.sh <<'EOF'\napt-get install -y x\npip install --no-cache-dir x\nEOF\n",
        "<<EOF\n#!/usr/bin/env python3\npip install x\nEOF\n",
        "<<EOF\ncat > /x <<INNER\npip install x\nINNER\nEOF\n",
        "<<A cat <<B\npip install x\nA\npip install y\nB\n",
    ],
)
def test_the_input_of_a_command_is_no_command(words: str) -> None:
    assert about(f"FROM python:3.12\nRUN {words}") == []


def test_other_shells_are_not_read() -> None:
    assert about('FROM a\nSHELL ["python3", "-c"]\nRUN pip install x\n') == []
    assert about("# escape=`\nFROM servercore\nRUN pip install x\n") == []
    assert about('FROM a\nSHELL ["/bin/bash", "-o", "pipefail", "-c"]\nRUN pip install x\n') != []


@pytest.mark.parametrize(
    "setting", ["ENV PIP_CACHE_DIR=.cache", 'ENV PIP_CACHE_DIR="/my cache"', "ENV PIP_CACHE_DIR='$X/c'"]
)
def test_a_folder_that_can_not_stand_in_a_mount(setting: str) -> None:
    (found,) = about(run("pip install x", f"FROM a\n{setting}\n"))
    assert not found.fixable


def test_what_one_libc_compiles_does_not_come_to_the_other() -> None:
    head = "FROM python:3.12-alpine\n"
    flag = "--mount=type=cache,id=musl:/root/.cache/pip,target=/root/.cache/pip"
    assert after(run("pip install x", head)) == run(f"{flag} pip install x", head)


def test_a_mount_that_lies_where_another_user_has_the_cache_is_moved() -> None:
    before = "FROM python:3.12\nRUN useradd -m -u 1001 app\nUSER app\n"
    flag = "--mount=type=cache,id=x,target=/root/.cache/pip,sharing=locked"
    expected = "--mount=type=cache,id=x,target=/home/app/.cache/pip,uid=1001,sharing=locked"
    text = after(run(f"--network=host {flag} pip install --no-cache-dir x", before))
    assert text == run(f"--network=host {expected} pip install x", before)
    for odd in (
        "--mount=type=cache,target=/root/.cache/pip,uid=5",
        "--mount=type=cache,target=/root/.cache/pip/",
        '--mount=type=cache,"target=/root/.cache/pip"',
    ):
        new = mended(text := run(f"{odd} pip install x", before), find(text, "Dockerfile"))
        assert new in {text, text.replace("/root/.cache/pip/", "/home/app/.cache/pip,uid=1001")}


def test_users_of_official_images() -> None:
    head = "FROM docker.io/library/node:22-slim\nUSER node\n"
    assert after(run("npm ci", head)) == run(
        "--mount=type=cache,target=/home/node/.npm,uid=1000 npm ci", head
    )


def test_the_json_form_is_left_alone() -> None:
    assert about('FROM a\nRUN ["pip", "install", "x"]\n') == []


def test_each_program_once_a_step_and_both_if_there_are_two() -> None:
    found = about(run("pip install a && pip install b && npm ci"))
    assert [one.about for one in found] == ["pip", "npm"]
    text = after(run("pip install --no-cache-dir a && pip install --no-cache-dir b && npm ci"))
    assert text == run(f"{PIP} --mount=type=cache,target=/root/.npm pip install a && pip install b && npm ci")


@pytest.mark.parametrize(
    "new",
    [
        "FROM a\nRUN pip install y\n",  # another word
        "FROM a\nRUN pip install\n",  # one word less
        "FROM a\n",  # an instruction less
        "FROM a\nRUN pip install x\nRUN true\n",  # one more
        "FROM a\nRUN --network=host pip install x\n",  # a flag that is no cache
        f"FROM a\nRUN {PIP} pip install x\n",  # a mount that nobody planned
        "FROM b\nRUN pip install x\n",
        "FROM a\nENV A=1\nRUN pip install x\n",
        "RUN",
    ],
)
def test_the_proof_stops_whatever_was_not_planned(new: str) -> None:
    with pytest.raises(Unproven):
        prove("FROM a\nRUN pip install x\n", new, [])


def test_the_proof_stops_an_edit_at_the_wrong_place() -> None:
    text = "FROM a\nRUN pip install --no-cache-dir x\n"
    wrong = Finding(CACHE_MISSING, "x", 2, "", "", (Edit(text.index("install"), text.index("install") + 8),))
    with pytest.raises(Unproven):
        mended(text, [wrong])
    with pytest.raises(Unproven, match="what would change is 1 words that go; planned is nothing"):
        prove(text, text.replace(" --no-cache-dir", ""), [])


def test_no_other_instruction_may_go_or_change() -> None:
    with pytest.raises(Unproven):
        prove("FROM a\nENV A=1 PIP_NO_CACHE_DIR=1\n", "FROM a\n", [Edit(7, 37)])
    with pytest.raises(Unproven):
        prove("FROM a\nENV A=1 PIP_NO_CACHE_DIR=1\n", "FROM a\nENV A=1\n", [Edit(14, 34)])


def test_find_reads_what_places_say() -> None:
    text = run("pip install x")
    assert [one.rule for one in caches.find(text, "p", places(parse(text))[1])] == [CACHE_MISSING]


LISTS = "--mount=type=cache,target=/var/cache/apt --mount=type=cache,target=/var/lib/apt"


@pytest.mark.parametrize(
    ("behind", "left"),
    [
        (" && rm -rf /var/lib/apt/lists/*", ""),
        (" \\\n    && rm -rf /var/lib/apt/lists/* && \\\n    useradd me", " && \\\n    useradd me"),
        (" && rm -rf /var/lib/apt/lists/* /var/lib/apt/periodic && true", " && true"),
        (" && \\\n  rm -r /var/lib/apt/lists", ""),
    ],
)
def test_what_only_empties_a_mount_of_its_step_goes(behind: str, left: str) -> None:
    before = run(f"{LISTS} apt-get update && apt-get install -y x{behind}")
    assert after(before) == run(f"{LISTS} apt-get update && apt-get {KEPT} install -y x{left}")


@pytest.mark.parametrize(
    "behind",
    [
        "; rm -rf /var/lib/apt/lists/*",
        " || rm -rf /var/lib/apt/lists/*",
        " && rm -rf /var/lib/apt/lists/* || true",
        " && rm -rf /var/lib/apt/lists/* > /log",
        " && rm -rf /var/lib/apt/lists/* /srv",
        " && rm -rf /var/lib/apt/../dpkg /var/lib/apt/lists",
        " && rm -rf /var/lib/apt/lists/$X /var/lib/apt/lists/*",
        " && sudo rm -rf /var/lib/apt/lists/* && rm -rf /var/lib/apt/lists \\\n  # why\n  && true",
    ],
)
def test_what_empties_more_or_is_joined_otherwise_is_left_to_people(behind: str) -> None:
    (found,) = about(run(f"{LISTS} apt-get update && apt-get install -y x{behind}"))
    assert found.rule is CACHE_DEFEATED
    assert not found.fixable


def test_a_mount_by_a_variable_is_left_to_people() -> None:
    mounts = "--mount=type=cache,target=/var/cache/apt --mount=type=cache,target=$LIB"
    head = "FROM python:3.12\nENV LIB=/var/lib/apt\n"
    (found,) = about(run(f"{mounts} apt-get install -y x && rm -rf /var/lib/apt/lists/*", head))
    assert found.rule is CACHE_DEFEATED
    assert not found.fixable


def test_the_proof_lets_no_other_command_go() -> None:
    old = run(f"{LISTS} apt-get install -y x && rm -rf /var/lib/apt/lists/* && rm -rf /srv")
    cut = old.index(" && rm -rf /srv")
    with pytest.raises(Unproven):
        prove(old, old[:cut] + "\n", [Edit(cut, len(old) - 1)])
    cut, end = old.index(" && rm"), old.index(" && rm -rf /srv")
    prove(old, old[:cut] + old[end:], [Edit(cut, end)])
