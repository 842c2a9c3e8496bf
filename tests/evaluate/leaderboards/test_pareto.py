"""Pareto fronts: those of the published tables, and what makes a front a front."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facsim.core.errors import FacsimError
from facsim.evaluate.leaderboards import BOARDS, Point, front, points

PUBLISHED = {
    ("ds1-photons", "gpu_b100_ms", "auc_high"): ["CaloINN", "CaloFlow teacher", "CaloScore", "CaloDiffusion"],
    ("ds1-pions", "gpu_b100_ms", "auc_high"): ["DNN CaloSim", "CaloINN", "CaloDiffusion"],
    ("ds2", "gpu_b100_ms", "auc_high"): ["Calo-VQ", "MDMA", "CaloINN", "conv. L2LFlows", "CaloDREAM"],
    ("ds3", "gpu_b100_ms", "auc_high"): [
        "Calo-VQ", "MDMA", "CaloPointFlow", "CaloScore single-shot", "conv. L2LFlows", "CaloDREAM",
    ],
    ("ds1-photons", "cpu_b100_ms", "fpd_e3"): [
        "CaloVAE+INN", "CaloINN", "CaloFlow student", "CaloScore single-shot", "CaloScore distilled", "CaloDiffusion",
        "CaloScore",
    ],
    ("ds2", "cpu_b100_ms", "fpd_e3"): ["CaloVAE+INN", "MDMA", "DeepTree", "conv. L2LFlows", "CaloDREAM"],
    ("ds3", "cpu_b100_ms", "fpd_e3"): ["CaloVAE+INN", "Calo-VQ", "MDMA", "conv. L2LFlows", "CaloDREAM"],
    ("ds2", "params", "auc_high"): ["MDMA", "CaloDiffusion", "CaloDREAM"],
    ("ds3", "params", "auc_high"): ["MDMA", "CaloDiffusion", "CaloDREAM"],
}  # fmt: skip


@pytest.mark.parametrize(("case", "models"), list(PUBLISHED.items()), ids=["-".join(case) for case in PUBLISHED])
def test_fronts_of_the_challenge(case: tuple[str, str, str], models: list[str]) -> None:
    board, x, y = case
    assert [point.model for point in front(points(BOARDS[board], x, y))] == models


NUMBERS = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=12)


@given(NUMBERS, st.sampled_from(["lower", "higher"]), st.sampled_from(["lower", "higher"]))
def test_nothing_beats_the_front_and_the_front_beats_the_rest(
    pairs: list[tuple[int, int]], x_better: str, y_better: str
) -> None:
    found = [Point(str(i), "p", float(a), float(b)) for i, (a, b) in enumerate(pairs)]
    kept = front(found, x_better, y_better)  # type: ignore[arg-type]
    signs = [1 if better == "lower" else -1 for better in (x_better, y_better)]

    def beats(p: Point, q: Point) -> bool:
        return signs[0] * p.x < signs[0] * q.x and signs[1] * p.y < signs[1] * q.y

    assert kept
    assert [p.x for p in kept] == sorted(p.x for p in kept)
    assert not any(beats(p, q) for p in found for q in kept)
    assert all(any(beats(p, q) for p in kept) for q in found if q not in kept)


def test_higher_and_nearest_to_truth() -> None:
    found = [Point("a", "p", 1, 0.5), Point("b", "p", 2, 0.9), Point("c", "p", 3, 0.7)]
    assert [p.model for p in front(found, "lower", "higher")] == ["a", "b"]
    assert [p.model for p in front(found, "lower", "truth", (0.0, 0.7))] == ["a", "c"]


def test_models_of_another_protocol_do_not_beat() -> None:
    found = front(points(BOARDS["jetnet-g30"], "us_per_jet", "fpd_e3"))
    assert [(p.protocol, p.model) for p in found] == [
        ("fpd-2211.10295", "GAPT"), ("fpd-2211.10295", "MPGAN"), ("igapt-2312.04757", "iGAPT"),
    ]  # fmt: skip


def test_points_join_numbers_of_one_protocol_only() -> None:
    found = points(BOARDS["jetnet-g30"], "us_per_jet", "fpd_e3")
    assert {(p.model, p.protocol, p.x, p.y) for p in found} == {
        ("MPGAN", "fpd-2211.10295", 41, 0.30),
        ("GAPT", "fpd-2211.10295", 9, 0.66),
        ("MPGAN", "igapt-2312.04757", 142, 0.41),
        ("iGAPT", "igapt-2312.04757", 40, 0.29),
    }
    with pytest.raises(FacsimError, match="has no metric 'gpu_b100_ms'"):
        points(BOARDS["jetnet-g30"], "gpu_b100_ms", "fpd_e3")
