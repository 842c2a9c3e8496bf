"""UHI JSON to arrays, ratios and ranges."""

from __future__ import annotations

import json
from typing import Any

import hist
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from uhi.io.json import default

from facsim.core.errors import FacsimError
from facsim.report.histograms import Histogram, occupied_range, ratio, read_uhi, readable_factor, relative_error

counts = st.lists(st.integers(0, 50), min_size=3, max_size=12).filter(lambda values: sum(values) > 0)


def make(values: list[int], under: float = 0.0, over: float = 0.0) -> Histogram:
    array = np.asarray(values, dtype=np.float64)
    return Histogram(np.arange(len(values) + 1.0), array, array, under, over)


@pytest.mark.parametrize("axis", [hist.axis.Regular(4, 0, 2), hist.axis.Variable([0, 0.1, 1, 2])])
@pytest.mark.parametrize("storage", [hist.storage.Weight(), hist.storage.Double(), hist.storage.Int64()])
def test_reads_what_hist_writes(axis: Any, storage: Any) -> None:
    filled = hist.Hist(axis, storage=storage)
    filled.fill(np.array([-1.0, 0.05, 0.3, 0.3, 1.7, 5.0, 6.0]))
    found = read_uhi(json.loads(json.dumps(filled, default=default)))
    np.testing.assert_allclose(found.edges, axis.edges)
    np.testing.assert_allclose(found.values, filled.values())
    np.testing.assert_allclose(found.variances, filled.variances())
    assert (found.underflow, found.overflow, found.total) == (1.0, 2.0, 7.0)


def test_reads_without_flow_bins() -> None:
    axis = {"type": "regular", "lower": 0, "upper": 3, "bins": 3}
    found = read_uhi({"axes": [axis], "storage": {"type": "double", "values": [1, 2, 3]}})
    assert found.total == 6
    np.testing.assert_allclose(found.fractions()[0], [1 / 6, 1 / 3, 1 / 2])
    np.testing.assert_allclose(found.fractions()[1], np.sqrt([1, 2, 3]) / 6)


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"axes": [], "storage": {"values": []}},
        {"axes": [{"type": "variable", "edges": [0, 1]}], "storage": {"values": [1, 2]}},
        {"axes": [{"type": "variable", "edges": ["a", "b"]}], "storage": {"values": [1]}},
    ],
)
def test_broken_histograms_are_told(broken: dict[str, Any]) -> None:
    with pytest.raises(FacsimError, match="UHI histogram"):
        read_uhi(broken)


@given(counts, st.integers(0, 20), st.integers(0, 20))
def test_fractions_and_outside_add_to_one(values: list[int], under: int, over: int) -> None:
    histogram = make(values, under, over)
    assert histogram.fractions()[0].sum() + histogram.outside == pytest.approx(1.0)


@given(counts)
def test_ratio_with_itself_is_one_where_filled(values: list[int]) -> None:
    value, error = ratio(make(values), make(values))
    filled = np.asarray(values) > 0
    np.testing.assert_allclose(value[filled], 1.0)
    np.testing.assert_allclose(error[filled], relative_error(make(values))[filled])
    assert np.all(np.isnan(value[~filled]))


@given(counts)
def test_occupied_range_keeps_every_filled_bin_of_small_samples(values: list[int]) -> None:
    low, high = occupied_range([make(values)])
    filled: NDArray[np.int64] = np.flatnonzero(values)
    assert low <= filled[0]
    assert high >= filled[-1] + 1


def test_occupied_range_of_empty_histograms_is_the_axis() -> None:
    assert occupied_range([make([0, 0, 0])]) == (0.0, 3.0)


@given(st.lists(st.integers(0, 50), min_size=12, max_size=12), st.sampled_from([1, 2, 3, 4, 6]))
def test_merging_keeps_all_entries(values: list[int], factor: int) -> None:
    merged = make(values, 2, 3).merged(factor)
    assert merged.total == sum(values) + 5
    assert len(merged.edges) == len(merged.values) + 1 == 12 // factor + 1
    assert (merged.edges[0], merged.edges[-1]) == (0.0, 12.0)


@pytest.mark.parametrize(
    ("values", "factor"),
    [
        ([100] * 12, 1),
        ([100, 0] * 6, 2),
        ([3] * 12, 4),
        ([0, 0, 5, 400, 380, 390, 410, 5, 0, 0, 0, 0], 1),
        ([1] * 12, 6),
    ],
)
def test_bins_are_merged_as_little_as_readable(values: list[int], factor: int) -> None:
    assert readable_factor(make(values)) == factor
