"""Golden values of the CaloChallenge's own scripts: read-outs, high-level features and separation powers."""

from __future__ import annotations

import importlib.util
import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facsim.core.geometry import Layer
from facsim.metrics.protocols import CHALLENGE
from facsim.metrics.triangular import separation_power
from facsim.physics.calo import high_level_features, shower_observables
from facsim.physics.geometries import GEOMETRIES
from facsim.physics.observables import OBSERVABLES, challenge_cell_bins

FOLDER = Path(__file__).parent.parent / "golden"
GOLDEN = json.loads((FOLDER / "calochallenge.json").read_text(encoding="utf-8"))
NAMES = list(GEOMETRIES)


def _recipe() -> Any:
    spec = importlib.util.spec_from_file_location("make_challenge", FOLDER / "make_challenge.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def sample(name: str, changed: bool) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Cells, incident energies and observables of one of the two samples."""
    geometry = GEOMETRIES[name]
    cells, e_inc = _recipe().showers(name, geometry.r, geometry.alpha, geometry.layer_index, changed)
    return cells, e_inc, shower_observables(cells, e_inc, geometry)


@pytest.mark.parametrize("name", NAMES)
def test_readout_is_that_of_the_binning_file(name: str) -> None:
    geometry, golden = GEOMETRIES[name], GOLDEN[name]
    layers = [Layer(int(i), tuple(edges), n_alpha) for i, (edges, n_alpha) in golden["layers"].items()]
    assert [(la.id, la.n_alpha) for la in geometry.layers] == [(la.id, la.n_alpha) for la in layers]
    for mine, theirs in zip(geometry.layers, layers, strict=True):
        np.testing.assert_allclose(mine.r_edges, theirs.r_edges, rtol=1e-12)
    place = np.arange(geometry.n_cells)
    sums = [geometry.x.sum(), geometry.y.sum(), (geometry.x * place).sum(), (geometry.y * place).sum()]
    scale = np.abs(geometry.x * place).sum()
    np.testing.assert_allclose(sums, golden["cells"], rtol=1e-9, atol=1e-12 * scale)


@pytest.mark.parametrize("name", NAMES)
def test_features(name: str) -> None:
    _, e_inc, obs = sample(name, False)
    features = high_level_features(obs, e_inc, GEOMETRIES[name])
    np.testing.assert_allclose(features[:2], GOLDEN[name]["features"], rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(features.sum(axis=0), GOLDEN[name]["feature_sums"], rtol=1e-6, atol=1e-8)


def agrees(first: np.ndarray, second: np.ndarray, edges: np.ndarray | None, golden: float) -> bool:
    """Whether the challenge-protocol separation power is the golden one.

    Where the last edge is the reference's own largest value, 10 ** log10(value), rounding decides on which side of it
    that value falls: then either side is right.
    """
    assert edges is not None
    found = [separation_power(first, second, edges, CHALLENGE, n_bootstrap=2)[0]]
    if edges[-1] == pytest.approx(first.max(), rel=1e-12):
        for factor in (1 - 1e-12, 1 + 1e-12):
            moved = np.append(edges[:-1], edges[-1] * factor)
            found.append(separation_power(first, second, moved, CHALLENGE, n_bootstrap=2)[0])
    return any(value == pytest.approx(golden, rel=1e-6, abs=1e-9) for value in found)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("observable", [o for o, line in OBSERVABLES.items() if line.challenge is not None])
def test_separation_powers(name: str, observable: str) -> None:
    geometry, line = GEOMETRIES[name], OBSERVABLES[observable]
    (_, _, first), (_, _, second) = sample(name, False), sample(name, True)
    indices = line.layers(geometry) if line.per_layer else [None]
    golden = GOLDEN[name]["separation"][observable]
    assert len(golden) == len(indices)
    for index, value in zip(indices, golden, strict=True):
        x, y = (line.column(obs, geometry, index) for obs in (first, second))
        assert agrees(x, y, line.challenge_bins(geometry, index, x), value), index


@pytest.mark.parametrize("name", NAMES)
def test_separation_power_of_cells(name: str) -> None:
    geometry = GEOMETRIES[name]
    first, second = (sample(name, changed)[0].ravel() for changed in (False, True))
    edges = challenge_cell_bins(geometry, float(first.max()))
    assert agrees(first, second, edges, GOLDEN[name]["separation"]["cells"][0])
