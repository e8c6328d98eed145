"""The oracle's tables for the definition's other keys, and for the environment of a build."""

from __future__ import annotations

import json
from typing import Any

from mutations import (
    ALWAYS,
    CHANGED,
    SAME,
    Case,
    all_of,
    asked,
    docker_settings,
    dockerfile,
    nothing,
    option,
    program,
    rebuilt,
    same,
    tag,
    without,
    write,
)

_RUN = "FROM BASE\nRUN echo NONCE > /out\n"
_BY_PLATFORM = """\
FROM scratch AS amd64
COPY a.txt /
FROM scratch AS arm64
COPY b.txt /
FROM $TARGETARCH
CMD ["x"]
"""
_SOME = "0" * 63
_EVEN_IF_NOT = "all options count that may change what a step does"

OPTIONS = (
    same("option-tags", option("tags", ["MINE-b"]), spec={"tags": ["MINE-a"]}),
    same("option-cache-from", option("cache-from", [{"type": "local", "src": "CASE/nowhere"}])),
    same("option-cache-to", option("cache-to", [{"type": "local", "dest": "CASE/cache"}])),
    rebuilt("option-cache-to-the-image-itself", option("cache-to", [{"type": "inline"}])),
    rebuilt("option-cache-to-the-image-itself-by-argument", option("args", {"BUILDKIT_INLINE_CACHE": "1"})),
    same("option-description", option("description", "what it is for")),
    rebuilt("option-label-added", option("labels", {"a": "1"})),
    rebuilt("option-label-changed", option("labels", {"a": "2"}), spec={"labels": {"a": "1"}}),
    rebuilt("option-label-removed", option("labels", {}), spec={"labels": {"a": "1"}}),
    rebuilt("option-label-empty", option("labels", {"a": ""}), spec={"labels": {"a": "1"}}),
    rebuilt("option-network-none", option("network", "none"), _RUN),
    rebuilt("option-network-host", option("network", "host"), _RUN),
    same("option-network-none-without-a-run", option("network", "none"), false_build=_EVEN_IF_NOT),
    same("option-extra-hosts", option("extra-hosts", {"there": "10.0.0.2"}),
         "FROM BASE\nRUN cat /etc/hosts > /out\n",
         spec={"extra-hosts": {"there": "10.0.0.1"}},
         false_build="BuildKit's cache leaves them out, but what a step finds there may well show"),
    rebuilt("option-shm-size", option("shm-size", "128m"), _RUN, spec={"shm-size": "64m"}),
    rebuilt("option-ulimits", option("ulimits", ["nofile=1000:1000"]), _RUN,
            spec={"ulimits": ["nofile=2000:2000"]}),
    same("option-platform-spelled-out", option("platforms", ["THIS-PLATFORM"])),
    rebuilt("option-platform-another", option("platforms", ["linux/arm64"]), "FROM scratch\nCOPY a.txt /\n",
            spec={"platforms": ["linux/amd64"]}),
    rebuilt("option-platform-added", option("platforms", ["linux/amd64", "linux/arm64"]),
            "FROM scratch\nCOPY a.txt /\n", spec={"platforms": ["linux/amd64"]}),
    rebuilt("option-platform-variant", option("platforms", ["linux/arm/v7"]), "FROM scratch\nCOPY a.txt /\n",
            spec={"platforms": ["linux/arm/v6"]}),
    rebuilt("option-platforms-file", write("a.txt", "2"), "FROM scratch\nCOPY a.txt /\n",
            spec={"platforms": ["linux/amd64", "linux/arm64"]}),
    rebuilt("option-platform-chooses-a-stage", write("b.txt", "2"),
            _BY_PLATFORM,
            spec={"platforms": ["linux/amd64", "linux/arm64"]}),
    same("option-platform-does-not-choose-a-stage", write("b.txt", "2"),
         _BY_PLATFORM,
         spec={"platforms": ["linux/amd64"]}),
    rebuilt("option-no-cache", option("no-cache", True), _RUN, homeport=ALWAYS),
    rebuilt("option-no-cache-filter", option("no-cache-filter", ["app"]),
            "FROM BASE AS app\nRUN echo NONCE > /out\n", homeport=ALWAYS),
    asked("option-pull", option("pull", True), ALWAYS),
    asked("option-call", option("call", "check"), ALWAYS),
    rebuilt("option-annotations", option("annotations", ["org.example.a=2"]),
            spec={"annotations": ["org.example.a=1"]}),
    rebuilt("option-provenance", option("attest", [{"type": "provenance", "mode": "min"}])),
    asked("option-sbom", option("attest", [{"type": "sbom"}]), CHANGED),
    same("option-entitlements", option("entitlements", ["network.host"]), false_build=_EVEN_IF_NOT),
    asked("output-folder", option("output", [{"type": "local", "dest": "out"}]), ALWAYS),
    asked("output-archive", option("output", [{"type": "tar", "dest": "out.tar"}]), ALWAYS),
    asked("output-nowhere", option("output", [{"type": "cacheonly"}]), SAME),
    asked("output-first-of-two",
          option("output", ["type=image,compression=zstd", "type=image,oci-mediatypes=true"]),
          CHANGED, spec={"output": ["type=image,compression=gzip", "type=image,oci-mediatypes=true"]}),
    rebuilt("output-media-types", option("output", ["type=image,oci-mediatypes=true"])),
    rebuilt("output-compression", option("output", ["type=image,compression=zstd,force-compression=true"])),
    rebuilt("output-rewritten-times", option("output", ["type=image,rewrite-timestamp=true"]),
            spec={"args": {"SOURCE_DATE_EPOCH": "1700000001"}}),
    same("output-name", option("output", ["type=image,name=MINE-b"]), homeport=ALWAYS,
         false_build="an output that names its image has to be done, whatever the image is"),
    same("secret-without-effect-on-a-copy", write("b.txt", "2"),
         spec={"secret": [{"id": "x", "src": "CASE/b.txt"}]}),
    asked("add-url", dockerfile("COPY a.txt", "ADD https://example.org/a"), ALWAYS),
    asked("add-url-in-an-unreachable-stage",
          dockerfile("FROM", "FROM BASE AS u\nADD https://example.org/a /\nFROM"),
          SAME),
    asked("add-url-checksum", dockerfile("1 https", "2 https"), CHANGED,
          f"FROM BASE\nADD --checksum=sha256:{_SOME}1 https://example.org/a /\n"),
    asked("add-git", dockerfile("COPY a.txt", "ADD https://example.org/a.git#main"), ALWAYS),
    asked("add-git-commit", dockerfile("1 /", "2 /"), CHANGED,
          f"FROM BASE\nADD https://example.org/a.git#{'0' * 39}1 /\n"),
    asked("context-remote", option("context", "https://example.org/a.git"), ALWAYS),
    same("variable-of-the-definition", all_of(option("args", {"X": "1"}), without("args")), _RUN),
)  # fmt: skip


def _with(before: dict[str, str], after: dict[str, str]) -> dict[str, Any]:
    return {"environment": (before, after)}


_EPOCH = _with({"SOURCE_DATE_EPOCH": "1700000001"}, {"SOURCE_DATE_EPOCH": "1700000002"})
_VARIABLE = _with({"ORACLE": "one"}, {"ORACLE": "two"})
_ARGUMENT = "FROM BASE\nARG X\nARG ORACLE\nRUN echo $X $ORACLE NONCE > /out\n"
_CONVERTED = "docker-image://docker.io/library/MINE-base:latest"
_RULE = {
    "action": "CONVERT",
    "selector": {"identifier": _CONVERTED},
    "updates": {"identifier": "docker-image://docker.io/library/TO"},
}
_POLICY = json.dumps({"version": 1, "rules": [_RULE]})
_GIT = _with({"BUILDX_GIT_LABELS": "1"}, {"BUILDX_GIT_LABELS": "1"})
_COMMIT = ("git", "commit", "--quiet", "--allow-empty", "--message")
_REPOSITORY = (program("git", "init", "--quiet"), program(*_COMMIT, "one"))
_PROXY = _with({"HTTP_PROXY": "http://127.0.0.1:1"}, {"HTTP_PROXY": "http://127.0.0.1:2"})
_PLATFORM = _with({}, {"DOCKER_DEFAULT_PLATFORM": "linux/arm64"})

ENVIRONMENT = (
    rebuilt("environment-source-date-epoch", nothing, **_EPOCH),
    rebuilt("environment-source-date-epoch-used", nothing,
            "FROM BASE\nARG SOURCE_DATE_EPOCH\nRUN echo $SOURCE_DATE_EPOCH NONCE > /out\n", **_EPOCH),
    same("environment-source-date-epoch-overridden", nothing,
         spec={"args": {"SOURCE_DATE_EPOCH": "1700000003"}}, **_EPOCH,
         false_build="the variable counts even where the definition overrides it"),
    rebuilt("environment-variable-of-bake", nothing, _ARGUMENT,
            spec={"args": {"X": "${ORACLE}"}}, **_VARIABLE),
    same("environment-argument-without-value", nothing, _ARGUMENT, spec={"args": {"ORACLE": None}},
         **_VARIABLE),
    same("environment-secret", nothing,
         "FROM BASE\nRUN --mount=type=secret,id=s cat /run/secrets/s; echo NONCE\n",
         spec={"secret": [{"id": "s", "env": "ORACLE"}]}, **_VARIABLE),
    rebuilt("environment-proxy-of-docker-declared", nothing,
            "FROM BASE\nARG HTTP_PROXY\nRUN echo $HTTP_PROXY NONCE > /out\n",
            setup=(docker_settings("one", "http://127.0.0.1:1"),
            docker_settings("two", "http://127.0.0.1:2")),
            **_with({"DOCKER_CONFIG": "ROOT/environment-proxy-of-docker-declared/one"},
                    {"DOCKER_CONFIG": "ROOT/environment-proxy-of-docker-declared/two"})),
    rebuilt("environment-source-policy", write("policy.json", _POLICY.replace("TO", "BASE-two")),
            "FROM MINE-base\nCOPY a.txt /\n", homeport=ALWAYS,
            files={"policy.json": _POLICY.replace("TO", "BASE-one")},
            setup=(tag("BASE-one", "MINE-base"),), **_with(*[
                {"EXPERIMENTAL_BUILDKIT_SOURCE_POLICY": "ROOT/environment-source-policy/policy.json"}] * 2)),
    rebuilt("environment-commit-in-labels", program(*_COMMIT, "two"), homeport=ALWAYS, setup=_REPOSITORY,
            **_GIT),
    same("environment-commit-without-labels", program(*_COMMIT, "two"), setup=_REPOSITORY),
    same("environment-platform", nothing, "FROM scratch\nCOPY a.txt /\n", **_PLATFORM),
    same("environment-proxy", nothing, "FROM BASE\nARG HTTP_PROXY\nRUN echo $HTTP_PROXY NONCE > /out\n",
         **_PROXY),
)  # fmt: skip

CASES: tuple[Case, ...] = (*OPTIONS, *ENVIRONMENT)
