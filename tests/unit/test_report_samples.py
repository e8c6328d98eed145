"""The made-up results are what the tests of reports take them for."""

from __future__ import annotations

import pytest

from homeport.model.result import Status
from report_samples import build


@pytest.mark.parametrize("count", [0, 1, 16, 300])
def test_a_sample_is_a_build_without_faults(count: int) -> None:
    result = build(count)
    assert len(result.targets) == count
    assert result.ok


def test_a_broken_sample_has_every_status() -> None:
    result = build(16, broken=(4, 6))
    assert {found.status for found in result.targets} == set(Status)
