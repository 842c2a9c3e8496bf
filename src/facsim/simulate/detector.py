"""A detector in a short YAML: layers or a block of material, and the read-out cylinder laid over it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from facsim.core.geometry import CylinderGeometry
from facsim.simulate.g4data_materials import MATERIALS, unknown_material
from facsim.simulate.readout import Millimetres, Readout, Section

TOLERANCE = 1e-6
EM_MODELS = ("standard", "option1", "option2", "option3", "option4", "livermore", "penelope")
MINIATURE_EM_MODELS = EM_MODELS[:3]


def _known_material(name: str) -> str:
    if name not in MATERIALS:
        raise ValueError(unknown_material(name))
    return name


class Slab(Section):
    """One layer: a Geant4 NIST material, its thickness in mm, and whether its deposits are read out."""

    material: Annotated[str, AfterValidator(_known_material)]
    thickness: Millimetres
    active: bool = False


class Stack(Section):
    """Layers in the order the particle meets them, repeated."""

    repeat: Annotated[int, Field(ge=1)] = 1
    layers: Annotated[list[Slab], Field(min_length=1)]


class Physics(Section):
    """Geant4's physics: the electromagnetic constructor and the hadronic list.

    `auto` takes FTFP_BERT for hadrons and no list of hadronic physics for electrons, photons and muons, in whose
    showers Geant4 then makes hadrons by photonuclear reactions alone.
    """

    em: Literal["standard", "option1", "option2", "option3", "option4", "livermore", "penelope"] = "standard"
    hadronic: Literal["auto", "none", "FTFP_BERT", "QGSP_BERT", "FTFP_BERT_HP", "QGSP_BERT_HP", "QGSP_BIC_HP"] = "auto"

    def hadronic_model(self, hadrons: bool) -> str | None:
        """Geant4's name of the hadronic list for a beam with or without hadrons."""
        if self.hadronic == "auto":
            return "FTFP_BERT" if hadrons else None
        return None if self.hadronic == "none" else self.hadronic

    @property
    def needs_official_data(self) -> bool:
        """Whether these models read data that only Geant4's own data sets hold."""
        return self.em not in MINIATURE_EM_MODELS or self.hadronic.endswith("_HP")


class Detector(Section):
    """A planar calorimeter in vacuum and its read-out.

    Args:
        name: short name; becomes the name of the geometry.
        stack: repeated groups of layers, front to back; or
        block: one homogeneous, active slab.
        size: full width of the detector across the beam, mm.
        readout: the read-out cylinder.
        sampling_fraction: deposits are divided by it, so that a cell holds an estimate of all energy lost there.
        threshold: cells below this energy (MeV, after the division) are set to zero.
        cut: Geant4's production cut, mm.
        physics: Geant4's physics models.
    """

    name: Annotated[str, Field(min_length=1)]
    description: str = ""
    stack: Annotated[list[Stack], Field(min_length=1)] | None = None
    block: Slab | None = None
    size: Millimetres = 1000.0
    readout: Readout
    sampling_fraction: Annotated[float, Field(gt=0, le=1)] = 1.0
    threshold: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    cut: Millimetres = 0.7
    physics: Physics = Physics()

    @model_validator(mode="after")
    def _possible(self) -> Detector:
        if (self.stack is None) == (self.block is None):
            raise ValueError("a detector has either 'stack' or 'block'")
        slabs = self.slabs()
        if not any(slab.active for _, slab in slabs):
            raise ValueError("no layer is active, so nothing would be read out: mark one with 'active: true'")
        read, depth = float(self.readout.z_edges[-1]), self.depth
        if not 0.5 * depth <= read <= depth + TOLERANCE:
            cells = "its layers" if self.readout.layers else f"{self.readout.n_layers} cells of {self.readout.depth} mm"
            raise ValueError(
                f"the read-out does not match: {cells} are {read:g} mm, the detector is {depth:g} mm deep "
                "(allowed: half of it to all of it)"
            )
        radius = self.readout.radius
        if radius > self.size / 2 + TOLERANCE:
            raise ValueError(
                f"the read-out does not match: its radius {radius:g} mm is beyond half the size {self.size} mm"
            )
        blind = self._blind_layer()
        if blind is not None:
            raise ValueError(f"the read-out does not match: read-out layer {blind} contains no active material")
        return self

    def _blind_layer(self) -> int | None:
        """First read-out layer without active material."""
        spans = [(z, z + slab.thickness) for z, slab in self.slabs() if slab.active]
        edges = self.readout.z_edges
        for i, (front, back) in enumerate(zip(edges[:-1] + TOLERANCE, edges[1:] - TOLERANCE, strict=True)):
            if not any(a < back and b > front for a, b in spans):
                return i
        return None

    def slabs(self) -> list[tuple[float, Slab]]:
        """Every layer with the depth of its front face (mm), front to back."""
        if self.block is not None:
            return [(0.0, self.block.model_copy(update={"active": True}))]
        layers = [slab for group in self.stack or () for _ in range(group.repeat) for slab in group.layers]
        found, z = [], 0.0
        for slab in layers:
            found.append((z, slab))
            z = round(z + slab.thickness, 9)
        return found

    @property
    def depth(self) -> float:
        """Thickness of the whole detector, mm."""
        z, last = self.slabs()[-1]
        return round(z + last.thickness, 9)

    @property
    def materials(self) -> set[str]:
        return {slab.material for _, slab in self.slabs()}

    def geometry(self, particle: str = "electron") -> CylinderGeometry:
        """The read-out cells; `particle` as the CaloChallenge names it (electron, photon, pion)."""
        return self.readout.geometry(self.name, particle, self.threshold)
