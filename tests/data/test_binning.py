"""Binning files and geometry descriptions: the challenge's format, both ways."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from facsim.core.errors import FacsimError
from facsim.core.geometry import CylinderGeometry, Layer
from facsim.data.binning import read_binning, write_binning
from facsim.data.geometry import load_geometry, write_geometry
from facsim.physics.geometries import GEOMETRIES

XML = """<Bins>
  <Bin pid="22" etaMin="0" etaMax="130" name="photon">
    <Layer id="0" r_edges="0,5,10.5" n_bin_alpha="1" />
    <Layer id="1" r_edges="0" n_bin_alpha="1" />
    <Layer id="2" r_edges="0, 1, 4, 7" n_bin_alpha="10"/>
  </Bin>
  <Bin pid="211" etaMin="0" etaMax="80" name="pion">
    <Layer id="0" r_edges="0,50" n_bin_alpha="4" />
  </Bin>
</Bins>
"""
LAYERS = st.lists(
    st.tuples(
        st.lists(st.floats(0, 1e4, allow_subnormal=False), min_size=2, max_size=5, unique=True), st.integers(1, 20)
    ),
    min_size=1,
    max_size=4,
)


def test_reads_the_challenge_format(tmp_path: Path) -> None:
    path = tmp_path / "binning.xml"
    path.write_text(XML)
    photon = read_binning(path, "photon", threshold=1.0)
    assert photon == CylinderGeometry(
        "binning", "photon", (Layer(0, (0.0, 5.0, 10.5), 1), Layer(2, (0.0, 1.0, 4.0, 7.0), 10)), 1.0
    )
    assert read_binning(path, "pion", name="mine").name == "mine"
    assert read_binning(path, "pion").n_cells == 4


@pytest.mark.parametrize("name", GEOMETRIES)
def test_built_in_geometries_round_trip_with_name_and_threshold(tmp_path: Path, name: str) -> None:
    path = tmp_path / "binning.xml"
    write_binning(path, GEOMETRIES[name])
    assert read_binning(path) == GEOMETRIES[name]
    assert load_geometry(str(path)) == GEOMETRIES[name]


@given(layers=LAYERS, first=st.integers(0, 3), step=st.integers(1, 3))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30)
def test_any_geometry_round_trips(tmp_path: Path, layers: list[tuple[list[float], int]], first: int, step: int) -> None:
    geometry = CylinderGeometry(
        "odd", "pion", tuple(Layer(first + step * i, tuple(sorted(e)), a) for i, (e, a) in enumerate(layers)), 0.25
    )
    write_binning(tmp_path / "odd.xml", geometry)
    assert read_binning(tmp_path / "odd.xml", "pion", threshold=0.25) == geometry
    write_geometry(tmp_path / "odd.json", geometry)
    assert load_geometry(tmp_path / "odd.json") == geometry


@pytest.mark.parametrize("name", GEOMETRIES)
def test_the_challenge_reader_finds_the_layers_by_their_place(tmp_path: Path, name: str) -> None:
    """Its reader numbers layers by position and takes a layer with one edge for unused: emulate that."""
    geometry = GEOMETRIES[name]
    write_binning(tmp_path / "binning.xml", geometry)
    (particle,) = ET.parse(tmp_path / "binning.xml").getroot()
    assert particle.attrib["name"] == geometry.particle
    rings = [len(layer.attrib["r_edges"].split(",")) - 1 for layer in particle]
    sectors = [int(layer.attrib["n_bin_alpha"]) for layer in particle]
    assert [int(layer.attrib["id"]) for layer in particle] == list(range(len(particle)))
    assert [place for place, n in enumerate(rings) if n > 0] == [layer.id for layer in geometry.layers]
    cells = np.multiply(rings, sectors)
    assert np.unique(np.cumsum([0, *cells])).tolist() == geometry.offsets.tolist()
    assert all(n == 1 for n, ring in zip(sectors, rings, strict=True) if ring == 0)


@pytest.mark.parametrize(
    ("text", "particle", "sentence"),
    [
        ("<Bins>", None, "is not valid XML"),
        ("<Other/>", None, "no element <Bin>"),
        (XML, None, r"describes \['photon', 'pion'\]: name the particle"),
        (XML, "electron", r"has no particle 'electron'; it has \['photon', 'pion'\]"),
        (XML.replace("10.5", "ten"), "photon", "not a number: .*'ten'"),
        (XML.replace("10.5", "4"), "photon", "layer 0 of geometry 'binning' needs increasing ring edges"),
        (XML.replace('id="2"', ""), "photon", "lacks the attribute 'id'"),
        (XML.replace('"0,50"', '"0"'), "pion", "has no layer"),
    ],
)
def test_broken_binning_files(tmp_path: Path, text: str, particle: str | None, sentence: str) -> None:
    path = tmp_path / "binning.xml"
    path.write_text(text)
    with pytest.raises(FacsimError, match=sentence):
        read_binning(path, particle)


def test_missing_binning_file(tmp_path: Path) -> None:
    with pytest.raises(FacsimError, match="No such file"):
        read_binning(tmp_path / "none.xml")


def test_layers_out_of_order_cannot_be_written(tmp_path: Path) -> None:
    geometry = CylinderGeometry("g", "pion", (Layer(3, (0, 1), 1), Layer(1, (0, 1), 1)))
    with pytest.raises(FacsimError, match=r"increase from 0 on; 'g' has \[3, 1\]"):
        write_binning(tmp_path / "binning.xml", geometry)


def test_geometry_from_mappings(tmp_path: Path) -> None:
    regular = {
        "name": "my",
        "particle": "gamma",
        "n_layers": 3,
        "n_alpha": 4,
        "n_r": 2,
        "dr_mm": 1.5,
        "threshold_MeV": 0,
    }
    assert load_geometry(regular).shape == (3, 4, 2)
    photons = GEOMETRIES["ds1-photons"]
    assert load_geometry(photons.to_dict()) == photons
    (tmp_path / "b.xml").write_text(XML)
    pion = load_geometry({"file": "b.xml", "particle": "pion", "threshold_MeV": 2}, tmp_path)
    assert (pion.particle, pion.threshold, pion.n_cells) == ("pion", 2.0, 4)
    write_geometry(tmp_path / "p.json", photons)
    assert load_geometry({"file": "p.json", "threshold_MeV": 3}, tmp_path).threshold == 3.0
    assert load_geometry("ds1-photons") is load_geometry(photons) is photons


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ("ds9", r"no built-in geometry 'ds9'.*or name a \.xml or \.json file"),
        ({"name": "g", "n_layer": 3}, "unknown key 'n_layer' in a geometry; expected"),
        (
            {"name": "g", "particle": "e", "n_layers": 3, "n_alpha": 1, "n_r": 1, "dr_mm": 1},
            "needs the key 'threshold_MeV'",
        ),
        ({"name": "g", "particle": "e", "threshold_MeV": 0, "layers": [{"id": 0}]}, "needs the key 'r_edges_mm'"),
        ({"name": "g", "particle": "e", "threshold_MeV": "x", "layers": []}, "not a number"),
        ({"file": "none.json"}, "does not exist"),
        ({"file": "none.xml", "radius": 1}, "unknown key 'radius'"),
    ],
)
def test_geometries_that_are_not(spec: str | dict[str, object], sentence: str) -> None:
    with pytest.raises(FacsimError, match=sentence):
        load_geometry(spec)
