"""The scorecard's separation powers in the challenge's protocol are those of the challenge's own scripts."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facsim.core.events import make_events
from facsim.core.schema import calorimeter_schema
from facsim.core.sources import MemorySource
from facsim.evaluate.families import separation
from facsim.metrics.protocols import CHALLENGE
from facsim.physics.calo import Observations, collect
from facsim.physics.geometries import GEOMETRIES
from facsim.physics.observables import OBSERVABLES

FOLDER = Path(__file__).parent.parent / "golden"
GOLDEN = json.loads((FOLDER / "calochallenge.json").read_text(encoding="utf-8"))
FIXED_BINS = [name for name, line in OBSERVABLES.items() if line.challenge is not None and name != "e_layer"]
"""Not `e_layer`, whose last edge is the reference's largest value, where rounding decides."""


def _recipe() -> Any:
    spec = importlib.util.spec_from_file_location("make_challenge", FOLDER / "make_challenge.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _observed(name: str, changed: bool) -> Observations:
    geometry = GEOMETRIES[name]
    cells, e_inc = _recipe().showers(name, geometry.r, geometry.alpha, geometry.layer_index, changed)
    return collect(MemorySource(make_events(calorimeter_schema(geometry), cells[..., None], e_inc[:, None])))


@pytest.mark.parametrize("name", list(GEOMETRIES))
def test_scorecard_families(name: str) -> None:
    first, second = _observed(name, False), _observed(name, True)
    for observable in FIXED_BINS:
        family = separation(OBSERVABLES[observable], first, second, CHALLENGE)
        assert family is not None
        golden = GOLDEN[name]["separation"][observable]
        np.testing.assert_allclose(family.values, golden, rtol=1e-6, atol=1e-9, err_msg=observable)
        assert family.value == pytest.approx(np.mean(golden), rel=1e-6)
