"""Detectors: the presets, the read-out they promise, and one sentence for each impossible detector."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import yaml

from facsim.core.errors import FacsimError
from facsim.physics.geometries import GEOMETRIES
from facsim.simulate.detector_files import load_detector, preset_names
from facsim.simulate.g4data_materials import MATERIALS, elements_of

SANDWICH: dict[str, Any] = {
    "name": "sandwich",
    "stack": [
        {
            "repeat": 10,
            "layers": [
                {"material": "G4_Pb", "thickness": 2.0},
                {"material": "G4_lAr", "thickness": 3.0, "active": True},
            ],
        }
    ],
    "size": 200.0,
    "readout": {"n_layers": 10, "n_alpha": 8, "n_r": 5, "depth": 5.0, "width": 10.0},
}


def altered(path: str, value: Any) -> dict[str, Any]:
    """The sandwich with one value replaced, or a key added."""
    detector = copy.deepcopy(SANDWICH)
    *parents, last = path.split(".")
    place: Any = detector
    for part in parents:
        place = place[int(part)] if isinstance(place, list) else place[part]
    place[last] = value
    return detector


@pytest.mark.parametrize("name", preset_names())
def test_preset_is_possible_and_named_after_its_file(name: str) -> None:
    detector = load_detector(name)
    geometry = detector.geometry()
    assert geometry.name == name
    assert detector.readout.z_edges[-1] == pytest.approx(detector.depth)
    assert {z for material in detector.materials for z in MATERIALS[material]} == set(elements_of(detector.materials))


@pytest.mark.parametrize(
    ("preset", "challenge"), [("par04-w-si", "ds2-electrons"), ("par04-w-si-ds3", "ds3-electrons")]
)
def test_par04_has_the_cells_of_the_challenge(preset: str, challenge: str) -> None:
    ours, theirs = load_detector(preset).geometry("electron"), GEOMETRIES[challenge]
    assert ours.layers == theirs.layers
    assert ours.particle == theirs.particle
    assert ours.threshold == pytest.approx(theirs.threshold, rel=1e-12)


def test_the_list_of_presets_is_what_the_documentation_promises() -> None:
    assert preset_names() == ["fe-scint", "par04-w-si", "par04-w-si-ds3", "pb-lar", "pb-lar-ds1", "pbwo4"]


def test_layers_are_repeated_front_to_back() -> None:
    slabs = load_detector(SANDWICH).slabs()
    assert len(slabs) == 20
    assert [z for z, _ in slabs][:4] == [0.0, 2.0, 5.0, 7.0]
    assert [slab.active for _, slab in slabs[:2]] == [False, True]
    assert load_detector(SANDWICH).depth == 50.0


def test_a_block_is_one_active_slab() -> None:
    detector = load_detector("pbwo4")
    ((z, slab),) = detector.slabs()
    assert (z, slab.active, slab.thickness) == (0.0, True, detector.depth)


def test_a_file_is_read_like_a_mapping(tmp_path: Any) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(SANDWICH))
    assert load_detector(path) == load_detector(SANDWICH) == load_detector(str(path))
    assert load_detector(load_detector(path).model_dump(mode="json")) == load_detector(path)


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        ("stack.0.layers.0.thickness", 0.0, r"'stack.0.layers.0.thickness' is 0.0: .*greater than 0"),
        ("stack.0.layers.0.thickness", float("nan"), r"'stack.0.layers.0.thickness' is nan"),
        ("stack.0.layers.0.thickness", "thick", r"'stack.0.layers.0.thickness' is 'thick'"),
        ("stack.0.layers.0.material", "G4_lead", r"stack.0.layers.0.material: unknown material 'G4_lead'"),
        ("stack.0.layers.0.material", "pb", r"unknown material 'pb': did you mean G4_Pb"),
        ("stack.0.layers.0.material", "unobtainium-alloy", r"NIST names"),
        ("stack.0.layers.1.active", False, r"no layer is active"),
        ("stack.0.repeat", 0, r"'stack.0.repeat' is 0"),
        ("stack.0.layers", [], r"'stack.0.layers' is \[\]"),
        ("readout.depth", 50.0, r"10 cells of 50.0 mm are 500 mm, the detector is 50 mm deep"),
        ("readout.depth", 0.5, r"10 cells of 0.5 mm are 5 mm, the detector is 50 mm deep"),
        ("readout.width", 100.0, r"radius 500 mm is beyond half the size"),
        (
            "readout",
            {"n_layers": 50, "n_alpha": 1, "n_r": 1, "depth": 1.0, "width": 1.0},
            r"read-out layer 0 contains no",
        ),
        ("readout.n_rings", 3, r"unknown key 'readout.n_rings'"),
        ("treshold", 0.1, r"unknown key 'treshold', did you mean threshold"),
        ("threshold", -1.0, r"'threshold' is -1.0"),
        ("sampling_fraction", 0.0, r"'sampling_fraction' is 0.0"),
        ("block", {"material": "G4_Pb", "thickness": 1}, r"either 'stack' or 'block'"),
        ("physics", {"em": "option7"}, r"'physics.em' is 'option7'"),
        ("size", -3, r"'size' is -3"),
    ],
)
def test_an_impossible_detector_is_one_sentence(path: str, value: Any, sentence: str) -> None:
    with pytest.raises(FacsimError, match=sentence) as caught:
        load_detector(altered(path, value))
    assert "\n" not in str(caught.value)
    assert str(caught.value)[-1] in ".?"


def test_a_missing_key_is_named() -> None:
    with pytest.raises(FacsimError, match=r"the key 'readout' is missing"):
        load_detector({key: value for key, value in SANDWICH.items() if key != "readout"})


def test_unreadable_descriptions(tmp_path: Any) -> None:
    with pytest.raises(FacsimError, match="did you mean 'par04-w-si'"):
        load_detector("par04-wsi")
    with pytest.raises(FacsimError, match="expected one of"):
        load_detector("zzz")
    with pytest.raises(FacsimError, match="No such file"):
        load_detector(tmp_path / "absent.yaml")
    (tmp_path / "broken.yaml").write_text("a: [1, 2")
    with pytest.raises(FacsimError, match="not valid YAML"):
        load_detector(tmp_path / "broken.yaml")
    (tmp_path / "list.yaml").write_text("- 1\n- 2\n")
    with pytest.raises(FacsimError, match=r"list\.yaml"):
        load_detector(tmp_path / "list.yaml")


def test_elements_of_known_compounds() -> None:
    assert elements_of(["G4_PbWO4"]) == (8, 74, 82)
    assert elements_of(["G4_W", "G4_Si", "G4_Galactic"]) == (1, 14, 74)
    assert MATERIALS["G4_U"] == (92,)
    assert len(MATERIALS) == 292
    assert np.all(np.diff(elements_of(MATERIALS)) == 1)
    with pytest.raises(FacsimError, match="unknown material"):
        elements_of(["G4_NoSuch"])
