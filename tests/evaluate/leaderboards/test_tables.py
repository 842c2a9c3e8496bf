"""The published tables: complete, each number once, with a source, and equal to the published text where checked."""

from __future__ import annotations

import math
from collections import Counter

import pytest

from facsim.core.errors import FacsimError
from facsim.evaluate.leaderboards import BOARDS, METRICS, PROTOCOLS, Entry, entries, find_board
from facsim.evaluate.leaderboards.tables import KEYS, _entries

MODELS = {
    "ds1-photons": 15, "ds1-pions": 12, "ds2": 17, "ds3": 15,
    "hgcal-photon-e5": 6, "hgcal-photon-e50": 6, "hgcal-photon-e500": 6, "hgcal-photon-loguniform": 6,
    "hgcal-pion-e5": 5, "hgcal-pion-e50": 5, "hgcal-pion-e500": 5, "hgcal-pion-loguniform": 5,
    "jetnet-g30": 15, "jetnet-q30": 12, "jetnet-t30": 15, "jetnet-g150": 3,
}  # fmt: skip


def entry(board: str, model: str, metric: str, protocol: str | None = None) -> Entry:
    found = [e for e in BOARDS[board].rows if (e.model, e.metric) == (model, metric) and protocol in (None, e.protocol)]
    assert len(found) == 1, (board, model, metric, len(found))
    return found[0]


def test_every_board_has_its_models() -> None:
    assert {name: len(board.models) for name, board in BOARDS.items()} == MODELS
    assert sum(MODELS[name] for name in ("ds1-photons", "ds1-pions", "ds2", "ds3")) == 59


def test_no_row_belongs_to_no_board() -> None:
    for table in {board.table for board in BOARDS.values()}:
        assert {e.dataset for e in entries(table)} == {b.name for b in BOARDS.values() if b.table == table}


@pytest.mark.parametrize("name", list(BOARDS))
def test_each_number_once_finite_with_a_source(name: str) -> None:
    rows = BOARDS[name].rows
    assert max(Counter((e.model, e.metric, e.protocol) for e in rows).values()) == 1
    for e in rows:
        assert e.source.startswith("arXiv:") or "/" in e.source
        assert e.protocol in PROTOCOLS
        assert math.isfinite(e.value)
        assert math.isnan(e.error) or e.error >= 0
        if METRICS[e.metric].log and not e.metric.startswith("kpd"):
            assert e.value > 0


@pytest.mark.parametrize("name", list(BOARDS))
def test_truth_is_there_and_better_than_the_models(name: str) -> None:
    """Of the metrics in which noise cannot put a model below the floor."""
    board = BOARDS[name]
    floors = board.floors("fpd_e3")
    assert floors
    for e in board.rows:
        if e.metric == "fpd_e3" and not e.is_truth and e.protocol in floors:
            assert e.value > floors[e.protocol].value


def test_every_challenge_board_has_the_same_columns() -> None:
    for name in ("ds1-photons", "ds1-pions", "ds2", "ds3"):
        board = BOARDS[name]
        seps = [m for m in board.metrics if m.startswith("sep_")]
        assert len(seps) == 10
        assert set(seps) <= set(board.metrics)
        for metric in ("params", "logpost", "precision", "recall", "density", "coverage", "cpu_b1_ms"):
            count = sum(e.metric == metric and not e.is_truth for e in board.rows)
            assert count == len(board.models), metric


@pytest.mark.parametrize(
    ("board", "model", "metric", "protocol", "value", "error"),
    [
        ("ds1-photons", "GEANT4", "fpd_e3", None, 0.1192, 0.053),
        ("ds1-photons", "CaloGraph", "sep_e_ratio_e3", None, 48.2, None),
        ("ds1-pions", "GEANT4", "auc_low", None, 0.6089, None),
        ("ds1-pions", "CaloForest", "params", None, 5.3e9, None),
        ("ds2", "CaloDREAM", "kpd_e3", None, 0.0231, 0.036),
        ("ds2", "CaloDREAM", "logpost_resnet", None, -1.976, None),
        ("ds2", "CaloVAE+INN", "density", None, 1.79e3, None),
        ("ds2", "CaloLatent", "sep_e_layer_e3", None, 39.8, None),
        ("ds2", "iCaloFlow student", "sep_sparsity_e3", None, 0.295, None),
        ("ds3", "Calo-VQ(norm)", "gpu_b100_ms", None, 26.6, None),
        ("ds3", "GEANT4 transformer", "fpd_e3", None, 2.295e4, 23),
        ("ds3", "CaloDREAM", "sep_sparsity_e3", None, 0.0438, None),
        ("hgcal-pion-e5", "HGCaloDream", "fpd_e3", None, 5898.18, 34.39),
        ("hgcal-photon-loguniform", "HGCaloDream", "auc", None, 0.5645, None),
        ("hgcal-photon-e50", "AllShowers", "b1_ms", None, 94.0, None),
        ("hgcal-pion-e50", "Geant4", "showers", None, 98072, None),
        ("jetnet-g30", "iGAPT", "fpd_e3", None, 0.29, 0.04),
        ("jetnet-g30", "GAPT", "us_per_jet", "fpd-2211.10295", 9, None),
        ("jetnet-g30", "MPGAN", "w1efp_e5", None, 0.7, 0.2),
        ("jetnet-q30", "OmniLearn fine-tuned", "w1m_e3", None, 0.24, None),
        ("jetnet-t30", "PC-JeDi EM", "mmd", None, 0.0711, None),
        ("jetnet-t30", "GAST", "kpd_e6", None, -2.4, 17),
        ("jetnet-g150", "GAPT", "fpd_e3", None, 22.0, 0.1),
    ],
)
def test_published_values(
    board: str, model: str, metric: str, protocol: str | None, value: float, error: float | None
) -> None:
    found = entry(board, model, metric, protocol)
    assert found.value == value
    assert math.isnan(found.error) if error is None else found.error == error


def test_the_same_table_told_twice_agrees() -> None:
    """MPGAN's own paper and the later collection give the same numbers, to a digit of rounding."""
    for board in ("jetnet-g30", "jetnet-q30", "jetnet-t30"):
        own, told = (
            {e.metric: e for e in BOARDS[board].rows if e.model == "MPGAN" and e.protocol == p}
            for p in ("mpgan-2106.11535", "jetfuel-2026")
        )
        assert not any(e.second_hand for e in own.values())
        assert all(e.second_hand for e in told.values())
        assert told["fpnd"].value == pytest.approx(own["fpnd"].value, abs=0.011)
        assert told["w1m_e3"].value == pytest.approx(own["w1m_e3"].value, abs=0.05)
        assert told["w1p_e3"].value == pytest.approx(own["w1p_e3"].value, abs=0.2)


def test_defects_are_told() -> None:
    assert "balanced accuracy" in BOARDS["hgcal-photon-e5"].caveat
    assert "depends on the number of showers" in BOARDS["hgcal-photon-e5"].caveat
    assert "0.609" in BOARDS["ds1-pions"].caveat


def test_unknown_names_are_told() -> None:
    with pytest.raises(FacsimError, match="no leaderboard 'ds4': there are ds1-photons, ds1-pions, ds2, ds3, hgcal-"):
        find_board("ds4")
    with pytest.raises(FacsimError, match="'ds2' has no metric 'fpnd': it has params, auc_low"):
        find_board("ds2").metric("fpnd")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"protocol": "mine"}, "expected a source and a protocol"),
        ({"source": ""}, "expected a source and a protocol"),
        ({"fpd_e3": "1,5"}, "'1,5' in column 'fpd_e3' is no number"),
        ({"auc_mine": "0.5"}, "'auc_mine' that METRICS does not know"),
    ],
)
def test_broken_rows_are_refused(change: dict[str, str], message: str) -> None:
    line = dict(zip(KEYS, ("ds2", "A", "calochallenge-2022", "arXiv:1", ""), strict=True)) | {"fpd_e3": "1.5"}
    assert _entries("calochallenge", line)[0].value == 1.5
    with pytest.raises(FacsimError, match=message):
        _entries("calochallenge", line | change)
