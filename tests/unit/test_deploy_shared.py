"""Networks and volumes that are defined in another way than when they were made."""

from __future__ import annotations

from typing import Any

import pytest

from homeport.deploy.shared import check, digests, externals
from homeport.errors import DefinitionError

BEFORE: dict[str, Any] = {
    "networks": {
        "default": {"name": "shop_default", "ipam": {}},
        "outside": {"name": "proxy", "external": True},
    },
    "volumes": {"data": {"name": "shop_data"}},
}


def now(**networks_and_volumes: Any) -> dict[str, str]:
    return digests("shop", {**BEFORE, **networks_and_volumes})


def test_by_kind_and_the_engines_name_without_external_ones() -> None:
    assert set(digests("shop", BEFORE)) == {"networks shop_default", "volumes shop_data"}
    assert set(digests("shop", {"networks": {"inner": None}})) == {"networks shop_inner"}
    assert digests("shop", {}) == {}


def test_nothing_changed() -> None:
    assert check(now(), now(), {"shop_default"}) == ()


def test_a_network_that_changes_under_containers() -> None:
    other = now(networks={"default": {"name": "shop_default", "internal": True}})
    with pytest.raises(DefinitionError, match="shop_default is defined in another way") as error:
        check(now(), other, {"shop_default"})
    assert "homeport down" in error.value.hint
    assert error.value.exit_code == 2


@pytest.mark.parametrize(
    "networks",
    [{"default": {"name": "other", "internal": True}}, {"inner": {"name": "shop_inner"}}, {}],
)
def test_a_network_by_another_name_is_another_one(networks: dict[str, Any]) -> None:
    assert check(now(), now(networks=networks), {"shop_default"}) == ()


def test_a_network_that_nobody_is_in() -> None:
    other = now(networks={"default": {"name": "shop_default", "internal": True}})
    assert check(now(), other, set()) == ()


def test_a_volume_keeps_what_it_was() -> None:
    (warning,) = check(now(), now(volumes={"data": {"name": "shop_data", "driver": "nfs"}}), {"shop_default"})
    assert warning.startswith("The volume shop_data is defined in another way")


def test_a_release_of_an_older_homeport_says_nothing() -> None:
    assert check({}, now(), {"shop_default"}) == ()


def test_what_services_use_of_others() -> None:
    document = {**BEFORE, "volumes": {"data": {}, "far": {"external": True}}}
    specs: dict[str, dict[str, Any]] = {
        "api": {"networks": {"default": None, "outside": {"aliases": ["a"]}}, "volumes": [{"type": "bind"}]},
        "db": {
            "networks": {"outside": None},
            "volumes": [{"type": "volume", "source": "far"}, {"type": "volume", "source": "data"}],
        },
        "host": {"network_mode": "host"},
    }
    assert externals(document, specs) == {("network", "proxy"): "api", ("volume", "far"): "db"}
    assert externals({}, specs) == {}
