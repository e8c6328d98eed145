"""What bake grants only when told to, and buildx doesn't ask for when its progress is structured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from homeport.build.privileges import asked, require
from homeport.errors import UsageError
from homeport.model.targets import Target


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, []),
        ({"context": "svc", "dockerfile": "../Dockerfile"}, []),
        ({"context": ".."}, ["fs.read=..", "fs.read=../Dockerfile"]),
        ({"context": "https://x/y.git"}, []),
        ({"context": "../x", "dockerfile-inline": "FROM a"}, ["fs.read=../x"]),
        ({"contexts": {"a": "../lib", "b": "target:c", "d": "docker-image://e"}}, ["fs.read=../lib"]),
        ({"secret": ["id=s,src=/etc/hostname"]}, ["fs.read=/etc/hostname"]),
        ({"secret": [{"id": "s", "src": "token"}, {"id": "e", "env": "E"}]}, []),
        ({"output": ["type=local,dest=../out"]}, ["fs.write=../out"]),
        (
            {"cache-to": ["type=local,dest=/c"], "cache-from": ["type=local,src=/c"]},
            ["fs.read=/c", "fs.write=/c"],
        ),
        ({"network": "host"}, ["network.host"]),
        ({"entitlements": ["security.insecure"]}, ["security.insecure"]),
        ({"ssh": ["default"]}, ["ssh"]),
    ],
)
def test_what_is_asked(spec: dict[str, Any], expected: list[str], tmp_path: Path) -> None:
    assert list(asked(Target("t", spec), tmp_path)) == expected


def test_a_link_that_leads_out_is_outside(tmp_path: Path) -> None:
    root = tmp_path / "repository"
    root.mkdir()
    (root / "link").symlink_to(tmp_path)
    assert "fs.read=link" in list(asked(Target("t", {"context": "link"}), root))


@pytest.mark.parametrize(
    ("allow", "granted"),
    [
        ((), False),
        (("fs.read=../lib",), True),
        (("fs.read=..",), True),
        (("fs=../lib",), True),
        (("fs=*",), True),
        (("fs.write=../lib",), False),
        (("fs.read=../lib2",), False),
        (("network.host",), False),
    ],
)
def test_what_is_granted(allow: tuple[str, ...], granted: bool, tmp_path: Path) -> None:
    target = Target("t", {"context": ".", "contexts": {"a": "../lib"}})
    if granted:
        require([target], allow, tmp_path, {})
        return
    with pytest.raises(UsageError) as caught:
        require([target], allow, tmp_path, {})
    assert "fs.read=../lib" in caught.value.hint
    assert "target t" in caught.value.what


def test_the_variable_that_turns_bakes_own_check_off_counts_for_files_only(tmp_path: Path) -> None:
    off = {"BUILDX_BAKE_ENTITLEMENTS_FS": "0"}
    require([Target("t", {"context": ".."})], (), tmp_path, off)
    with pytest.raises(UsageError):
        require([Target("t", {"network": "host"})], (), tmp_path, off)
