"""The tiny adversarial model that tests of the loop train."""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

from facsim.core import plugins

RIVALS = Path(__file__).with_name("rivals.py")


@pytest.fixture(scope="session")
def rivals_file() -> Path:
    """The plug-in and script."""
    return RIVALS


@pytest.fixture
def rivals(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The plug-in as a module, its model known by the name 'rivals'."""
    spec = spec_from_file_location("rivals_of_tests", RIVALS)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    plugins.load_plugin(RIVALS)
    return module
