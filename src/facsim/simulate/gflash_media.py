"""What a read-out cylinder consists of: its medium and the depth of each layer, for the GFlash baselines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.core.geometry import CylinderGeometry
from facsim.core.schema import Schema
from facsim.physics.gflash import FloatArray, Medium, Slab, effective_medium
from facsim.physics.materials import find_material
from facsim.simulate.baseline import cylinder

Period = Sequence[tuple[str, float, bool]]
Depths = Sequence[tuple[float, float]]

PAR04: Period = (("tungsten", 1.4, False), ("silicon", 0.3, True))
"""Geant4's Par04, the detector of CaloChallenge data sets 2 and 3 (arXiv 2410.21611, section 2): one of 90 pairs."""
PAR04_LAYERS, PAR04_LAYER_MM = 45, 3.4

ATLAS_BARREL: Period = (("lead", 1.53, False), ("liquid-argon", 4.2, True))
ATLAS_DEPTHS_X0: Mapping[int, tuple[float, float]] = {
    0: (1.7, 2.3),
    1: (2.3, 6.6),
    2: (6.6, 22.6),
    3: (22.6, 24.6),
    12: (26.0, 40.0),
}
"""Depth of the samplings of the ATLAS barrel near eta = 0.2 (JINST 3 S08003, section 5.2: 1.7 X0 before the presampler,
then 4.3, 16 and 2 X0); the cracks are rough. By layer number of CaloChallenge data set 1."""


@dataclass(frozen=True)
class Readout:
    """A read-out cylinder for the parametrisation.

    Args:
        medium: the calorimeter.
        depths: (L, 2) front and back of each layer, X0.
        edges: (L, R + 1) ring edges, Moliere radii; layers of fewer rings repeat the last edge.
        cell_ring: (V,) index of each cell in a flattened (L, R).
        n_alpha: (L,) sectors.
    """

    medium: Medium
    depths: FloatArray
    edges: FloatArray
    cell_ring: NDArray[np.int64]
    n_alpha: FloatArray

    @cached_property
    def cell_layer(self) -> NDArray[np.int64]:
        """Layer of each cell, (V,)."""
        return np.asarray(self.cell_ring // (self.edges.shape[1] - 1))

    @cached_property
    def first_cell(self) -> NDArray[np.int64]:
        """First cell of each layer, (L,)."""
        return np.flatnonzero(np.diff(self.cell_layer, prepend=-1))

    def spread(self, rings: FloatArray) -> FloatArray:
        """Ring sums (N, L, R) shared equally by the cells of each ring: (N, V)."""
        per_cell = rings / self.n_alpha[:, None]
        return np.asarray(per_cell.reshape(len(rings), -1)[:, self.cell_ring])


def readout(schema: Schema, period: Period | None = None, layer_depths: Depths | None = None) -> Readout:
    """The read-out of `schema`'s geometry.

    Args:
        schema: of showers on a cylinder.
        period: slabs (material, thickness in mm, read out or not) that repeat; by default the detector in the schema's
            provenance, else that of the CaloChallenge data set the geometry belongs to.
        layer_depths: front and back of each layer in mm, by default as for `period`.

    Raises:
        FacsimError: unknown material, or nothing says what the detector consists of.
    """
    geometry = cylinder(schema)
    described = _from_provenance(schema.provenance, geometry) or _from_challenge(geometry)
    if period is None or layer_depths is None:
        if described is None:
            raise FacsimError(
                f"nothing says what the detector of geometry '{geometry.name}' is made of: give GFlash 'period' "
                "[[material, mm, active], ...] and 'layer_depths' [[front mm, back mm], ...]."
            )
        period, layer_depths = period or described[0], layer_depths or described[1]
    slabs, depths = _checked(period, layer_depths, geometry.n_layers)
    medium = effective_medium(slabs)
    n_r = max(layer.n_r for layer in geometry.layers)
    edges = np.array([layer.r_edges + (layer.r_edges[-1],) * (n_r - layer.n_r) for layer in geometry.layers])
    return Readout(
        medium=medium,
        depths=depths / medium.x0,
        edges=edges / medium.moliere_radius,
        cell_ring=geometry.layer_index * n_r + geometry.ring_index,
        n_alpha=np.array([layer.n_alpha for layer in geometry.layers], np.float64),
    )


def _checked(period: Period, layer_depths: Depths, n_layers: int) -> tuple[list[Slab], FloatArray]:
    """Slabs of the period, and front and back of each layer (L, 2) in mm."""
    try:
        slabs = [Slab(find_material(str(name)), float(mm), bool(active)) for name, mm, active in period]
        depths = np.array([(float(front), float(back)) for front, back in layer_depths])
    except (TypeError, ValueError):
        raise FacsimError(
            "GFlash needs 'period' as [[material, mm, active], ...] and 'layer_depths' as [[front mm, back mm], ...], "
            f"not {period!r} and {layer_depths!r}."
        ) from None
    if len(depths) != n_layers:
        raise FacsimError(f"'layer_depths' has {len(depths)} entries for {n_layers} layers.")
    if np.any(depths[:, 0] < 0) or np.any(depths[:, 1] <= depths[:, 0]):
        raise FacsimError("every entry of 'layer_depths' needs a front >= 0 and a back behind it (mm).")
    return slabs, depths


def _from_provenance(provenance: Mapping[str, Any], geometry: CylinderGeometry) -> tuple[Period, Depths] | None:
    """Period and layer depths of the detector description that `facsim simulate` leaves in the provenance.

    Of a detector of several stacks the thickest one gives the period.
    """
    settings = provenance.get("settings")
    detector = settings.get("detector") if isinstance(settings, Mapping) else None
    if not isinstance(detector, Mapping) or "readout" not in detector:
        return None
    if detector.get("block"):
        slabs = [{**detector["block"], "active": True}]
    else:
        thickest = max(detector["stack"], key=lambda s: s["repeat"] * sum(la["thickness"] for la in s["layers"]))
        slabs = thickest["layers"]
    period = [(str(slab["material"]), float(slab["thickness"]), bool(slab["active"])) for slab in slabs]
    layers = detector["readout"].get("layers")
    if layers:
        back = np.cumsum([float(layer["depth"]) for layer in layers])
        return period, list(zip(np.concatenate([[0.0], back[:-1]]), back, strict=True))
    return period, _equal_layers(geometry.n_layers, float(detector["readout"]["depth"]))


def _from_challenge(geometry: CylinderGeometry) -> tuple[Period, Depths] | None:
    ids = [layer.id for layer in geometry.layers]
    if all(number in ATLAS_DEPTHS_X0 for number in ids) and 12 in ids:
        x0 = effective_medium([Slab(find_material(n), mm, active) for n, mm, active in ATLAS_BARREL]).x0
        return ATLAS_BARREL, [(ATLAS_DEPTHS_X0[n][0] * x0, ATLAS_DEPTHS_X0[n][1] * x0) for n in ids]
    if geometry.n_layers == PAR04_LAYERS and geometry.shape is not None:
        return PAR04, _equal_layers(PAR04_LAYERS, PAR04_LAYER_MM)
    return None


def _equal_layers(number: int, thickness: float) -> Depths:
    return [(i * thickness, (i + 1) * thickness) for i in range(number)]
