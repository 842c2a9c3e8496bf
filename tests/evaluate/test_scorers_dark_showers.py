"""Baseline scores on the images published with arXiv 2306.12955, trained on their background alone."""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np
import pytest

from facsim.core.events import Events, make_events
from facsim.core.image import regular_image
from facsim.core.schema import Feature, Schema
from facsim.core.sources import MemorySource
from facsim.evaluate.scorers import find_scorer
from facsim.metrics.auc import stratified_auc

GEOMETRY = regular_image("cms", (-math.pi, math.pi, 72), (-2.5, 2.5, 58), units=("rad", ""))
CHANNELS = tuple(Feature(name, "GeV") for name in ("tracker", "ecal", "hcal"))
SCHEMA = Schema("grid", CHANNELS, (Feature("n_tracks"),), GEOMETRY)
TRACKS = {
    "h125": 0.772,
    "h200": 0.911,
    "h300": 0.979,
    "h400": 0.996,
    "h700": 0.999,
    "svj_2100": 0.822,
    "svj_4100": 0.908,
}
"""AUC of the number of tracks on twice as many events."""


@pytest.fixture(scope="module")
def samples() -> dict[str, Events]:
    """Images of QCD to train on (`train`), of QCD to test (`test`), and of each signal."""
    folder = Path(os.environ.get("FACSIM_DATA", "")) / "cms-dark-showers"
    if not os.environ.get("FACSIM_DATA") or not folder.is_dir():
        pytest.skip("FACSIM_DATA names no folder with cms-dark-showers")
    patterns = {"train": "train_qcd", "test": "test_qcd", **{name: f"test_*{name}" for name in TRACKS}}
    return {name: read(folder, f"n_tracks_{pattern}_*.npz") for name, pattern in patterns.items()}


def read(folder: Path, pattern: str) -> Events:
    files = [np.load(path) for path in sorted(folder.glob(pattern))]
    x = np.concatenate([file["images"] for file in files]).astype(np.float32)
    tracks = np.concatenate([file["n_tracks"] for file in files]).astype(np.float32)
    return make_events(SCHEMA, x.reshape(len(x), -1, 3), tracks[:, :1])


def areas(samples: dict[str, Events], name: str) -> dict[str, tuple[float, float]]:
    """AUC and error of a scorer for each signal."""
    scorer = find_scorer(name).made().fit(MemorySource(samples["train"]), None, 1)
    background = scorer.predict(samples["test"])[:, 0]
    return {one: stratified_auc(background, scorer.predict(samples[one])[:, 0]) for one in TRACKS}


def test_the_number_of_tracks_is_as_published(samples: dict[str, Events]) -> None:
    for name, (auc, error) in areas(samples, "tracks").items():
        assert auc == pytest.approx(TRACKS[name], abs=2 * error + 0.003)


def test_what_needs_no_training_is_weaker_and_sums_go_the_wrong_way(samples: dict[str, Events]) -> None:
    sums, shapes = areas(samples, "scalar-sum"), areas(samples, "sphericity")
    assert all(sums[name][0] + 2 * sums[name][1] < 0.5 for name in ("h125", "h200", "h300", "h400", "h700"))
    assert sums["svj_4100"][0] > 0.8
    assert all(0.7 < shapes[name][0] < TRACKS[name] for name in ("h200", "h300", "h400", "h700"))


@pytest.mark.parametrize("name", ["isolation-forest", "mixture", "neighbours"])
def test_densities_find_many_soft_tracks_and_heavy_jets(samples: dict[str, Events], name: str) -> None:
    found = areas(samples, name)
    assert all(found[signal][0] > 0.85 for signal in ("h400", "h700", "svj_4100"))
    assert all(found[signal][0] < TRACKS[signal] for signal in ("h200", "h300", "h400", "h700"))
