"""Precision, recall, density and coverage equal those of the package prdc exactly."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from facsim.metrics.neighbours import prdc

FOLDER = Path(__file__).parent.parent / "golden"
GOLDEN = json.loads((FOLDER / "prdc.json").read_text(encoding="utf-8"))
CASES = [case for case in GOLDEN if case != "source"]


def _recipe() -> Any:
    spec = importlib.util.spec_from_file_location("make_prdc", FOLDER / "make_prdc.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("nearest", [3, 5])
def test_equals_the_package(case: str, nearest: int) -> None:
    real, made = _recipe().samples(case)
    found = prdc(real, made, nearest=nearest, scale=False)
    for name, value in GOLDEN[case][str(nearest)].items():
        assert getattr(found, name) == pytest.approx(value, rel=0, abs=1e-15), name
