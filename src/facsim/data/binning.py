"""The CaloChallenge's binning files: geometry as XML.

    <Bins>
      <Bin pid="22" etaMin="0" etaMax="130" name="photon">
        <Layer id="0" r_edges="0,5,10,30" n_bin_alpha="1"/>
        <Layer id="1" r_edges="0" n_bin_alpha="1"/>      a single edge: the layer is not read out
      </Bin>
    </Bins>

The challenge's own reader numbers layers by their place in the file, so `write_binning` fills every gap in the ids.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

from facsim.core.errors import FacsimError
from facsim.core.geometry import CylinderGeometry, Layer
from facsim.core.store import atomic_path
from facsim.physics.geometries import GEOMETRIES

PDG_IDS = {"photon": 22, "pion": 211, "electron": 11, "positron": -11, "muon": 13, "proton": 2212}


def read_binning(
    xml: Path, particle: str | None = None, *, name: str | None = None, threshold: float | None = None
) -> CylinderGeometry:
    """Geometry of one particle in a binning file.

    Args:
        xml: the binning file.
        particle: the `name` of the particle in the file (photon, pion, electron, ...); may be left out when the file
            describes only one.
        name: the geometry's name; by default that of the built-in geometry with the same layers, else the file's.
        threshold: cell energies below it (MeV) count as zero; by default the built-in geometry's, else 0. Binning
            files do not hold it.

    Raises:
        FacsimError: not a readable binning file, no such particle, or layers that make no geometry.
    """
    bins = _parse(xml)
    names = [entry.get("name", "") for entry in bins]
    if particle is None and len(bins) > 1:
        raise FacsimError(f"'{xml}' describes {names}: name the particle whose geometry is meant.")
    if particle is not None and particle not in names:
        raise FacsimError(f"'{xml}' has no particle '{particle}'; it has {names}.")
    entry = bins[0 if particle is None else names.index(particle)]
    layers = tuple(layer for element in entry.findall("Layer") if (layer := _layer(element, xml)) is not None)
    known = next((g for g in GEOMETRIES.values() if g.layers == layers), None)
    if name is None:
        name = known.name if known and known.particle == entry.get("name") else xml.stem
    if threshold is None:
        threshold = known.threshold if known else 0.0
    return CylinderGeometry(name, entry.get("name", ""), layers, threshold)


def _parse(xml: Path) -> list[ET.Element]:
    try:
        root = ET.parse(xml).getroot()
    except OSError as error:
        raise FacsimError(f"cannot read the binning file '{xml}': {error.strerror}.") from None
    except ET.ParseError as error:
        raise FacsimError(f"'{xml}' is not valid XML: {error}.") from None
    bins = root.findall("Bin")
    if not bins:
        raise FacsimError(f"'{xml}' is not a binning file: it has no element <Bin>.")
    return bins


def _layer(element: ET.Element, xml: Path) -> Layer | None:
    """The layer of a <Layer> element, None when it is not read out."""
    try:
        edges = tuple(float(edge) for edge in element.attrib["r_edges"].split(","))
        layer = Layer(int(element.attrib["id"]), edges, int(element.attrib["n_bin_alpha"]))
    except KeyError as error:
        raise FacsimError(f"a <Layer> of '{xml}' lacks the attribute {error}.") from None
    except ValueError as error:
        raise FacsimError(f"a <Layer> of '{xml}' holds something that is not a number: {error}.") from None
    return layer if layer.n_r > 0 else None


def write_binning(path: Path, geometry: CylinderGeometry) -> None:
    """Write `geometry` as a binning file that the challenge's scripts accept, atomically.

    Layer ids need not be consecutive, but must increase from 0 or more, since the challenge's reader tells layers by
    their place. The threshold is not part of the format.

    Raises:
        FacsimError: layer ids that do not increase, or the file cannot be written.
    """
    ids = [layer.id for layer in geometry.layers]
    if ids != sorted(set(ids)) or ids[0] < 0:
        raise FacsimError(f"a binning file needs layer ids that increase from 0 on; '{geometry.name}' has {ids}.")
    root = ET.Element("Bins")
    pid = str(PDG_IDS.get(geometry.particle, 0))
    entry = ET.SubElement(root, "Bin", pid=pid, etaMin="0", etaMax="0", name=geometry.particle)
    used = {layer.id: layer for layer in geometry.layers}
    for number in range(ids[-1] + 1):
        layer = used.get(number, Layer(number, (0.0,), 1))
        edges = ",".join(repr(float(edge)).removesuffix(".0") for edge in layer.r_edges)
        ET.SubElement(entry, "Layer", id=str(number), r_edges=edges, n_bin_alpha=str(layer.n_alpha))
    ET.indent(root)
    with atomic_path(path) as temporary:
        ET.ElementTree(root).write(temporary, encoding="utf-8")
