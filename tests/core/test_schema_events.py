"""Schemas survive JSON; batches of events keep their arrays together."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facsim.core.errors import FacsimError, MissingExtraError
from facsim.core.events import Events, chunks, concatenate, make_events
from facsim.core.geometry import regular_cylinder
from facsim.core.schema import Feature, Schema, calorimeter_schema, given_conditions, parse_schema
from facsim.core.sources import MemorySource

GEOMETRY = regular_cylinder("small", "electron", 2, 3, 4, 1.0, 0.01)
FEATURES = st.lists(
    st.builds(Feature, st.sampled_from(["pt", "Ünïcode \u03b8", ""]), st.sampled_from(["MeV", "mm", ""])), max_size=4
).map(tuple)
SCHEMAS = st.builds(
    Schema,
    st.sampled_from(["table", "grid", "cloud"]),
    FEATURES,
    FEATURES,
    st.sampled_from([None, GEOMETRY]),
    st.dictionaries(st.sampled_from(["seed", "file", "θ"]), st.integers() | st.floats(allow_nan=False), max_size=3),
)


def showers(n: int) -> Events:
    x = np.arange(n * GEOMETRY.n_cells, dtype=np.float32).reshape(n, -1, 1)
    return make_events(calorimeter_schema(GEOMETRY), x, np.arange(1.0, n + 1)[:, None], weight=np.ones(n))


@given(SCHEMAS)
def test_schema_round_trip(schema: Schema) -> None:
    back = parse_schema(json.dumps(schema.to_dict()), "here")
    assert back == schema
    assert back.provenance == schema.provenance


def test_given_points_are_the_last_conditions() -> None:
    features = (Feature("etarel"), Feature("phirel", "rad"), Feature("ptrel"))
    scalars = (Feature("gen_pt", "GeV"), Feature("gen_eta"))
    schema = Schema("cloud", features, (*scalars, *given_conditions(4, features, "gen")), points=5, given=4)
    assert [f.name for f in schema.conditions[4:6]] == ["gen0_ptrel", "gen1_etarel"]
    assert schema.scalar_conditions == scalars
    cond = np.arange(28.0).reshape(2, 14)
    assert schema.scalars(cond).tolist() == [[0, 1], [14, 15]]
    assert schema.given_points(cond)[1, 0].tolist() == [16, 17, 18]
    back = parse_schema(json.dumps(schema.to_dict()), "here")
    assert back == schema
    assert back.given == 4


def test_files_without_given_points_say_nothing_of_them() -> None:
    schema = calorimeter_schema(GEOMETRY)
    assert "given" not in schema.to_dict()
    assert schema.scalar_conditions == schema.conditions
    assert schema.given_points(np.ones((3, 1))).shape == (3, 0, 3)


@pytest.mark.parametrize("given", [1, -1, 0.5, True, "2", None])
def test_given_points_need_their_conditions(given: object) -> None:
    text = json.dumps({**Schema("cloud", (), (Feature("a"), Feature("b"))).to_dict(), "given": given})
    with pytest.raises(FacsimError, match="given points"):
        parse_schema(text, "here")


@pytest.mark.parametrize("text", [None, "", "{", "[1]", '{"representation": 1}', '{"representation": "grid"}'])
def test_broken_stored_schema_is_one_sentence(text: str | None) -> None:
    with pytest.raises(FacsimError, match=r"schema|representation"):
        parse_schema(text, "file.h5")


def test_unknown_condition_lists_the_known() -> None:
    with pytest.raises(FacsimError, match=r"no condition 'theta'; they have \['incident_energy'\]"):
        showers(2).condition("theta")


@given(st.integers(1, 20), st.integers(1, 25))
def test_chunks_joined_are_the_whole(n: int, size: int) -> None:
    events = showers(n)
    parts = list(chunks(MemorySource(events), size))
    assert [len(part) for part in parts[:-1]] == [size] * (len(parts) - 1)
    joined = concatenate(parts)
    for name in ("x", "cond", "event_id", "group_id", "weight"):
        np.testing.assert_array_equal(getattr(joined, name), getattr(events, name))


def test_chunks_of_a_range() -> None:
    ids = np.concatenate([part.event_id for part in chunks(MemorySource(showers(10)), 3, start=2, stop=9)])
    assert ids.tolist() == [2, 3, 4, 5, 6, 7, 8]


def test_indexing_keeps_rows_together() -> None:
    events = showers(5)
    picked = events[np.array([3, 1])]
    assert picked.event_id.tolist() == [3, 1]
    np.testing.assert_array_equal(picked.cells, events.cells[[3, 1]])
    np.testing.assert_array_equal(picked.condition("incident_energy"), [4.0, 2.0])
    assert picked.mask is None


def test_arrays_of_different_length_are_refused() -> None:
    events = showers(3)
    with pytest.raises(FacsimError, match="'cond' has 2 entries for 3 events"):
        Events(events.schema, events.x, events.cond[:2], events.event_id, events.group_id)


def test_cells_are_for_one_channel_grids() -> None:
    table = make_events(Schema("table", (Feature("a"),)), np.zeros((2, 1)), np.zeros((2, 0)))
    with pytest.raises(FacsimError, match="expected a grid with one channel, not table"):
        _ = table.cells


def test_joining_nothing_is_refused() -> None:
    with pytest.raises(FacsimError, match="no events to join"):
        concatenate([])


def test_missing_extra_says_what_to_install() -> None:
    assert str(MissingExtraError("root", "uproot")).endswith("run pip install 'facsim[root]'.")
