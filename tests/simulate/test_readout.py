"""Read-outs of layers that differ: equal ones are a special case, and what is wrong is one sentence."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from facsim.core.errors import FacsimError
from facsim.core.rng import generator
from facsim.core.schema import calorimeter_schema
from facsim.physics.geometries import GEOMETRIES
from facsim.simulate.detector_files import load_detector
from facsim.simulate.gflash_media import readout
from facsim.simulate.readout import Readout

LAYER: dict[str, Any] = {"id": 0, "depth": 4.0, "n_alpha": 8, "r_edges": [0, 5, 10, 15]}
EQUAL = Readout(n_layers=3, n_alpha=8, n_r=3, depth=4.0, width=5.0)


def layered(*layers: dict[str, Any]) -> Readout:
    return Readout.model_validate({"layers": [{**LAYER, "id": i, **layer} for i, layer in enumerate(layers)]})


@given(st.integers(0, 1000))
def test_equal_layers_one_by_one_are_an_equal_readout(seed: int) -> None:
    points = generator(seed, "points").uniform(-16, 16, (200, 3))
    points[:20, 2] = np.linspace(-1e-7, 12, 20)
    np.testing.assert_array_equal(layered({}, {}, {}).cell_index(points), EQUAL.cell_index(points))
    assert layered({}, {}, {}).geometry("a", "pion", 0.1) == EQUAL.geometry("a", "pion", 0.1)


def test_points_fall_in_the_cell_of_their_layer() -> None:
    found = layered({"n_alpha": 1}, {"depth": 6.0, "n_alpha": 4, "r_edges": [2, 4]})
    points = np.array([[6, 0, 1], [0, 0, 5], [3, 0.1, 5], [-3, -0.1, 9.9], [3, 0.1, 10.1], [14.9, 0, 3.9]])
    assert found.cell_index(points).tolist() == [1, -1, 3 + 2, 3 + 0, -1, 2]
    assert (found.n_layers, found.n_alpha, found.n_r, found.depth, found.width) == (2, 4, 3, 4.0, 2.0)
    assert (found.n_cells, found.radius, found.z_edges.tolist()) == (7, 15.0, [0.0, 4.0, 10.0])


def test_descriptions_come_back_and_those_of_equal_layers_are_as_short_as_ever() -> None:
    found = layered({}, {"n_alpha": 2})
    assert Readout.model_validate(found.model_dump(mode="json")) == found
    assert set(EQUAL.model_dump()) == {"n_layers", "n_alpha", "n_r", "depth", "width"}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"layers": []}, r"'readout.layers' is "),
        ({"layers": 3}, r"'readout.layers' is 3"),
        ({"layers": [{**LAYER, "r_edges": [0, 5, 5]}]}, r"edges of rings must increase"),
        ({"layers": [{**LAYER, "n_alpha": 0}]}, r"'readout.layers.0.n_alpha' is 0"),
        ({"layers": [{**LAYER, "sectors": 0}]}, r"unknown key 'readout.layers.0.sectors'"),
        ({"layers": [LAYER], "n_alpha": 3}, r"takes its 'n_alpha' from them: leave it out"),
        ({"layers": [LAYER]}, r"its layers are 4 mm, the detector is 480 mm deep"),
        ({"n_layers": 3}, r"the key 'readout.n_alpha' is missing"),
    ],
)
def test_what_is_wrong_is_one_sentence(change: dict[str, Any], sentence: str) -> None:
    detector = load_detector("pb-lar-ds1").model_dump(mode="json")
    with pytest.raises(FacsimError, match=sentence):
        load_detector({**detector, "readout": change})


def test_the_ragged_preset_is_like_data_set_1() -> None:
    ours, theirs = load_detector("pb-lar-ds1").geometry("photon"), GEOMETRIES["ds1-photons"]
    assert [layer.id for layer in ours.layers] == [layer.id for layer in theirs.layers]
    assert ours.layers[:4] == theirs.layers[:4]
    assert ours.threshold == theirs.threshold
    assert ours.shape is None


def test_gflash_knows_the_depths_of_unequal_layers() -> None:
    detector = load_detector("pb-lar-ds1")
    schema = calorimeter_schema(
        detector.geometry("photon"), provenance={"settings": {"detector": detector.model_dump(mode="json")}}
    )
    found = readout(schema)
    np.testing.assert_allclose(found.depths[:, 1] - found.depths[:, 0], [8, 80, 280, 32, 80] / found.medium.x0)


def test_the_detectors_of_the_documentation_are_possible() -> None:
    page = (Path(__file__).parents[2] / "docs/index.md").read_text(encoding="utf-8")
    examples = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)]
    whole = next(example for example in examples if "stack" in example)
    layers = next(example for example in examples if set(example) == {"readout"})
    assert load_detector(whole).geometry().n_cells == 4800
    assert load_detector({**whole, **layers}).geometry().n_cells == 63
