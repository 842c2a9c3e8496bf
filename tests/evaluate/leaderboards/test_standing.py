"""Where a new model stands."""

from __future__ import annotations

import math

import pytest

from facsim.core.errors import FacsimError
from facsim.evaluate.leaderboards import BOARDS, place


def test_between_two_published_models() -> None:
    (found,) = place("ds2", {"fpd_e3": (100.0, 20.0)})
    assert (found.rank, found.best_rank, found.worst_rank, found.models) == (2, 2, 3, 17)
    assert (found.better_model, found.better_value) == ("CaloDREAM", 24.65)
    assert (found.worse_model, found.worse_value) == ("CaloScore", 112.5)
    assert (found.truth, found.truth_error) == (10.78, 0.79)


def test_first_and_last() -> None:
    best, worst = (place("ds3", {"auc_high": value})[0] for value in (0.5, 1.1))
    assert (best.rank, best.better_model, best.worse_model) == (1, "", "CaloDREAM")
    assert math.isnan(best.better_value)
    assert best.to_dict()["better_value"] is None
    assert best.to_dict()["error"] is None
    assert (worst.rank, worst.worse_model) == (16, "")


@pytest.mark.parametrize("name", list(BOARDS))
def test_a_published_model_stands_where_it_stands(name: str) -> None:
    """Each published number, placed as if new, ranks behind exactly those that are better, in every metric."""
    board = BOARDS[name]
    for entry in board.rows:
        if entry.is_truth:
            continue
        (found,) = place(board, {entry.metric: entry.value}, protocol=entry.protocol)
        better = board.metric(entry.metric).better
        rows = [e for e in board.rows if (e.metric, e.protocol) == (entry.metric, entry.protocol) and not e.is_truth]
        assert found.models == len(rows)
        if better != "truth":
            sign = 1 if better == "lower" else -1
            assert found.rank == 1 + sum(sign * e.value < sign * entry.value for e in rows)
            assert found.worse_value == entry.value


def test_best_is_nearest_to_truth_where_there_is_no_best() -> None:
    (found,) = place("ds2", {"precision": 0.24})
    assert found.rank == 2  # CaloDiffusion has truth's own 0.239
    assert found.better_model == "CaloDiffusion"


def test_every_protocol_of_a_metric() -> None:
    found = place("jetnet-g30", {"fpd_e3": (0.2, 0.05)})
    assert [(s.protocol, s.models) for s in found] == [
        ("fpd-2211.10295", 2), ("igapt-2312.04757", 4), ("jetfuel-2026", 1),
    ]  # fmt: skip
    (one,) = place("jetnet-g30", {"fpd_e3": (0.2, 0.05)}, protocol="igapt-2312.04757")
    assert one == found[1]


def test_bad_requests_are_told() -> None:
    with pytest.raises(FacsimError, match="'fpd_e3' is nan: expected a finite number"):
        place("ds2", {"fpd_e3": math.nan})
    with pytest.raises(FacsimError, match="has no metric 'w1m_e3'"):
        place("ds2", {"w1m_e3": 1.0})
    with pytest.raises(FacsimError, match="has no 'fpd_e3' in protocol 'strict'"):
        place("ds2", {"fpd_e3": 1.0}, protocol="strict")
    with pytest.raises(FacsimError, match="no leaderboard"):
        place("ds5", {})
