"""Toy predictions whose areas under the ROC curve are known."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pytest

from facsim.core.schema import Feature, Schema
from facsim.evaluate.anomaly.predictions import NULL, PARTS, REFERENCE, VALIDATION, Predictions, prediction_schema
from facsim.physics.pseudo_signals import PSEUDO_SIGNALS

TRUTH = Schema("table", (Feature("x"),), (Feature("is_qcd"), Feature("mass", "GeV"), Feature("pile_up")))
SPLITS = (VALIDATION, REFERENCE, NULL)
Toy = Callable[..., Predictions]


def _toy(
    background: int = 400,
    signal: int = 200,
    shifts: Mapping[float, Sequence[float]] | None = None,
    changed: Mapping[str, Sequence[float]] | None = None,
    names: Sequence[str] = ("score",),
    seed: int = 1,
) -> Predictions:
    """Outputs that are normal for background; of signal of each mass, and of changed background, shifted.

    Args:
        background, signal: events of each split. shifts: mass to the shift of each output, in standard deviations.
        changed: kind of changed background to its shifts.
    """
    rng = np.random.default_rng(seed)
    blocks: list[tuple[np.ndarray, float, float, int]] = []
    nothing = np.zeros(len(names))
    for part in SPLITS:
        place = PARTS.index(part)
        blocks.append((rng.normal(size=(background, len(names))) + nothing, 1.0, 0.0, place))
        for mass, shift in (shifts or {}).items():
            blocks.append((rng.normal(size=(signal, len(names))) + np.array(shift), 0.0, mass, place))
    for kind in PSEUDO_SIGNALS:
        shift = (changed or {}).get(kind, nothing)
        blocks.append((rng.normal(size=(background, len(names))) + np.array(shift), 1.0, 0.0, PARTS.index(kind)))
    outputs = np.concatenate([block[0] for block in blocks])
    sizes = [len(block[0]) for block in blocks]
    qcd, mass, part = (np.repeat([block[k] for block in blocks], sizes) for k in (1, 2, 3))
    cond = np.column_stack([qcd, mass, rng.poisson(30, len(outputs))]).astype(float)
    schema = prediction_schema(TRUTH, [Feature(name) for name in names], {})
    return Predictions(schema, outputs, cond, part.astype(int), np.arange(len(outputs)), np.ones(len(outputs)))


@pytest.fixture
def toy() -> Toy:
    """`_toy`."""
    return _toy
