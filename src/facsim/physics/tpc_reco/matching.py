"""Which simulated track clusters and reconstructed tracks belong to. For judging only: nothing is found with it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facsim.physics.tpc_plane import PadPlane

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


def truth_of_clusters(plane: PadPlane, of_cell: IntArray, clusters: int) -> tuple[IntArray, FloatArray]:
    """Track that has given most of a cluster's charge, -1 where none has, and its part of it; (M,) each.

    Args:
        plane: with what each track has put into which cell. of_cell: as from `find_clusters`. clusters: number of them.
    """
    cluster = of_cell[plane.part_cell]
    known = cluster >= 0
    return majority(cluster[known], plane.part_track[known], plane.part_amplitude[known], clusters)


def truth_of_tracks(table: IntArray, truth: IntArray) -> tuple[IntArray, FloatArray]:
    """Simulated track that most of the clusters of a track belong to, -1 where none do, and their part; (T,) each.

    Args:
        table: (T, 53) clusters, -1 where there is none. truth: simulated track of each cluster (M,).
    """
    track, _ = np.nonzero(table >= 0)
    label = truth[table[table >= 0]]
    found, part = majority(track[label >= 0], label[label >= 0], np.ones(np.count_nonzero(label >= 0)), len(table))
    known = np.bincount(track[label >= 0], minlength=len(table)) / np.maximum(
        np.bincount(track, minlength=len(table)), 1
    )
    return found, part * known


def majority(item: IntArray, label: IntArray, weight: FloatArray, items: int) -> tuple[IntArray, FloatArray]:
    """Label of the largest summed weight of each item (0 to items - 1), -1 without any, and its part of the sum."""
    best, part = np.full(items, -1, dtype=np.int64), np.zeros(items)
    if not len(item):
        return best, part
    span = int(label.max()) + 1
    pairs, index = np.unique(item * span + label, return_inverse=True)
    total = np.bincount(index, weight, len(pairs))
    order = np.lexsort((total, pairs // span))
    whose = pairs[order] // span
    best[whose], part[whose] = pairs[order] % span, total[order]
    return best, part / np.maximum(np.bincount(item, weight, items), np.finfo(np.float64).tiny)
