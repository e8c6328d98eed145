"""From Compose files and tiers to what each service gets, and what it must not get."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from homeport.errors import DefinitionError, UsageError
from homeport.model.tiers import LABEL, Policy, Tier, make_policy
from homeport.resources.host import Host
from homeport.resources.plan import (
    CPUS,
    MEMORY,
    PIDS,
    RESERVED_CPUS,
    RESERVED_MEMORY,
    ResourcePlan,
    State,
    Step,
    make,
    sums,
    too_big,
)
from homeport.resources.proof import proven
from homeport.sources.compose import ComposeFiles, read

FULL = make_policy(
    {"api": Tier(memory="512M", reserved_memory="256M", pids=200, log_size="10m", log_files=3)}, {}
)


def facts(folder: Path, *texts: str, **files: str) -> ComposeFiles:
    names = ("compose.yml", "compose.override.yml")
    more = {f"{name}.yml": text for name, text in files.items()}
    for name, text in {**dict(zip(names, texts, strict=False)), **more}.items():
        (folder / name).write_text(text, encoding="utf-8")
    return read(folder, (), {})


def plan(found: ComposeFiles, policy: Policy | None = None, **options: Any) -> ResourcePlan:
    made = make(found, policy or Policy(), **options)
    proven(found, made)
    return made


def step(folder: Path, spec: str, policy: Policy | None = None) -> Step:
    """The step of a service ``api`` that consists of these lines."""
    lines = "".join(f"    {line}\n" for line in spec.splitlines())
    return plan(facts(folder, f"services:\n  api:\n{lines}"), policy).steps[0]


def test_a_service_without_limits(tmp_path: Path) -> None:
    found = step(tmp_path, "image: x")
    assert (found.state, found.tier, found.why) == (State.CHANGE, "api", "name contains 'api'")
    assert found.adds == {CPUS: "1.0", RESERVED_CPUS: "0.5"}
    assert (found.now, found.then) == ({}, found.adds)


def test_everything_that_a_tier_can_say(tmp_path: Path) -> None:
    assert step(tmp_path, "image: x", FULL).adds == {
        CPUS: "1.0",
        MEMORY: "512M",
        PIDS: "200",
        RESERVED_CPUS: "0.5",
        RESERVED_MEMORY: "256M",
        ("logging", "driver"): "json-file",
        ("logging", "options", "max-size"): "10m",
        ("logging", "options", "max-file"): "3",
    }


def test_what_is_there_stays_and_a_complete_service_is_left_alone(tmp_path: Path) -> None:
    deploy = "deploy:\n  resources:\n    limits: {memory: 1G}\n    reservations:\n      cpus: 0.75"
    assert step(tmp_path, f"{deploy}\nlogging: {{driver: local}}", FULL).state is State.REFUSED
    block = deploy.replace("limits: {memory: 1G}", "limits:\n      memory: 1G")
    found = step(tmp_path, f"{block}\nlogging: {{driver: local}}", FULL)
    assert found.now == {MEMORY: "1G", RESERVED_CPUS: "0.75"}
    assert found.adds == {CPUS: "1.0", PIDS: "200", RESERVED_MEMORY: "256M"}
    done = step(tmp_path, "deploy: {resources: {limits: {cpus: 2}, reservations: {cpus: 1}}}\nlogging: {}")
    assert (done.state, done.adds) == (State.COMPLETE, {})


def test_a_service_that_no_rule_knows_is_listed_and_not_guessed(tmp_path: Path) -> None:
    text = (
        "services:\n  thing:\n    image: x\n"
        "  done:\n    cpus: 1\n    deploy: {resources: {reservations: {cpus: 1}}}\n"
    )
    made = plan(facts(tmp_path, text))
    assert [(one.state, one.why) for one in made.steps] == [
        (State.UNKNOWN, "no rule knows it"),
        (State.COMPLETE, "no rule knows it"),
    ]
    assert [one.service for one in made.missing] == ["thing"]


def test_labels_and_configuration(tmp_path: Path) -> None:
    assert step(tmp_path, f"labels: {{{LABEL}: ai}}").why == f"label {LABEL}"
    assert step(tmp_path, f"labels:\n  - {LABEL}=heavy-ai").adds[RESERVED_CPUS] == "1.5"
    assert step(tmp_path, "image: x", make_policy({}, {"api": "ai"})).adds[CPUS] == "2.0"
    with pytest.raises(UsageError, match="there is no tier 'huge'"):
        step(tmp_path, f"labels: {{{LABEL}: huge}}")


@pytest.mark.parametrize(
    ("ports", "why"),
    [
        ("ports: ['5432']", "port 5432"),
        ("ports: ['127.0.0.1:1:5432/tcp']", "port 5432"),
        ("ports: ['${PORT:-1}:5432']", "port 5432"),
        ("ports: ['1000-1001:5432-5433']", "port 5432"),
        ("ports: [{target: 5432, published: 1}]", "port 5432"),
        ("expose: [5432]", "port 5432"),
        ("ports: ['5432:1']", "no rule knows it"),
        ("ports: ['x', {}]", "no rule knows it"),
        ("image: ${IMAGE:-postgres:16}", "image is 'postgres'"),
        ("image: ${IMAGE}", "no rule knows it"),
    ],
)
def test_what_rules_look_at(tmp_path: Path, ports: str, why: str) -> None:
    assert plan(facts(tmp_path, f"services:\n  thing:\n    {ports}\n")).steps[0].why == why


def test_variables_of_the_environments_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(
        "# IMAGE=no\nNAME='postgres'\nexport IMAGE=x/${NAME}:16 # it\n", encoding="utf-8"
    )
    found = plan(facts(tmp_path, "services:\n  thing:\n    image: ${IMAGE}\n")).steps[0]
    assert found.why == "image is 'postgres'"


def test_old_words_count_and_are_repeated_where_compose_wants_it(tmp_path: Path) -> None:
    found = step(tmp_path, "mem_limit: 1g\nmem_reservation: 512m\npids_limit: 50\nimage: x")
    assert found.now == {MEMORY: "1g", RESERVED_MEMORY: "512m", PIDS: "50"}
    assert found.adds == {
        CPUS: "1.0",
        MEMORY: "1g",
        PIDS: "50",
        RESERVED_CPUS: "0.5",
        RESERVED_MEMORY: "512m",
    }
    assert found.note == "repeats mem_limit, pids_limit, mem_reservation: Compose wants it in both places"
    cores = step(tmp_path, "cpus: 2\nimage: x")
    assert (cores.now, cores.adds) == ({CPUS: "2"}, {RESERVED_CPUS: "0.5"})


def test_other_kinds_of_cpu_limits_are_limits(tmp_path: Path) -> None:
    found = step(tmp_path, "cpu_quota: 50000")
    assert (found.now, found.adds) == ({CPUS: "cpu_quota 50000"}, {RESERVED_CPUS: "0.5"})


def test_a_reservation_is_never_over_its_limit(tmp_path: Path) -> None:
    low = step(tmp_path, "deploy:\n  resources:\n    limits:\n      cpus: '0.2'")
    assert low.adds == {RESERVED_CPUS: "0.2"}
    assert "its limit of 0.2, not the tier's 0.5" in low.note
    high = step(tmp_path, "deploy:\n  resources:\n    reservations:\n      cpus: '1.5'")
    assert (high.state, high.adds) == (State.REFUSED, {})
    assert high.note == "it reserves 1.5 already, more than the tier's limit of 1.0"
    variable = step(tmp_path, "deploy:\n  resources:\n    limits:\n      cpus: '${CPUS}'")
    assert variable.adds == {RESERVED_CPUS: "0.5"}


def test_lines_go_to_where_the_service_has_its_resources(tmp_path: Path) -> None:
    first = "services:\n  api:\n    image: x\n  web-api:\n    image: x\n"
    second = "services:\n  api:\n    deploy:\n      replicas: 2\n  web-api:\n    command: x\n"
    made = plan(facts(tmp_path, first, second))
    assert [one.path.name for one in made.steps] == ["compose.override.yml", "compose.yml"]
    assert {path.name for path in made.texts} == {"compose.yml", "compose.override.yml"}


def test_a_service_with_an_alias_is_refused_and_the_others_go_on(tmp_path: Path) -> None:
    text = (
        "x-deploy: &deploy\n  replicas: 2\nservices:\n  a-api:\n    deploy: *deploy\n"
        "  b-api:\n    deploy: *deploy\n  c-api:\n    image: x\n  d-api:\n    deploy:\n      <<: *deploy\n"
    )
    made = plan(facts(tmp_path, text))
    assert [one.state for one in made.steps] == [State.REFUSED, State.REFUSED, State.CHANGE, State.CHANGE]
    assert made.steps[0].note == "its 'deploy' is an alias (*deploy): others would change with it"


@pytest.mark.parametrize(
    ("upper", "why"),
    [
        ("deploy: !reset null", "its 'deploy' has the tag !reset in compose.override.yml"),
        ("deploy: !override {replicas: 2}", "its 'deploy' has the tag !override in compose.override.yml"),
        (
            "deploy: {resources: {limits: !reset {}}}",
            "its 'limits' has the tag !reset in compose.override.yml",
        ),
    ],
)
def test_what_another_file_would_throw_away_is_not_written(tmp_path: Path, upper: str, why: str) -> None:
    text = "services:\n  api:\n    deploy:\n      replicas: 3\n  web-api:\n    image: x\n"
    made = plan(facts(tmp_path, text, f"services:\n  api:\n    {upper}\n"))
    assert [(one.state, one.note) for one in made.steps] == [(State.REFUSED, why), (State.CHANGE, "")]


def test_who_extends_is_not_changed_by_accident(tmp_path: Path) -> None:
    text = (
        "services:\n  base-api:\n    image: x\n  thing:\n    extends: base-api\n"
        "  other-api:\n    image: x\n  more-api:\n    extends: other-api\n"
    )
    made = plan(facts(tmp_path, text))
    by_name = {one.service: one for one in made.steps}
    # Nobody knows a tier for 'thing', and it must not get one in passing.
    assert by_name["base-api"].note == "'thing' extends it, and would change with it"
    assert by_name["thing"].state is State.UNKNOWN
    assert by_name["other-api"].state is by_name["more-api"].state is State.CHANGE
    # With one service alone, the one that extends it would change, too.
    alone = plan(facts(tmp_path, text), services=["other-api"])
    assert {one.state for one in alone.steps} == {State.REFUSED, State.LATER, State.UNKNOWN}


def test_what_is_inherited_is_there(tmp_path: Path) -> None:
    text = (
        "services:\n  base-api:\n    deploy:\n      resources:\n        limits:\n          cpus: 1\n"
        "  more-api:\n    extends: base-api\n"
    )
    made = plan(facts(tmp_path, text))
    assert [one.adds for one in made.steps] == [{RESERVED_CPUS: "0.5"}, {RESERVED_CPUS: "0.5"}]


def test_step_by_step(tmp_path: Path) -> None:
    text = "services:\n" + "".join(f"  api-{n}:\n    image: x\n" for n in range(4))
    found = facts(tmp_path, text)
    first = plan(found, limit=2)
    assert [one.state for one in first.steps] == [State.CHANGE] * 2 + [State.LATER] * 2
    assert len(first.missing) == 4
    some = plan(found, limit=1, services=["api-3", "api-1"])
    assert [one.service for one in some.steps if one.state is State.CHANGE] == ["api-1"]
    with pytest.raises(DefinitionError, match="There is no service 'api-9'") as caught:
        plan(found, services=["api-9"])
    assert "did you mean" in caught.value.cause


def test_files_outside_are_not_changed(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    (tmp_path / "shared.yml").write_text("services:\n  api:\n    image: x\n", encoding="utf-8")
    made = plan(facts(inner, "include: [../shared.yml]\n"))
    assert "lies outside of this repository" in made.steps[0].note
    (tmp_path / ".git").mkdir()
    assert plan(read(inner, (), {})).steps[0].state is State.CHANGE


def test_sums_by_profile_against_the_host(tmp_path: Path) -> None:
    text = (
        "services:\n  api:\n    scale: 3\n  dev-api:\n    profiles: [dev]\n"
        "  thing:\n    deploy: {resources: {reservations: {memory: 2G}}, replicas: 2}\n"
    )
    made = plan(facts(tmp_path, text))
    none, dev = sums(made, Host(1.75, 3 * 1024**3))
    assert (none.profile, none.cores, none.memory, none.services) == ("", 1.5, 4 * 1024**3, 2)
    assert none.too_much == ("memory",)
    assert (dev.profile, dev.cores, dev.too_much) == ("dev", 2.0, ("cores", "memory"))
    assert [one.too_much for one in sums(made, None)] == [(), ()]
    assert too_big(made, Host(0.5, 0)) == ("api", "dev-api")
    assert too_big(made, Host(1.0, 0)) == too_big(made, None) == ()
