"""What parametrised showers share: the longitudinal profile integrated over layers, and the sampling in chunks."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.core.geometry import CylinderGeometry
from facsim.core.schema import Schema
from facsim.physics.gflash import FloatArray
from facsim.simulate.baseline import Sampled, ShowerBaseline, check_count, checked_conditions, cylinder
from facsim.simulate.gflash_media import Depths, Period, Readout, readout

ELECTROMAGNETIC = ("electron", "positron", "photon", "gamma", "e-", "e+")
CELLS_AT_ONCE = 650_000


def layer_fractions(depths: FloatArray, start: FloatArray, t_max: FloatArray, alpha: FloatArray) -> FloatArray:
    """Fraction of the gamma profile in each layer, (N, L), in closed form.

    Args:
        depths: (L, 2) front and back, X0.
        start: (N,) depth where the shower starts, X0.
        t_max: (N,) depth of the maximum from there, X0.
        alpha: (N,) shape.
    """
    from scipy.special import gammainc  # noqa: PLC0415 - not needed to import facsim

    beta = ((alpha - 1.0) / t_max)[:, None]
    at = [gammainc(alpha[:, None], beta * np.maximum(depths[:, side] - start[:, None], 0.0)) for side in (0, 1)]
    return np.asarray(at[1] - at[0])


def conversion_depth(size: int, particle: str, rng: np.random.Generator) -> FloatArray:
    """Depth where `size` showers start, X0: photons convert after an exponential of mean 9/7, electrons at once."""
    return rng.exponential(9.0 / 7.0, size) if particle in ("photon", "gamma") else np.zeros(size)


@dataclass(kw_only=True)
class Parametrisation(ShowerBaseline):
    """A baseline that makes showers from formulas.

    Args:
        period: slabs (material, mm, read out or not) of the calorimeter, by default from the data: see `readout`.
        layer_depths: front and back of each layer, mm, likewise.
        events: number of training events used to calibrate or fit.
    """

    resamples_truth = False

    period: Period | None = None
    layer_depths: Depths | None = None
    events: int = 1000
    _schema: Schema = field(init=False, repr=False)
    _readout: Readout = field(init=False, repr=False)

    def __post_init__(self) -> None:
        check_count(self.name, "events", self.events, 1)

    @classmethod
    def unfit(cls, schema: Schema, **options: Any) -> str | None:
        reason = super().unfit(schema, **options)
        if reason is not None:
            return reason
        if not isinstance(schema.geometry, CylinderGeometry):
            return f"baseline '{cls.name}' needs showers on a cylinder, and the cells of these lie otherwise."
        if cylinder(schema).particle not in ELECTROMAGNETIC:
            particle = cylinder(schema).particle
            return f"baseline '{cls.name}' describes electron and photon showers, not {particle} showers."
        try:
            readout(schema, options.get("period"), options.get("layer_depths"))
        except FacsimError as error:
            return str(error)
        return None

    def _prepare(self, schema: Schema) -> None:
        self._schema, self._readout = schema, readout(schema, self.period, self.layer_depths)

    @property
    def particle(self) -> str:
        return cylinder(self._schema).particle

    def sample(self, cond: NDArray[np.float64], rng: np.random.Generator) -> Sampled:
        cond = checked_conditions(cond, self._schema)
        energy = cond[:, self._schema.condition_index("incident_energy")]
        return Sampled(self._cells(energy, rng)[..., None])

    def _parts(self, energy: FloatArray, rng: np.random.Generator) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """Cell energies (n, V) MeV, thresholds applied, of some showers at a time, to bound the memory."""
        step = max(1, CELLS_AT_ONCE // len(self._readout.cell_ring))
        threshold = cylinder(self._schema).threshold
        for first in range(0, len(energy), step):
            part = slice(first, min(first + step, len(energy)))
            cells = self._shower(energy[part], rng).astype(np.float32, copy=False)
            cells[cells < threshold] = 0.0
            yield part, cells

    def _cells(self, energy: FloatArray, rng: np.random.Generator) -> NDArray[np.float32]:
        """Cell energies of all showers, (N, V) MeV."""
        cells = np.empty((len(energy), len(self._readout.cell_ring)), np.float32)
        for part, some in self._parts(energy, rng):
            cells[part] = some
        return cells

    @abstractmethod
    def _shower(self, energy: FloatArray, rng: np.random.Generator) -> NDArray[Any]:
        """Cell energies (N, V) MeV before the threshold."""

    @property
    def memory_bytes(self) -> int:
        out = self._readout
        return int(out.depths.nbytes + out.edges.nbytes + out.cell_ring.nbytes + out.n_alpha.nbytes)
