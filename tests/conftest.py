"""What all tests share: paths, an environment that is the same everywhere, and the markers.

Fixtures that need an engine are in tests/support/engine_fixtures.py, so that tests/engine and tests/e2e
both have them.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

TESTS = Path(__file__).resolve().parent
ROOT = TESTS.parent
# ci/ holds programs, not a package: they, and the tests of them, import one another by their bare names.
sys.path[:0] = [str(ROOT / "ci"), str(TESTS / "support")]

import isolation  # noqa: E402  (found through the line above)
from homeport.engine.signals import STOP_SIGNALS  # noqa: E402

# How long one example takes says something of the machine, and nothing of the code.
hypothesis.settings.register_profile("homeport", deadline=None)
hypothesis.settings.load_profile("homeport")

# A shell gives its background jobs an ignored SIGINT, CI may run the tests as one, and programs inherit it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

pytest_plugins = ["engine_fixtures", "skip_repository", "live_stack"]


@pytest.fixture(scope="session", autouse=True)
def isolated_environment() -> Iterator[None]:
    """No setting of the person or the CI machine decides a result: see tests/support/isolation.py."""
    with (
        tempfile.TemporaryDirectory(prefix="homeport-test-settings-") as folder,
        pytest.MonkeyPatch.context() as patch,
    ):
        changes = isolation.changes(os.environ, Path.home())
        for name in changes.remove:
            patch.delenv(name)
        for name, value in {**changes.set, **isolation.write_settings(Path(folder), changes)}.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(autouse=True)
def signals_as_before() -> Iterator[None]:
    """A build that is interrupted ignores signals from then on, and programs started later would, too."""
    before = {
        number: signal.getsignal(number)
        for name in STOP_SIGNALS
        if (number := getattr(signal, name, None)) is not None
    }
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test's folder is its marker: nobody has to remember it."""
    for item in items:
        folder = item.path.relative_to(TESTS).parts[0] if item.path.is_relative_to(TESTS) else ""
        if folder in ("engine", "e2e"):
            item.add_marker(folder)
