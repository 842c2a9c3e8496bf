"""The published CaloChallenge tables: golden values, completeness, matching of read-outs."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from facsim.core.geometry import regular_cylinder
from facsim.evaluate.leaderboards.challenge import PublishedRow, published_rows, published_rows_for
from facsim.physics.geometries import GEOMETRIES


def row(geometry: str, model: str) -> PublishedRow:
    return next(found for found in published_rows(geometry) if found.model == model)


@pytest.mark.parametrize(
    ("geometry", "rows"), [("ds1-photons", 16), ("ds1-pions", 13), ("ds2-electrons", 18), ("ds3-electrons", 16)]
)
def test_every_data_set_has_truth_first_and_each_model_once(geometry: str, rows: int) -> None:
    found = published_rows(geometry)
    assert len(found) == rows == len({entry.model for entry in found})
    assert [entry.is_truth for entry in found] == [True] + [False] * (rows - 1)


def test_published_values() -> None:
    """Read off arXiv 2410.21611's tables."""
    dream = row("ds2-electrons", "CaloDREAM")
    assert (dream.params, dream.auc_low, dream.auc_high, dream.auc_resnet) == (2.84e7, 0.5308, 0.5208, 0.6812)
    assert (dream.fpd_e3, dream.kpd_e3) == (24.65, 0.0231)
    assert (dream.cpu_b1_ms, dream.cpu_b100_ms, dream.gpu_b1_ms, dream.gpu_b100_ms) == (1.69e4, 5.05e3, 4.85e3, 74.3)
    pions = row("ds1-pions", "DNN CaloSim")
    assert (pions.auc_low, pions.cpu_b1_ms, pions.gpu_b100_ms) == (0.6764, 3.85, 0.32)
    assert math.isnan(pions.auc_resnet)
    assert row("ds3-electrons", "GEANT4").fpd_e3 == 8.758


@pytest.mark.parametrize("geometry", list(GEOMETRIES))
def test_values_are_possible(geometry: str) -> None:
    truth, *models = published_rows(geometry)
    assert math.isnan(truth.params)
    assert math.isnan(truth.cpu_b1_ms)
    for entry in models:
        aucs = [entry.auc_low, entry.auc_high, *([] if math.isnan(entry.auc_resnet) else [entry.auc_resnet])]
        assert all(0.49 < auc <= 1 for auc in aucs)
        assert entry.fpd_e3 > truth.fpd_e3
        assert entry.params > 1e4
        assert all(math.isnan(ms) or ms > 0 for ms in (entry.cpu_b1_ms, entry.cpu_b100_ms, entry.gpu_b100_ms))
        assert entry.cpu_b1_ms > 0


def test_a_readout_is_matched_by_its_cells_not_its_name() -> None:
    known = GEOMETRIES["ds2-electrons"]
    assert published_rows_for(replace(known, name="mine", threshold=1.0)) == published_rows("ds2-electrons")
    assert published_rows_for(GEOMETRIES["ds1-pions"]) == published_rows("ds1-pions")
    assert published_rows_for(regular_cylinder("wide", "electron", 45, 16, 9, 5.0, 0.0)) == []
    assert published_rows_for(regular_cylinder("short", "electron", 44, 16, 9, 4.65, 0.0)) == []
    assert published_rows("no-such-geometry") == []
