"""Stored logins: what docker's settings say, and who gets to see it."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import fake_registry as fake
from fake_registry import BASIC, SECRET, USER, FakeRegistry
from homeport.engine import credentials
from homeport.engine.credentials import Credentials, find, has_credentials
from homeport.engine.distribution import Distribution, Limits, RegistryProblem
from homeport.engine.process import Completed
from homeport.engine.registry_login import Challenge, challenge_in
from homeport.errors import ToolMissing, ToolTimeout

HUB = "registry-1.docker.io"
PAIR = base64.b64encode(f"{USER}:{SECRET}".encode()).decode()
Store = Callable[[object], None]


@pytest.fixture(autouse=True)
def store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Store:
    """Writes docker's settings."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))

    def write(config: object) -> None:
        (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")

    return write


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    with fake.fake_registry() as found:
        found.image("1")
        yield found


@pytest.fixture
def client() -> Iterator[Distribution]:
    with Distribution(Limits(connect=1, read=1, whole=3)) as found:
        yield found


def one(registry: FakeRegistry, name: str = "1") -> str:
    return f"{registry.address}/a/b:{name}"


def kind_of(ask: Callable[[], object]) -> str:
    with pytest.raises(RegistryProblem) as found:
        ask()
    assert SECRET not in str(found.value)
    return found.value.kind


def sent(registry: FakeRegistry) -> list[str]:
    return [headers.get("Authorization", "") for _, _, headers in registry.seen]


# -- docker's settings --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "config", "found"),
    [
        ("r.io", {"auths": {"r.io": {"auth": PAIR}}}, Credentials(USER, SECRET)),
        ("r.io", {"auths": {"https://r.io/v1/": {"auth": PAIR}}}, Credentials(USER, SECRET)),
        ("r.io", {"auths": {"r.io": {"username": USER, "password": SECRET}}}, Credentials(USER, SECRET)),
        ("r.io", {"auths": {"r.io": {"auth": "Og==", "identitytoken": "t"}}}, Credentials("", "t", True)),
        ("r.io:5000", {"auths": {"r.io": {"auth": PAIR}}}, None),
        (HUB, {"auths": {credentials.HUB_KEY: {"auth": PAIR}}}, Credentials(USER, SECRET)),
        ("r.io", {"auths": {"r.io": {"auth": "%%%"}}}, None),
        ("r.io", {"auths": {"r.io": {"auth": base64.b64encode(b"\xff\xfe").decode()}}}, None),
        ("r.io", {"auths": {"r.io": {}}}, None),
        ("r.io", {"auths": {"r.io": "text"}}, None),
        ("r.io", {"auths": [], "credHelpers": "x"}, None),
        ("r.io", [], None),
    ],
)
def test_what_stands_in_the_file(host: str, config: object, found: Credentials | None, store: Store) -> None:
    store(config)
    assert find(host) == found
    assert SECRET not in repr(find(host))


def test_helpers_win(monkeypatch: pytest.MonkeyPatch, store: Store) -> None:
    asked: list[tuple[str, str]] = []

    def run(argv: list[str], *, stdin: str, timeout: float) -> Completed:
        asked.append((" ".join(argv), stdin))
        user = "<token>" if "tokens" in argv[0] else USER
        return Completed(tuple(argv), 0, json.dumps({"Username": user, "Secret": SECRET}), "")

    monkeypatch.setattr(credentials, "run", run)
    store({"auths": {"r.io": {"auth": "Og=="}}, "credHelpers": {"r.io": "tokens"}, "credsStore": "all"})
    assert find("r.io") == Credentials("", SECRET, is_token=True)
    assert find(HUB) == Credentials(USER, SECRET)
    assert asked == [
        ("docker-credential-tokens get", "r.io"),
        ("docker-credential-all get", credentials.HUB_KEY),
    ]
    assert has_credentials("anything")


@pytest.mark.parametrize(
    "outcome",
    [
        ToolMissing("no such program"),
        ToolTimeout("no end"),
        OSError("exec format error"),
        Completed((), 1, "credentials not found in native keychain", ""),
        Completed((), 0, "no JSON", ""),
        Completed((), 0, "[]", ""),
        Completed((), 0, '{"Username": "", "Secret": ""}', ""),
    ],
)
def test_a_helper_that_fails_has_no_login(
    outcome: Exception | Completed, monkeypatch: pytest.MonkeyPatch, store: Store
) -> None:
    def run(argv: list[str], *, stdin: str, timeout: float) -> Completed:
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    monkeypatch.setattr(credentials, "run", run)
    store({"credsStore": "broken"})
    assert find("r.io") is None


@pytest.mark.parametrize("helper", ["../evil", "a/b", "a b", ["x"], 7])
def test_what_is_no_name_of_a_helper_is_never_started(helper: object, store: Store) -> None:
    store({"credsStore": helper})
    assert find("r.io") is None  # starting anything fails the test: see conftest.py


# -- logging in ---------------------------------------------------------------------------------------------


def test_challenges() -> None:
    bearer = 'Bearer realm="https://a/t?x=1",service="s \\"q\\"",scope="repository:a/b:pull,push"'
    both = f'Basic realm="x, y", {bearer}'
    assert challenge_in(both) == Challenge("bearer", "https://a/t?x=1", 's "q"', "repository:a/b:pull,push")
    assert challenge_in("basic") == Challenge("basic")
    assert challenge_in("BEARER realm=https://a/t") == Challenge("bearer", "https://a/t")
    for none in ("", "Negotiate abc==", "Bearer", 'Bearer realm="', ",,=", 'Digest realm="x"'):
        assert challenge_in(none) is None


def test_basic(registry: FakeRegistry, client: Distribution, store: Store) -> None:
    registry.auth = "basic"
    store({"auths": {registry.address: {"auth": PAIR}}})
    manifest = client.manifest(one(registry))
    assert client.complete(manifest)
    client.tag(manifest, one(registry, "2"))
    assert sent(registry)[0] == ""  # only who asks for a login gets it
    assert set(sent(registry)[1:]) == {BASIC}


@pytest.mark.parametrize("auth", ["basic", "bearer"])
def test_none_and_a_wrong_one(auth: str, registry: FakeRegistry, store: Store) -> None:
    registry.auth = auth
    with Distribution() as client:
        assert kind_of(lambda: client.digest(one(registry))) == "login"
    store({"auths": {registry.address: {"auth": base64.b64encode(b"me:other").decode()}}})
    with Distribution() as client:
        assert kind_of(lambda: client.digest(one(registry))) == "refused"


def test_tokens_are_kept_by_action(registry: FakeRegistry, client: Distribution, store: Store) -> None:
    registry.auth = "bearer"
    store({"auths": {registry.address: {"auth": PAIR}}})
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: client.digest(one(registry)), range(20)))
    assert registry.tokens == 1
    manifest = client.manifest(one(registry))
    assert client.complete(manifest)
    client.tag(manifest, one(registry, "2"))
    assert registry.tokens == 2
    scopes = [form["scope"] for form in registry.forms]
    assert scopes == [["repository:a/b:pull"], ["repository:a/b:pull,push"]]
    assert BASIC not in [
        to for (_, path, _), to in zip(registry.seen, sent(registry), strict=True) if "v2" in path
    ]


def test_a_token_that_expires_or_is_withdrawn(
    registry: FakeRegistry, client: Distribution, store: Store
) -> None:
    registry.auth, registry.expires_in = "bearer", 1e-9
    store({"auths": {registry.address: {"auth": PAIR}}})
    client.digest(one(registry))
    registry.expires_in = 300
    client.digest(one(registry))
    assert registry.tokens == 2
    registry.valid.clear()
    client.digest(one(registry))
    assert registry.tokens == 3


def test_an_identity_token_is_posted(registry: FakeRegistry, client: Distribution, store: Store) -> None:
    registry.auth = "bearer"
    store({"auths": {registry.address: {"auth": "Og==", "identitytoken": SECRET}}})
    assert client.digest(one(registry))
    assert registry.forms[0]["grant_type"] == ["refresh_token"]
    assert SECRET not in "".join(path for _, path, _ in registry.seen)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"<html>", "broken"),
        (b"{}", "broken"),
        (b'{"token": "a\\r\\nb"}', "broken"),
        (b'{"token": 1}', "broken"),
    ],
)
def test_a_token_server_that_lies(
    body: bytes, kind: str, registry: FakeRegistry, client: Distribution
) -> None:
    registry.auth, registry.realm = "bearer", f"http://{registry.address}/token?x=1"
    path = "GET /token?x=1&service=here&scope=repository%3Aa%2Fb%3Apull"
    registry.lies[path] = lambda to: to.answer(200, body)
    assert kind_of(lambda: client.digest(one(registry))) == kind
    registry.lies[path] = lambda to: to.answer(404)
    assert kind_of(lambda: client.digest(one(registry))) == "broken"
    registry.lies[path] = lambda to: to.answer(503)
    assert kind_of(lambda: client.digest(one(registry))) == "down"


@pytest.mark.parametrize(
    "realm",
    ["http://token.example.org/", "http://127.0.0.1:1@token.example.org/", "ftp://x/", "//x", "http://["],
)
def test_a_token_server_without_tls_gets_no_password(
    realm: str, registry: FakeRegistry, client: Distribution, store: Store
) -> None:
    registry.auth, registry.realm = "bearer", realm
    store({"auths": {registry.address: {"auth": PAIR}}})
    assert kind_of(lambda: client.digest(one(registry))) == "broken"
    assert not any(sent(registry))


# -- redirects ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("auth", ["basic", "bearer"])
def test_another_host_gets_no_login(
    auth: str, registry: FakeRegistry, client: Distribution, store: Store
) -> None:
    registry.auth = auth
    store({"auths": {registry.address: {"auth": PAIR}}})
    manifest = client.manifest(one(registry))
    with fake.fake_registry() as storage:
        storage.content = registry.content
        path = f"/v2/a/b/blobs/{manifest.document['config']['digest']}"
        registry.lies[f"GET {path}"] = lambda to: to.answer(307, Location=f"http://{storage.address}{path}")
        assert client.complete(manifest)
        assert client.config(manifest, "linux/amd64")
        assert storage.asked() == [path, path]
        assert sent(storage) == ["", ""]
        # Storage that asks for a login is no registry that may have one; nor is the way back one.
        storage.auth = "basic"
        assert kind_of(lambda: client.config(manifest, "linux/amd64")) == "refused"
        storage.auth = ""
        storage.lies[f"GET {path}"] = lambda to: to.answer(307, Location=f"http://{registry.address}/v2/back")
        assert kind_of(lambda: client.config(manifest, "linux/amd64")) == "refused"
        assert not any(sent(storage))
        assert sent(registry)[-1] == ""


def test_the_same_host_keeps_the_login(registry: FakeRegistry, client: Distribution, store: Store) -> None:
    registry.auth = "basic"
    store({"auths": {registry.address: {"auth": PAIR}}})
    client.digest(one(registry))
    registry.lies["HEAD /v2/a/b/manifests/old"] = lambda to: to.answer(301, Location="1")
    assert client.digest(one(registry, "old"))
