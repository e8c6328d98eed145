"""What builds are sent of their contexts, and what of it is in vain or secret."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from build_contexts import CERTIFICATE, KEY, NODE, build, changed, index, of, one, put, say, seen, write
from homeport.audit.contexts import Build, find, review
from homeport.audit.finding import CONTEXT_HEAVY, CONTEXT_NO_IGNORE, CONTEXT_SECRET

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="links and names of POSIX")


# How much is sent


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FROM a:1\nCOPY . .\n", {"total": 600, "files": 6}),
        ("FROM a:1\nCOPY a .\n", {"total": 200, "files": 2}),
        ("FROM a:1\nADD a/x b /to/\n", {"total": 200, "files": 2}),
        ("FROM a:1\nCOPY a a/x .\n", {"total": 200, "files": 2}),
        ("FROM a:1\nCOPY */x .\n", {"total": 200, "files": 2}),
        ("FROM a:1\nRUN --mount=type=bind,source=a,target=/a true\n", {"total": 200, "files": 2}),
        ("FROM a:1\nRUN --mount=type=bind,target=/a true\n", {"total": 600, "files": 6}),
        ("FROM a:1 AS x\nCOPY . .\nFROM a:1\nCOPY b .\n", {"total": 100, "files": 1}),
        ("FROM a:1 AS x\nCOPY a .\nFROM a:1\nCOPY --from=x a a\nCOPY b .\n", {"total": 300, "files": 3}),
        ("ARG D=a\nFROM a:1\nARG D\nCOPY $D .\n", {"total": 200, "files": 2}),
        ("FROM a:1\nCOPY --parents c/*/y .\n", {"total": 100, "files": 1}),
    ],
)
def test_what_is_sent(tmp_path: Path, text: str, expected: dict[str, int]) -> None:
    put(tmp_path / "in", "a/x", "a/y", "b", "c/x", "c/d/y", "d/e/f")
    ((_, sent),) = one(tmp_path, build(tmp_path, text, folder="in")).sent
    assert {"total": sent.total_bytes, "files": sent.files} == expected
    assert sent.after_bytes == sent.total_bytes
    assert not sent.unknown


def test_arguments_target_and_named_contexts_count(tmp_path: Path) -> None:
    put(tmp_path / "in", "a/x", "b/y")
    text = "FROM a:1 AS one\nARG D=a\nCOPY $D .\nCOPY --from=other . .\nFROM a:1\nCOPY . .\n"
    contexts = frozenset({"other"})
    made = build(tmp_path, text, folder="in", arguments={"D": "b/y"}, target="one", contexts=contexts)
    ((_, sent),) = one(tmp_path, made).sent
    assert (sent.total_bytes, sent.files) == (100, 1)


@pytest.mark.parametrize("text", ["FROM a:1\nRUN true\n", "FROM a:1\nCOPY --from=x . .\n", "COPY . .\n", ""])
def test_nothing_asked_for_is_nothing_sent(tmp_path: Path, text: str) -> None:
    put(tmp_path, "node_modules/x", ".env")
    assert find([build(tmp_path, text)], tmp_path) == []


def test_a_context_that_is_no_folder_is_skipped(tmp_path: Path) -> None:
    put(tmp_path, "file")
    assert find([build(tmp_path, folder="nothing"), build(tmp_path, folder="file")], tmp_path) == []


def test_a_dockerfile_that_is_not_there_is_a_problem(tmp_path: Path) -> None:
    found = review([Build(tmp_path, tmp_path / "Dockerfile", "Dockerfile")], tmp_path)
    assert (found.reviews, len(found.problems)) == ((), 1)


def test_a_wrong_ignore_file_is_a_problem(tmp_path: Path) -> None:
    say(tmp_path, ".dockerignore", "[\n")
    found = review([build(tmp_path)], tmp_path)
    assert (found.reviews, len(found.problems)) == ((), 1)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (
            "# syntax=example.com/other\nFROM a:1\nCOPY b .\n",
            "its frontend example.com/other may read anything",
        ),
        ("FROM a:1\nCOPY $PLACE .\n", "a variable of its base image may be in a path"),
        ("FROM a:1\nADD $PLACE .\n", "ADD of what only its base image can tell (line 2)"),
    ],
)
def test_what_cannot_be_known_is_everything_and_never_edited(tmp_path: Path, text: str, why: str) -> None:
    put(tmp_path / "in", "b", "__pycache__/x.pyc", size=1000)
    say(tmp_path / "in", ".env", "PASSWORD=hunter2\n")
    found = one(tmp_path, build(tmp_path, text, folder="in"))
    ((_, sent),) = found.sent
    assert (sent.total_bytes, sent.unknown, sent.after_bytes) == (2017, why, 2017)
    (finding,) = found.findings
    assert finding.rule is CONTEXT_HEAVY, "that a secret is taken isn't certain"
    assert "at most 2.0 kB" in finding.what
    assert why in finding.fix
    assert not finding.fixable
    assert found.change(found.findings) is None


@pytest.mark.parametrize("syntax", ["docker/dockerfile:1", "docker.io/docker/dockerfile:1.7-labs"])
def test_the_usual_frontends_are_known(tmp_path: Path, syntax: str) -> None:
    put(tmp_path, "b")
    ((_, sent),) = one(tmp_path, build(tmp_path, f"# syntax={syntax}\nFROM a:1\nCOPY b .\n")).sent
    assert (sent.total_bytes, sent.unknown) == (100, "")


# What is heavy


def test_the_heavy_is_named_with_sizes(tmp_path: Path) -> None:
    put(tmp_path, "package.json", "src/index.js")
    put(tmp_path, "node_modules/a/index.js", size=5_000_000)
    put(tmp_path, ".git/HEAD", ".git/objects/pack", size=1_000_000)
    found = one(tmp_path, build(tmp_path, NODE))
    (finding,) = [each for each in found.findings if each.rule is CONTEXT_HEAVY]
    assert (finding.path, finding.line) == ("Dockerfile", 0)
    assert finding.what.startswith(
        "7.0 MB of 7.0 MB that are sent are in vain: node_modules (5.0 MB), .git (2.0 MB); 2"
    )
    assert finding.fix == "Leave them out in .dockerignore."
    ((_, sent),) = found.sent
    assert sent.worst == (("node_modules", 5_000_000), (".git", 2_000_000))
    assert sent.total_bytes - sent.after_bytes == 7_000_000


@pytest.mark.parametrize(
    "names",
    [
        [".git/HEAD", ".git/objects/x"],
        ["node_modules/a.js"],
        ["web/node_modules/a.js"],
        [".venv/lib/x.py"],
        ["venv/pyvenv.cfg", "venv/lib/x.py"],
        ["env/pyvenv.cfg", "env/lib/x.py"],
        ["a/b/__pycache__/x.cpython-312.pyc"],
        ["x.py", "x.pyc"],
        [".pytest_cache/x"],
        [".mypy_cache/x"],
        [".ruff_cache/x"],
        [".tox/x"],
        ["Cargo.toml", "target/debug/x"],
        ["rust/Cargo.toml", "rust/target/CACHEDIR.TAG"],
        [".next/BUILD_ID"],
        ["coverage/lcov.info", "coverage/x"],
        ["htmlcov/index.html"],
        ["infra/.terraform/providers/x"],
    ],
)
def test_what_tools_leave_behind(tmp_path: Path, names: list[str]) -> None:
    put(tmp_path, "keep.txt", *names)
    made = build(tmp_path)
    before = seen(tmp_path)
    found = one(tmp_path, made)
    (finding,) = [each for each in found.findings if each.rule is CONTEXT_HEAVY]
    assert finding.fixable, finding.fix
    write(changed(found))
    gone = before - seen(tmp_path)
    assert gone <= set(names)
    assert {"Cargo.toml", "rust/Cargo.toml", "x.py"} & gone == set()
    assert of(CONTEXT_HEAVY, tmp_path, made) == [], "once is enough"


@pytest.mark.parametrize(
    "names",
    [
        ["build/main.c"],
        ["dist/app.js"],
        ["package.json", "dist/app.js"],
        ["target/x.txt"],
        ["Cargo.toml", "target/x.rs"],
        ["coverage/__init__.py"],
        ["venv/main.py"],
        ["env/production.yml"],
        ["__pycache__/x.py"],
        ["only.pyc"],
        ["app.log"],
        [".git"],
        [".github/x.yml", ".gitignore"],
        ["logs/readme"],
    ],
)
def test_what_may_be_source_is_left_alone(tmp_path: Path, names: list[str]) -> None:
    put(tmp_path, *names)
    (tmp_path / ".tox").mkdir()  # empty: nothing is heavy
    assert of(CONTEXT_HEAVY, tmp_path, build(tmp_path)) == []


@pytest.mark.parametrize(
    "text",
    [
        "FROM a:1\nCOPY node_modules /app/node_modules\nCOPY src .\n",
        "FROM a:1\nCOPY . .\nCOPY node_modules /app/node_modules\n",
        "FROM a:1\nCOPY . .\nCOPY ./node_modules/ /app/node_modules\n",
        "FROM a:1\nCOPY . .\nCOPY node_modules/x.js /app/\n",
        "FROM a:1\nCOPY . .\nCOPY node_mod*/x.js /app/\n",
        "FROM a:1\nCOPY . .\nRUN --mount=type=bind,source=node_modules,target=/m true\n",
        "FROM a:1\nCOPY . .\nCOPY link /app/\n",
        "FROM a:1\nCOPY src .\n",
        "FROM node:22\nCOPY . .\nCMD node src/x.js\n",
        "FROM node:22\nCOPY . .\nRUN npm install -g serve\n",
        "FROM python:3.12\nCOPY . .\nRUN python manage.py collectstatic\n",
    ],
)
def test_what_is_meant_is_no_finding(tmp_path: Path, text: str) -> None:
    put(tmp_path, "node_modules/x.js", "node_modules/y.js", "src/x.js")
    (tmp_path / "link").symlink_to("node_modules")
    assert of(CONTEXT_HEAVY, tmp_path, build(tmp_path, text)) == []


@pytest.mark.parametrize(
    "text",
    [
        "FROM a:1\nCOPY * /app/\n",
        "FROM a:1\nCOPY ./ /app/\n",
        "FROM a:1\nCOPY */x.js /app/\n",
        "FROM a:1\nCOPY --parents **/x.js /app/\n",
        "FROM a:1\nRUN --mount=type=bind,target=/s true\n",
        "FROM node:22\nCOPY . .\nRUN yarn\n",
        "FROM node:22\nCOPY . .\nRUN corepack enable && pnpm install --frozen-lockfile\n",
        "FROM node:22\nCOPY . .\nRUN <<EOF\nnpm ci\nEOF\n",
        'FROM node:22 AS a\nCOPY package.json .\nRUN ["npm", "ci"]\nFROM a\nCOPY . .\n',
    ],
)
def test_a_wildcard_alone_means_nothing(tmp_path: Path, text: str) -> None:
    put(tmp_path, "node_modules/x.js", "src/x.js", "package.json")
    (found,) = of(CONTEXT_HEAVY, tmp_path, build(tmp_path, text))
    assert "node_modules (100 B)" in found.what


def test_what_git_keeps_is_source(tmp_path: Path) -> None:
    put(tmp_path, "node_modules/x.js", "web/node_modules/x.js", ".next/x", "a.log", "b.log", size=200_000)
    index(tmp_path, "node_modules/x.js", ".next/x", "a.log")
    (found,) = of(CONTEXT_HEAVY, tmp_path, build(tmp_path))
    assert "b.log (200.0 kB), web/node_modules (200.0 kB), .git" in found.what
    assert "a.log" not in found.what
    assert ".next" not in found.what


@pytest.mark.parametrize(
    ("ignored", "text", "expected"),
    [
        ("dist/\n", "RUN npm ci && npm run build", True),
        ("/dist\n", "RUN npm ci && npm run build", True),
        ("dist/\n!dist/keep\n", "RUN npm ci && npm run build", False),
        ("dist/\n", "RUN npm ci", False),
        ("other/\n", "RUN npm ci && npm run build", False),
    ],
)
def test_results_of_builds_only_where_it_is_clear(
    tmp_path: Path, ignored: str, text: str, *, expected: bool
) -> None:
    put(tmp_path, "package.json", "dist/app.js")
    say(tmp_path, ".gitignore", ignored)
    made = build(tmp_path, f"FROM node:22\nCOPY . .\n{text}\n")
    assert bool(of(CONTEXT_HEAVY, tmp_path, made)) is expected


@pytest.mark.parametrize(
    ("text", "more"),
    [
        ("FROM a:1\nCOPY . .\nRUN git describe > version\n", {}),
        ("FROM a:1\nCOPY . .\nRUN make V=$(git -C /app rev-parse HEAD)\n", {}),
        ("FROM a:1\nCOPY . .\nRUN --mount=type=bind,source=.git,target=.git make\n", {}),
        ("FROM a:1\nCOPY . .\nRUN go build -buildvcs=true\n", {}),
        ("FROM a:1\nCOPY . .\nRUN pip install .\n", {"pyproject.toml": 'requires = ["setuptools_scm"]\n'}),
        ("FROM a:1\nCOPY . .\nRUN make\n", {"Makefile": "V=$(shell git describe --tags)\n"}),
        ("FROM a:1\nCOPY . .\nRUN ./ci/build.sh\n", {"ci/build.sh": "git rev-parse HEAD\n"}),
        ("FROM a:1\nCOPY . .\nRUN npm run build\n", {"vite.config.ts": "execSync('git rev-parse HEAD')\n"}),
        ("FROM a:1\nCOPY . .\nRUN npx semantic-release\n", {}),
    ],
)
def test_a_build_that_asks_git_gets_it(tmp_path: Path, text: str, more: dict[str, str]) -> None:
    put(tmp_path, ".git/HEAD", ".git/objects/x")
    for name, content in more.items():
        say(tmp_path, name, content)
    found = one(tmp_path, build(tmp_path, text))
    assert [each.rule for each in found.findings] == [CONTEXT_NO_IGNORE]
    change = found.change(found.findings)
    assert change is None or b".git\n" not in change.new


def test_git_elsewhere_is_no_reason(tmp_path: Path) -> None:
    put(tmp_path, ".git/HEAD", ".git/objects/x")
    say(tmp_path, "Makefile", "V=$(shell git describe)\n")
    say(tmp_path, "release.sh", "git describe\n")
    made = build(tmp_path, "FROM a:1\nRUN apk add git && git clone https://x/y\nCOPY . .\n")
    assert len(of(CONTEXT_HEAVY, tmp_path, made)) == 1


def test_logs_and_dumps(tmp_path: Path) -> None:
    put(tmp_path / "in", "short.log", "tests/sample.log", size=1000)
    put(tmp_path / "in", "long.log", size=200_000)
    for name in ("dump.sql", "model.bin", "small.tar.gz"):
        put(tmp_path / "in", name)
    for name in ("dump.sql", "model.bin"):
        os.truncate(tmp_path / "in" / name, 20_000_000)
    found = one(tmp_path, build(tmp_path, folder="in"))
    first, second = [each for each in found.findings if each.rule is CONTEXT_HEAVY]
    assert "long.log (200.0 kB);" in first.what
    assert "dump.sql (20.0 MB) of 40.2 MB that are sent" in second.what
    assert first.fixable
    assert not second.fixable, "whether it's needed only people know"
    assert len({(each.rule, each.path, each.line, each.about) for each in found.findings}) == 3


# Secrets


SECRETS = {
    ".env": "PORT=80\nDB_PASSWORD=hunter2\n",
    "api/.env.production": "export DATABASE_URL='postgres://app:hunter2@db/app'\n",
    ".env.local": "TOKEN=hunter2\n",
    "tls/server.key": KEY,
    "tls/both.pem": CERTIFICATE + KEY,
    "id_rsa": "hunter2",
    ".ssh/id_ed25519": "hunter2",
    ".npmrc": "//registry.example/:_authToken=hunter2\n",
    ".pypirc": "[pypi]\npassword = hunter2\n",
    ".netrc": "machine x login y password hunter2\n",
    "home/.aws/credentials": "[default]\naws_secret_access_key = hunter2\n",
    ".docker/config.json": '{"auths": {"x": {"auth": "aHVudGVyMg=="}}}',
    "vault.kdbx": "hunter2",
    "service-account.json": '{"type": "service_account", "key": "-----BEGIN PRIVATE KEY-----\\nhunter2"}',
}
NO_SECRETS = {
    ".env": "PORT=80\nDB_PASSWORD=\nNEXT=1\nMAX_TOKENS=4096\n",
    ".env.example": "DB_PASSWORD=hunter2\n",
    ".env.sample": "DB_PASSWORD=hunter2\n",
    ".env.template": "DB_PASSWORD=hunter2\n",
    ".env.dist": "DB_PASSWORD=hunter2\n",
    ".env.production": "VITE_API_KEY=abcdefg\nREACT_APP_TOKEN=abc\nSECRET=${SECRET}\nPASSWORD=changeme\n",
    ".env.test": "API_KEY=your-key-here\nSORT_KEY=created\nAUTH_URL=https://login/x\n",
    ".env.dev": "AUTH_DOMAIN=tenant-1234.example.auth0.com\nKEY_ID=AbCdEf1234567890AbCdEf\nTOKEN_URL=https://x/y\n",
    ".envrc": "export PASSWORD=hunter2\n",
    "tests/ca.pem": CERTIFICATE,
    "public.key": "-----BEGIN PUBLIC KEY-----\n",
    "id_rsa.pub": "ssh-rsa AAAA",
    "node_modules/x/test/server.key": KEY,
    "vendor/x/server.key": KEY,
    ".npmrc": "registry=https://x/\n//x/:_authToken=${NPM_TOKEN}\n",
    "config.json": '{"auth": "aHVudGVyMg=="}',
    "credentials": "aws_secret_access_key = hunter2\n",
    "credentials.json": '{"type": "example"}',
}


@pytest.mark.parametrize("name", SECRETS)
def test_secrets(tmp_path: Path, name: str) -> None:
    put(tmp_path, "keep.txt")
    say(tmp_path, name, SECRETS[name])
    made = build(tmp_path)
    before = seen(tmp_path)
    found = one(tmp_path, made)
    (finding,) = [each for each in found.findings if each.rule is CONTEXT_SECRET]
    assert finding.what.startswith(f"{name} (")
    assert "hunter2" not in repr(found)
    if name in {".npmrc", ".pypirc", ".netrc"}:
        assert not finding.fixable, "a step may fail without it"
        assert "type=secret" in finding.fix
        return
    change = changed(found, CONTEXT_SECRET)
    assert b"hunter2" not in change.new
    write(change)
    assert before - seen(tmp_path) == {name}
    assert of(CONTEXT_SECRET, tmp_path, made) == []


@pytest.mark.parametrize("name", NO_SECRETS)
def test_no_secrets(tmp_path: Path, name: str) -> None:
    say(tmp_path, name, NO_SECRETS[name])
    assert of(CONTEXT_SECRET, tmp_path, build(tmp_path)) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("COPY . .", True),
        ("COPY .env .", True),
        ("COPY .e* .", True),
        ("COPY src .", False),
        ("RUN --mount=type=bind,target=/x true", False),
        ("RUN --mount=type=bind,source=.env,target=/x true", False),
        ("COPY --exclude=.env . .", False),
        ("COPY --exclude=**/.env . .", False),
        ("COPY --exclude=*.md . .", True),
        ("COPY --exclude=$X . .", False),
        ("COPY --exclude=.env . .\nCOPY . /again", True),
    ],
)
def test_only_what_is_really_taken(tmp_path: Path, text: str, *, expected: bool) -> None:
    put(tmp_path, "src/x")
    say(tmp_path, ".env", SECRETS[".env"])
    assert bool(of(CONTEXT_SECRET, tmp_path, build(tmp_path, f"FROM a:1\n{text}\n"))) is expected


@pytest.mark.parametrize(
    "text", ["COPY .env /app/", "COPY . .\nRUN . ./.env && make", "COPY . .\nCMD run --env .env"]
)
def test_a_secret_that_is_called_by_name_is_left_to_people(tmp_path: Path, text: str) -> None:
    say(tmp_path, ".env", SECRETS[".env"])
    found = one(tmp_path, build(tmp_path, f"FROM a:1\n{text}\n"))
    (finding,) = [each for each in found.findings if each.rule is CONTEXT_SECRET]
    assert not finding.fixable


def test_a_longer_word_is_no_name(tmp_path: Path) -> None:
    say(tmp_path, ".env", SECRETS[".env"])
    found = one(
        tmp_path, build(tmp_path, "FROM a:1\nCOPY . .\nRUN x process.environment .env.example my.env\n")
    )
    assert b"\n.env\n" in changed(found, CONTEXT_SECRET).new


def test_an_archive_that_a_step_unpacks_is_meant(tmp_path: Path) -> None:
    put(tmp_path, "data.tar.gz")
    os.truncate(tmp_path / "data.tar.gz", 20_000_000)
    assert (
        of(CONTEXT_HEAVY, tmp_path, build(tmp_path, "FROM a:1\nCOPY . .\nRUN tar xf ./data.tar.gz\n")) == []
    )


def test_an_ignored_secret_is_none(tmp_path: Path) -> None:
    say(tmp_path, ".env", SECRETS[".env"])
    say(tmp_path, ".dockerignore", ".env\n")
    assert find([build(tmp_path)], tmp_path) == []


def test_a_link_to_a_secret_is_not_followed(tmp_path: Path) -> None:
    say(tmp_path, "elsewhere/key", KEY)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "server.key").symlink_to("../elsewhere/key")
    assert of(CONTEXT_SECRET, tmp_path, build(tmp_path, folder="in")) == []
