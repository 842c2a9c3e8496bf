"""Nearest showers up to rotation about the axis and energy scale.

The distance of two showers is 1 - max over rotations of sum_c sqrt(p_c q_c), where p and q are their cell energies
divided by their sums: the squared Hellinger distance of the energy patterns, 0 for a rotated and rescaled copy, 1
without common cells. The same sum over rings of summed energy is never smaller (Cauchy-Schwarz), so ring energies give
a lower bound on the distance that is cheap and does not change under rotation. The exact distance is taken of the
`CANDIDATES` showers with the lowest bounds only: whatever is nearer than the bound of the next one is found for sure,
copies (bound 0) first of all; a far neighbour may be missed in favour of a slightly farther one, alike for all queries.

Rotations are those that map sectors on sectors in every layer of more than one sector; layers of one sector do not
change. All rotations are compared at once: correlations over the sectors are products of Fourier coefficients.
Read-outs that are no cylinder are compared without rotation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.events import EventSource, chunks
from facsim.core.geometry import CylinderGeometry, Geometry
from facsim.core.sources import SubsetSource, batch_rows
from facsim.simulate.library import sector_steps

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]
CANDIDATES = 32
PAIR_BYTES = 2**20
BATCH_MB = 16.0


class PatternMaker:
    """Turns cell energies into patterns that compare under rotation.

    Args:
        geometry: the read-out; the attribute `steps` is the number of rotations that map it on itself.
    """

    def __init__(self, geometry: Geometry) -> None:
        cylinder = isinstance(geometry, CylinderGeometry)
        self.steps = steps = sector_steps(geometry) if isinstance(geometry, CylinderGeometry) else 1
        parts, weights = [], []
        for number, first in enumerate(geometry.offsets[:-1].tolist()):
            cells = first + np.arange(geometry.layers[number].n_cells)
            turns = not cylinder or number in geometry.plane_layers
            parts.append(cells.reshape(steps, -1) if turns else np.tile(cells, (steps, 1)))
            weights.append(np.full(parts[-1].shape[1], 1.0 if turns else steps**-0.5, np.float32))
        self._cells: IntArray = np.concatenate(parts, axis=1)
        self._weight: FloatArray = np.concatenate(weights)

    def amplitudes(self, cells: NDArray[Any]) -> FloatArray:
        """Square roots of the energy fractions of `cells` (n, V), as (n, rotations, M); zeros for empty showers."""
        energy = np.maximum(np.nan_to_num(cells, nan=0.0, posinf=0.0, neginf=0.0), 0).astype(np.float32)
        total = energy.sum(axis=1, keepdims=True, dtype=np.float64)
        root = np.sqrt(energy / np.where(total > 0, total, 1.0)).astype(np.float32)
        found: FloatArray = root[:, self._cells] * self._weight
        return found

    @staticmethod
    def rings(amplitudes: FloatArray) -> FloatArray:
        """The part that rotations leave alone, (n, M): square roots of the energy fractions of rings."""
        found: FloatArray = np.sqrt(np.einsum("nsm,nsm->nm", amplitudes, amplitudes))
        return found

    @staticmethod
    def spectrum(amplitudes: FloatArray) -> NDArray[np.complex64]:
        """Fourier coefficients over the rotations, (n, rotations // 2 + 1, M)."""
        # NumPy returns the transformed axis innermost, which would make every later gather a copy of the whole array.
        return np.ascontiguousarray(np.fft.rfft(amplitudes, axis=1), dtype=np.complex64)

    def distance(self, a: NDArray[np.complex64], b: NDArray[np.complex64]) -> FloatArray:
        """Distances of the pairs of spectra `a`, conjugate(`b`) (P, H, M), the smallest over rotations, (P,)."""
        product = np.einsum("phm,phm->ph", a, b)
        overlap = np.fft.irfft(product, n=self.steps, axis=1).max(axis=1)
        found: FloatArray = np.clip(1.0 - overlap, 0.0, 1.0).astype(np.float32)
        return found


@dataclass(frozen=True)
class Nearest:
    """For each query (n,): distance to its nearest shower and the position of that shower in the source."""

    distance: FloatArray
    index: IntArray


class NearestSearch:
    """Finds the nearest showers of a source for a fixed set of queries.

    Args:
        geometry: the read-out of all showers.
        queries: sources of the n showers to look for, one after another.
        candidates: showers per query of which the exact distance is taken.
    """

    def __init__(self, geometry: Geometry, queries: Sequence[EventSource], candidates: int = CANDIDATES) -> None:
        self._maker = PatternMaker(geometry)
        rings, spectrum = [], []
        for source in queries:
            for batch in chunks(source, batch_rows(source, BATCH_MB)):
                amplitudes = self._maker.amplitudes(batch.cells)
                rings.append(self._maker.rings(amplitudes))
                spectrum.append(self._maker.spectrum(amplitudes))
        self._rings, self._spectrum = np.concatenate(rings), np.ascontiguousarray(np.concatenate(spectrum))
        self._candidates = candidates

    def search(self, source: EventSource, own: IntArray | None = None) -> Nearest:
        """Nearest showers in `source`, which is read twice in batches (the second time only the candidates).

        Args:
            source: showers of the same geometry.
            own: position in `source` of each query itself (n,), which is passed over; -1 where it is not there.
        """
        candidates = self._best_bounds(source, own)
        distance = np.full(len(self._rings), np.inf, np.float32)
        index = np.full(len(self._rings), -1, np.int64)
        wanted = np.unique(candidates[candidates >= 0])
        first = 0
        for batch in chunks(SubsetSource(source, wanted), batch_rows(source, BATCH_MB)):
            here = wanted[first : first + len(batch)]
            first += len(batch)
            spectrum = self._maker.spectrum(self._maker.amplitudes(batch.cells)).conj()
            place = np.searchsorted(here, candidates)
            found = (place < len(here)) & (here[np.minimum(place, len(here) - 1)] == candidates)
            query, column = np.nonzero(found)
            pair = self._distances(query, spectrum, place[query, column])
            order = np.argsort(pair, kind="stable")[::-1]
            best = np.full(len(distance), np.inf, np.float32)
            best_index = np.full(len(distance), -1, np.int64)
            best[query[order]], best_index[query[order]] = pair[order], here[place[query, column]][order]
            nearer = best < distance
            distance[nearer], index[nearer] = best[nearer], best_index[nearer]
        return Nearest(distance, index)

    def _best_bounds(self, source: EventSource, own: IntArray | None) -> IntArray:
        """Positions of the showers with the lowest bounds, (n, candidates); -1 where the source has fewer."""
        n = len(self._rings)
        bound = np.full((n, self._candidates), -1.0, np.float32)
        index = np.full((n, self._candidates), -1, np.int64)
        first = 0
        for batch in chunks(source, batch_rows(source, BATCH_MB)):
            overlap = self._rings @ self._maker.rings(self._maker.amplitudes(batch.cells)).T
            if own is not None:
                here = np.flatnonzero((own >= first) & (own < first + len(batch)))
                overlap[here, own[here] - first] = -2.0
            overlap = np.concatenate([bound, overlap], axis=1)
            number = np.broadcast_to(np.arange(first, first + len(batch)), (n, len(batch)))
            number = np.concatenate([index, number], axis=1)
            top = np.argpartition(-overlap, self._candidates - 1, axis=1)[:, : self._candidates]
            bound = np.take_along_axis(overlap, top, axis=1)
            index = np.where(bound > -2.0, np.take_along_axis(number, top, axis=1), -1)
            first += len(batch)
        return index

    def _distances(self, query: IntArray, spectrum: NDArray[np.complex64], other: IntArray) -> FloatArray:
        """Distances of the pairs (query, other), a bounded number of them at a time."""
        step = max(1, PAIR_BYTES // self._spectrum[0].nbytes)
        # Buffers made once: fresh memory for every gathered block would cost more than the arithmetic.
        a, b = (np.empty((step, *self._spectrum.shape[1:]), np.complex64) for _ in range(2))
        found = np.empty(len(query), np.float32)
        for first in range(0, len(query), step):
            rows = slice(first, min(first + step, len(query)))
            count = rows.stop - first
            np.take(self._spectrum, query[rows], axis=0, out=a[:count], mode="clip")
            np.take(spectrum, other[rows], axis=0, out=b[:count], mode="clip")
            found[rows] = self._maker.distance(a[:count], b[:count])
        return found
