"""Merging: nothing lost, nothing counted twice, sums exact."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facsim.core.errors import FacsimError
from facsim.core.events import Events, make_events
from facsim.core.schema import Feature, Schema
from facsim.core.store import StoreReader, write_store
from facsim.engines.histograms import Binning, Filled, bin_quantities
from facsim.engines.merge import add_uhi, check_whole, merge_events, merge_histograms
from facsim.engines.shards import Job, cut, make
from facsim.report.histograms import read_uhi

from .conftest import MakeJob

SCHEMA = Schema("table", (Feature("x"), Feature("y", "MeV")), (Feature("c"),))


def _events(rng: np.random.Generator, n: int, weighted: bool) -> Events:
    weight = rng.normal(size=n) if weighted else None
    return make_events(SCHEMA, rng.normal(size=(n, 2)), rng.random((n, 1)), weight=weight)


def _filled(binning: Binning, parts: list[Events]) -> list[dict[str, Any]]:
    filled = Filled(binning)
    for part in parts:
        filled.fill(part)
    return filled.to_list()


@given(st.lists(st.integers(1, 40), min_size=1, max_size=6), st.booleans(), st.integers(0, 5))
def test_histograms_of_shards_add_up_to_that_of_all(sizes: list[int], weighted: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    binning = bin_quantities(_events(rng, 50, False), None)
    assert binning is not None
    parts = [_events(rng, n, weighted) for n in sizes]
    merged, whole = merge_histograms([_filled(binning, [part]) for part in parts]), _filled(binning, parts)
    assert [item["name"] for item in merged] == ["x", "y"]
    for one, other in zip(merged, whole, strict=True):
        a, b = read_uhi(one["uhi"]), read_uhi(other["uhi"])
        if weighted:
            np.testing.assert_allclose(a.values, b.values, atol=1e-12)
            np.testing.assert_allclose(a.variances, b.variances, atol=1e-12)
        else:
            np.testing.assert_array_equal(a.values, b.values)
            assert a.total == sum(sizes)
        assert one["moments"] == pytest.approx(other["moments"], abs=1e-9)
        assert one["moments"]["n"] == sum(sizes)


def test_moments_are_those_of_the_events() -> None:
    events = _events(np.random.default_rng(1), 300, False)
    binning = bin_quantities(events, None)
    assert binning is not None
    moments = _filled(Binning.from_dict(binning.to_dict()), [events[:100], events[100:]])[0]["moments"]
    assert moments["wx"] / moments["w"] == pytest.approx(events.x[:, 0].mean())
    assert moments["wxx"] / moments["w"] - (moments["wx"] / moments["w"]) ** 2 == pytest.approx(events.x[:, 0].var())


def test_different_histograms_are_not_added() -> None:
    rng = np.random.default_rng(2)
    first, second = (_filled(bin_quantities(_events(rng, 50, False), None), [_events(rng, 9, False)]) for _ in range(2))  # type: ignore[arg-type]
    with pytest.raises(FacsimError, match="different axes"):
        merge_histograms([first, second])
    with pytest.raises(FacsimError, match="different histograms"):
        merge_histograms([first, first[:1]])
    mean = {"axes": [], "storage": {"type": "mean", "values": [1.0]}}
    with pytest.raises(FacsimError, match="storage 'mean' cannot be added"):
        add_uhi([mean, mean])


def test_shards_are_merged_in_order(toy: MakeJob, tmp_path: Path) -> None:
    job, shards = toy(), cut(95, 10)
    stamps = {shard.index: make(job, shard) for shard in reversed(shards)}
    check_whole(job, shards, stamps)
    told: list[int] = []
    assert merge_events(job, shards, tmp_path / "all.h5", {"from": "toy"}, told.append) == 95
    found = StoreReader(tmp_path / "all.h5")
    events = found.read(0, 95)
    assert events.event_id.tolist() == list(range(95))
    assert found.schema.provenance == {"from": "toy"}
    assert told[-1] == 95
    part = StoreReader(job.file(shards[4])).read(0, 10)
    np.testing.assert_array_equal(events.x[40:50], part.x)


def test_missing_and_damaged_shards_are_refused(toy: MakeJob, tmp_path: Path) -> None:
    job, shards = toy(), cut(40, 10)
    stamps = {shard.index: make(job, shard) for shard in shards}
    lacking = {i: stamp for i, stamp in stamps.items() if i not in (1, 3)}
    with pytest.raises(FacsimError, match=r"2 of 4 shards in .* are missing \(1, 3\)"):
        check_whole(job, shards, lacking)
    with job.file(shards[2]).open("ab") as handle:
        handle.write(b"x")
    with pytest.raises(FacsimError, match=r"shard-000002\.h5' is not what was stamped"):
        check_whole(job, shards, stamps)
    write_store(job.file(shards[2]), [_events(np.random.default_rng(1), 7, False)])
    with pytest.raises(FacsimError, match="has 7 events in place of 10"):
        merge_events(job, shards, tmp_path / "all.h5", {})
    assert not (tmp_path / "all.h5").exists()


def test_clouds_of_different_size_are_padded(tmp_path: Path) -> None:
    schema = Schema("cloud", (Feature("x"),), (Feature("c"),))
    job, shards = Job("none:none", {}, tmp_path), cut(6, 3)
    for shard, points in zip(shards, (2, 5), strict=True):
        mask = np.ones((3, points), dtype=bool)
        events = make_events(schema, np.ones((3, points, 1)), np.ones((3, 1)), shard.first, mask=mask)
        write_store(job.file(shard), [events])
    merge_events(job, shards, tmp_path / "all.h5", {})
    found = StoreReader(tmp_path / "all.h5").read(0, 6)
    assert found.x.shape == (6, 5, 1)
    assert found.mask is not None
    assert found.mask.sum(axis=1).tolist() == [2, 2, 2, 5, 5, 5]
