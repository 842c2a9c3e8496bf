"""Jets smeared by one number: the coarsest detector, a baseline of reconstructed jets given generator-level ones."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.core.events import EventSource, chunks
from facsim.core.geometry import FloatArray
from facsim.core.schema import Schema
from facsim.core.sources import batch_rows
from facsim.physics.jet_schema import PARTICLE_COLUMNS, is_jets
from facsim.physics.jets import jet_features
from facsim.simulate.baseline import Baseline, Sampled, check_count

PT = "gen_pt"
FEWEST = 20
"""Jets of a bin; bins of fewer are joined with the one before."""


@dataclass(kw_only=True)
class JetSmearing(Baseline):
    """The generator-level jet with the pT of all its particles multiplied by one Gaussian number, never below 0.

    Mean and width of the number are those of the ratio of reconstructed to generator-level pT (of the given particles)
    of training events, in bins of jet pT with as many jets each. Angles and number of particles stay; where jets have
    more particles than the reconstructed ones of training, the softest are left out.

    Args:
        bins: of pT, at most.
    """

    name: ClassVar[str] = "jet-smearing"
    resamples_truth: ClassVar[bool] = False

    bins: int = 10
    _schema: Schema = field(init=False, repr=False)
    _points: int = field(init=False, repr=False)
    _edges: FloatArray = field(init=False, repr=False)
    _mean: FloatArray = field(init=False, repr=False)
    _width: FloatArray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        check_count(self.name, "bins", self.bins, 1)

    @classmethod
    def unfit(cls, schema: Schema, **options: Any) -> str | None:
        columns = tuple(f.name for f in schema.features)
        if is_jets(schema) and schema.given and PT in [f.name for f in schema.scalar_conditions]:
            return None
        return (
            f"baseline '{cls.name}' needs jets with the columns {PARTICLE_COLUMNS}, the condition '{PT}' and given "
            f"points; the events have columns {columns} and {schema.given} given points."
        )

    def _fit(self, train: EventSource, seed: int) -> None:
        self._schema = train.schema
        parts, points = [], 0
        for batch in chunks(train, batch_rows(train)):
            x = batch.x if batch.mask is None else batch.x * batch.mask[..., None]
            gen = jet_features(self._schema.given_points(np.asarray(batch.cond, dtype=np.float64)))["pt"]
            reco = jet_features(np.asarray(x, dtype=np.float64))["pt"]
            parts.append(np.column_stack([batch.condition(PT), gen, reco]))
            points = max(points, x.shape[1])
        pt, gen, reco = np.concatenate(parts).T
        there = (gen > 0) & (reco > 0)
        if not there.any():
            raise FacsimError(f"baseline '{self.name}' needs jets with particles before and after the detector.")
        self._points, ratio, pt = points, reco[there] / gen[there], pt[there]
        bins = max(1, min(self.bins, len(pt) // FEWEST))
        self._edges = np.unique(np.quantile(pt, np.linspace(0, 1, bins + 1)))[1:-1]
        place = np.digitize(pt, self._edges)
        count = np.bincount(place, minlength=len(self._edges) + 1)
        self._mean = np.bincount(place, ratio, len(count)) / count
        square = np.bincount(place, (ratio - self._mean[place]) ** 2, len(count))
        self._width = np.sqrt(square / np.maximum(count - 1, 1))

    def sample(self, cond: NDArray[Any], rng: np.random.Generator) -> Sampled:
        cond = np.asarray(cond, dtype=np.float64)
        names = [f.name for f in self._schema.conditions]
        if cond.ndim != 2 or cond.shape[1] != len(names) or not np.isfinite(cond).all():
            raise FacsimError(f"expected finite conditions of shape (N, {len(names)}), not {cond.shape}.")
        place = np.digitize(cond[:, self._schema.condition_index(PT)], self._edges)
        scale = np.maximum(self._mean[place] + self._width[place] * rng.standard_normal(len(cond)), 0.0)
        given = self._schema.given_points(cond)
        order = np.argsort(-given[..., 2], axis=1, kind="stable")[:, : self._points]
        x = np.zeros((len(cond), self._points, 3), dtype=np.float32)
        x[:, : order.shape[1]] = np.take_along_axis(given, order[..., None], 1) * [1, 1, 0]
        x[:, : order.shape[1], 2] = np.take_along_axis(given[..., 2], order, 1) * scale[:, None]
        mask = x[..., 2] > 0
        return Sampled(x * mask[..., None], None, mask)

    @property
    def memory_bytes(self) -> int:
        return int(self._edges.nbytes + self._mean.nbytes + self._width.nbytes)
