"""What all tests share."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("facsim", deadline=None, max_examples=50, derandomize=True)
settings.load_profile("facsim")

os.environ.setdefault("OMP_NUM_THREADS", "1")

# A shell without job control starts what runs in the background deaf to Ctrl-C, and so would be the processes of tests.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what this machine cannot run."""
    if find_spec("calzone") is None:
        for item in items:
            if item.get_closest_marker("geant4") is not None:
                item.add_marker(pytest.mark.skip(reason="calzone is not installed"))


@pytest.fixture(scope="session", autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what tests build out of the user's cache; one cache serves the whole session."""
    before = os.environ.get("FACSIM_CACHE")
    if before is None:
        os.environ["FACSIM_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    yield
    if before is None:
        del os.environ["FACSIM_CACHE"]


@pytest.fixture
def in_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
