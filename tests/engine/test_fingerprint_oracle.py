"""The proof of the fingerprint: change exactly one input, and compare with what a real BuildKit does.

A fingerprint that stays the same while BuildKit makes another image is a stale image in production one day.
The other way round it is only a build too many; each of those has its reason in the tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

import oracle
from engine_fixtures import DockerSession
from mutations import Case
from mutations_all import CASES
from oracle import Observed


@pytest.fixture(scope="session")
def observed(
    request: pytest.FixtureRequest,
    docker_session: DockerSession,
    tiny_image: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Mapping[str, Observed]:
    """All cases that were asked for at once: one bake for many is what makes it quick."""
    asked_for = {item.name for item in request.session.items}
    cases = [case for case in CASES if f"test_one_mutation[{case.name}]" in asked_for]
    return oracle.observe_all(cases, tmp_path_factory.mktemp("oracle"), docker_session, tiny_image)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_one_mutation(case: Case, observed: Mapping[str, Observed], tmp_path: Path) -> None:
    if reason := oracle.why_not(case, tmp_path):
        pytest.skip(reason)
    assert case.name in observed, "BuildKit rebuilt even what didn't change: does somebody empty its cache?"
    wrong = oracle.problem(case, observed[case.name])
    assert not wrong, wrong


def test_each_mutation_has_a_name_of_its_own() -> None:
    assert len({case.name for case in CASES}) == len(CASES) >= 80
