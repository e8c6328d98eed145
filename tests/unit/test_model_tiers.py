"""Which tier a service gets and why, and what a tier must not say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeport.errors import UsageError
from homeport.model.tiers import (
    DEFAULT_TIERS,
    LABEL,
    Choice,
    Known,
    Policy,
    Tier,
    bytes_of,
    choose,
    cores_of,
    image_name,
    make_policy,
)

POLICY = Policy()


@pytest.mark.parametrize(
    ("name", "limit", "reserved"),
    [
        ("database", 1.0, 0.5),
        ("api", 1.0, 0.5),
        ("websocket", 1.0, 0.5),
        ("lightweight", 0.5, 0.25),
        ("ai", 2.0, 1.0),
        ("heavy-ai", 2.0, 1.5),
    ],
)
def test_the_documented_tiers(name: str, limit: float, reserved: float) -> None:
    assert (DEFAULT_TIERS[name].cpus, DEFAULT_TIERS[name].reserved_cpus) == (limit, reserved)


@pytest.mark.parametrize(
    ("known", "tier", "why"),
    [
        (Known("pg", "postgres:16"), "database", "image is 'postgres'"),
        (Known("pg", "ghcr.io/me/influxdb2:1@sha256:ab"), "database", "image is like 'influxdb*'"),
        (
            Known("postgres-x", "quay.io/x/postgres-exporter"),
            "lightweight",
            "image is like '*-exporter'",
        ),
        (Known("ai-ui"), "lightweight", "name contains 'ui'"),
        (Known("ml-service"), "ai", "name contains 'ml'"),
        (Known("recommendation_ML"), "ai", "name contains 'ml'"),
        (Known("openvino-service"), "heavy-ai", "name contains 'openvino'"),
        (Known("websocket-ingestion"), "websocket", "name contains 'websocket'"),
        (Known("data-api"), "api", "name contains 'api'"),
        (Known("some-db"), "database", "name contains 'db'"),
        (Known("store", "", (6379,)), "database", "port 6379"),
        (Known("recommender", "me/thing", (8023,)), "api", "port 8023 is in 8000-8999"),
        (Known("recommender", "", (9999, 8023)), "api", "port 8023 is in 8000-8999"),
        # Words, not letters: yaml is no ml, email is no ai, a guide has no ui.
        (Known("yaml-checker"), "", "no rule knows it"),
        (Known("email"), "", "no rule knows it"),
        (Known("guide"), "", "no rule knows it"),
        (Known("prep", "me/prep", (7999, 9000)), "", "no rule knows it"),
        (Known("", ""), "", "no rule knows it"),
    ],
)
def test_rules_and_their_reasons(known: Known, tier: str, why: str) -> None:
    assert choose(POLICY, known) == Choice(tier, why)


def test_what_is_said_comes_before_any_rule() -> None:
    known = Known("data-api", "postgres", (5432,), label="ai")
    assert choose(POLICY, known) == Choice("ai", f"label {LABEL}")
    configured = make_policy({}, {"data-api": "heavy-ai"})
    assert choose(configured, known) == Choice("heavy-ai", "homeport.toml says so")


def test_names_as_patterns() -> None:
    policy = make_policy({"edge": Tier(cpus=1.0, names=("zeek*",))}, {})
    assert choose(policy, Known("Zeek_Network")) == Choice("edge", "name is like 'zeek*'")
    assert choose(policy, Known("my-zeek")).tier == ""


def test_tiers_are_laid_over_the_default_and_new_ones_come_first() -> None:
    policy = make_policy({"api": Tier(cpus=3.0, memory="1G"), "edge": Tier(cpus=0.1, names=("api",))}, {})
    api = policy.tiers["api"]
    assert (api.cpus, api.reserved_cpus, api.memory) == (3.0, 0.5, "1G")
    assert api.names == DEFAULT_TIERS["api"].names
    assert next(iter(policy.tiers)) == "edge"
    assert choose(policy, Known("api")).tier == "edge"
    assert make_policy(DEFAULT_TIERS, {}).tiers == DEFAULT_TIERS


@pytest.mark.parametrize(
    ("tier", "said"),
    [
        (Tier(cpus=1.0, reserved_cpus=1.5), "it reserves 1.5 cores and may use 1.0"),
        (Tier(memory="1G", reserved_memory="2000M"), "it reserves 2000M of memory and may use 1G"),
        (Tier(memory="lots"), "memory 'lots' is no size"),
        (Tier(reserved_memory="0"), "reserved-memory '0' is no size"),
        (Tier(log_size="10 apples"), "log-size '10 apples' is no size"),
        (Tier(ports=("http",)), "'http' is no port"),
    ],
)
def test_tiers_that_cannot_be(tier: Tier, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        make_policy({"mine": tier}, {})
    assert caught.value.what.startswith("Tier 'mine'")
    assert said in caught.value.what


def test_a_reservation_over_the_default_limit() -> None:
    with pytest.raises(UsageError, match=r"Tier 'api': it reserves 1\.5 cores and may use 1\.0"):
        make_policy({"api": Tier(reserved_cpus=1.5)}, {})


def test_unknown_tiers_are_named_with_the_nearest() -> None:
    with pytest.raises(UsageError) as caught:
        make_policy({}, {"x": "databse"})
    assert (caught.value.cause, caught.value.exit_code) == ("did you mean 'database'?", 2)
    with pytest.raises(UsageError, match=f"Label {LABEL} of service 'x': there is no tier 'big'"):
        choose(POLICY, Known("x", label="big"))


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("512M", 512 * 1024**2),
        ("512mb", 512 * 1024**2),
        ("1.5g", 1024**3 * 3 // 2),
        ("64 KiB", 65536),
        ("2t", 2 * 1024**4),
        ("10b", 10),
        ("1000", 1000),
        ("", None),
        ("M", None),
        ("-1m", None),
        ("${MEMORY}", None),
        ("1gm", None),
    ],
)
def test_sizes(text: str, count: int | None) -> None:
    assert bytes_of(text) == count


@pytest.mark.parametrize(
    ("text", "cores"), [("0.5", 0.5), ("2", 2.0), ("${X}", None), ("-1", None), ("nan", None), ("inf", None)]
)
def test_cores(text: str, cores: float | None) -> None:
    assert cores_of(text) == cores


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("postgres", "postgres"),
        ("postgres:16-alpine", "postgres"),
        ("localhost:5000/a/b/Redis:7@sha256:00", "redis"),
        ("", ""),
    ],
)
def test_names_of_images(image: str, name: str) -> None:
    assert image_name(image) == name


@given(st.text(max_size=20), st.text(max_size=30), st.lists(st.integers(0, 70000), max_size=3))
def test_any_service_gets_a_known_tier_or_none(name: str, image: str, ports: list[int]) -> None:
    choice = choose(POLICY, Known(name, image, tuple(ports)))
    assert choice.tier in {"", *DEFAULT_TIERS}
    assert choice.why
