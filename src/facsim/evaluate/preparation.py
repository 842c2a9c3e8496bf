"""What a network reads: events standardised with numbers fitted on the training part only, without labels."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.evaluate.labelled import Sample
from facsim.models.nets.classifiers import Inputs

FloatArray = NDArray[np.float64]
DEGREE = 4
LIMIT = 8.0


class Preparation(Protocol):
    """Fitted on a training part; `inputs` are the shapes for the network, `network` its name in `NETWORKS`."""

    network: str
    inputs: Inputs

    def __call__(self, sample: Sample) -> tuple[NDArray[Any], NDArray[Any]]:
        """x (N, ...) and context (N, K), float."""
        ...


class Standardise:
    """Columns without their smooth dependence on the conditions, at mean 0 and spread 1, limited to +-8.

    The dependence (Legendre polynomials to degree 4 in each condition) is fitted like the rest: with it E_tot is
    judged beside what E_inc lets one expect. Columns that do not vary become 0. Conditions come first in the result.
    """

    def __init__(self, x: FloatArray, cond: FloatArray | None) -> None:
        self._low = np.zeros(0) if cond is None else cond.min(axis=0)
        self._high = np.zeros(0) if cond is None else cond.max(axis=0)
        self._distinct = [] if cond is None else [len(np.unique(column)) for column in cond.T]
        self._slopes = np.linalg.lstsq(self._design(len(x), cond), x, rcond=None)[0]
        rest = self._joined(x, cond)
        self._mean, self._spread = rest.mean(axis=0), rest.std(axis=0)
        size = np.abs(np.concatenate([cond, x], axis=1) if cond is not None else x).max(axis=0, initial=0.0)
        self._varies = self._spread > 1e-9 * size + 1e-300

    def __call__(self, x: FloatArray, cond: FloatArray | None) -> NDArray[np.float32]:
        """(N, D) and (N, K) to (N, K + D)."""
        z = (self._joined(x, cond) - self._mean) / np.where(self._varies, self._spread, np.inf)
        return np.asarray(np.clip(z, -LIMIT, LIMIT), dtype=np.float32)

    def _design(self, n: int, cond: FloatArray | None) -> FloatArray:
        parts = [np.ones((n, 1))]
        for k, distinct in enumerate(self._distinct):
            assert cond is not None
            degree = min(DEGREE, distinct - 1)
            if degree > 0:
                place = 2 * (cond[:, k] - self._low[k]) / (self._high[k] - self._low[k]) - 1
                parts.append(np.polynomial.legendre.legvander(np.clip(place, -1, 1), degree)[:, 1:])
        return np.hstack(parts)

    def _joined(self, x: FloatArray, cond: FloatArray | None) -> FloatArray:
        rest = x - self._design(len(x), cond) @ self._slopes
        return rest if cond is None else np.hstack([cond, rest])


def _cond(sample: Sample) -> FloatArray | None:
    return None if sample.cond is None else np.asarray(sample.cond, dtype=np.float64)


def _table(sample: Sample) -> FloatArray:
    if sample.x.ndim != 2:
        raise FacsimError(f"a network for tables needs features (N, D), not {sample.x.shape}.")
    return np.asarray(sample.x, dtype=np.float64)


class TablePreparation:
    """A table, standardised."""

    def __init__(self, sample: Sample) -> None:
        x = _table(sample)
        self._standardise = Standardise(x, _cond(sample))
        conditions = 0 if sample.cond is None else sample.cond.shape[1]
        self.network, self.inputs = "table", Inputs((x.shape[1] + conditions,))

    def __call__(self, sample: Sample) -> tuple[NDArray[Any], NDArray[Any]]:
        x = self._standardise(_table(sample), _cond(sample))
        return x, np.zeros((len(x), 0), dtype=np.float32)


class GridPreparation:
    """Cells as log(1 + E / e) over their spread, e a low quantile of lit cells; layer sums and total as context."""

    def __init__(self, sample: Sample) -> None:
        shape, layers = _grid_shape(sample)
        self._shape, self._layers = shape, layers
        self.network = "grid" if len(shape) == 3 else "layers"
        cells = self._cells(sample)
        lit = cells[cells > 0]
        self._unit = float(np.quantile(lit, 0.05)) if len(lit) else 1.0
        self._scale = float(np.log1p(lit / self._unit).std()) if len(lit) else 1.0
        self._scale = self._scale if self._scale > 0 else 1.0
        self._standardise = Standardise(self._sums(cells), _cond(sample))
        conditions = 0 if sample.cond is None else sample.cond.shape[1]
        self.inputs = Inputs(shape, 2 * len(layers) + 2 + conditions, layers if len(shape) == 1 else ())

    def _cells(self, sample: Sample) -> NDArray[np.float32]:
        return np.asarray(sample.x, dtype=np.float32).reshape(len(sample), -1)

    def _sums(self, cells: NDArray[np.float32]) -> FloatArray:
        """Logarithms of layer energies and of the total, numbers of lit cells a layer and in all."""
        starts = np.concatenate([[0], np.cumsum(self._layers)[:-1]]).astype(int)
        energy, lit = (
            np.add.reduceat(cells, starts, axis=1, dtype=float),
            np.add.reduceat(cells > 0, starts, axis=1, dtype=float),
        )
        log = [np.log(np.maximum(e, 0) + self._unit) for e in (energy, energy.sum(axis=1, keepdims=True))]
        return np.hstack([log[0], lit, log[1], lit.sum(axis=1, keepdims=True)])

    def __call__(self, sample: Sample) -> tuple[NDArray[Any], NDArray[Any]]:
        cells = self._cells(sample)
        x = np.sign(cells) * np.log1p(np.abs(cells) / self._unit) / self._scale
        context = self._standardise(self._sums(cells), _cond(sample))
        return x.reshape(len(x), *self._shape).astype(np.float32), context


def _grid_shape(sample: Sample) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Shape for the network, and cells of each layer."""
    if sample.x.ndim == 4:
        layers, angles, rings = sample.x.shape[1:]
        return (layers, angles, rings), (angles * rings,) * layers
    geometry, cells = sample.geometry, int(np.prod(sample.x.shape[1:]))
    if geometry is None or geometry.n_cells != cells:
        raise FacsimError(
            f"a grid needs cells of shape (N, layers, angles, rings), or (N, V) and 'geometry' with V cells; "
            f"they are {sample.x.shape} and the geometry has {None if geometry is None else geometry.n_cells}."
        )
    return geometry.shape or (cells,), tuple(layer.n_cells for layer in geometry.layers)


class CloudPreparation:
    """Point features standardised over real points; number of points and means of features as context."""

    def __init__(self, sample: Sample) -> None:
        if sample.x.ndim != 3:
            raise FacsimError(f"a cloud needs points of shape (N, P, F), not {sample.x.shape}.")
        real = sample.x[_mask(sample)].astype(np.float64)
        if not len(real):
            raise FacsimError("no event of the cloud has a point: check 'mask'.")
        self._mean, spread = real.mean(axis=0), real.std(axis=0)
        self._spread = np.where(spread > 1e-9 * np.abs(real).max(axis=0), spread, np.inf)
        self._standardise = Standardise(self._sums(sample), _cond(sample))
        conditions = 0 if sample.cond is None else sample.cond.shape[1]
        self.network, self.inputs = "cloud", Inputs(sample.x.shape[1:], sample.x.shape[2] + 1 + conditions)

    def _sums(self, sample: Sample) -> FloatArray:
        count = _mask(sample).sum(axis=1, keepdims=True)
        total = np.where(_mask(sample)[..., None], sample.x, 0).astype(np.float64).sum(axis=1)
        return np.hstack([count, total / np.maximum(count, 1)])

    def __call__(self, sample: Sample) -> tuple[NDArray[Any], NDArray[Any]]:
        z = np.clip((sample.x - self._mean) / self._spread, -LIMIT, LIMIT)
        x = np.where(_mask(sample)[..., None], z, 0).astype(np.float32)
        return x, self._standardise(self._sums(sample), _cond(sample))


def _mask(sample: Sample) -> NDArray[np.bool_]:
    if sample.mask is None:
        return np.ones(sample.x.shape[:2], dtype=bool)
    return np.asarray(sample.mask, dtype=bool)


class RawPreparation:
    """A table as it is, conditions first: what the CaloChallenge's network reads."""

    def __init__(self, sample: Sample) -> None:
        x, _ = self(sample)
        self.network, self.inputs = "plain", Inputs((x.shape[1],))

    def __call__(self, sample: Sample) -> tuple[NDArray[Any], NDArray[Any]]:
        x = _table(sample) if sample.cond is None else np.hstack([sample.cond, _table(sample)])
        return x.astype(np.float32), np.zeros((len(x), 0), dtype=np.float32)


PREPARATIONS: dict[str, type[Preparation]] = {
    "table": TablePreparation,
    "grid": GridPreparation,
    "cloud": CloudPreparation,
    "plain": RawPreparation,
}
"""Network, as a test names it, to what prepares its events."""
