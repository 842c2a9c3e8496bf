"""Coverage and minimum matching distance of jets as point clouds, with the energy mover's distance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facsim.core.arrays import Array
from facsim.core.errors import FacsimError
from facsim.core.rng import generator
from facsim.metrics._samples import FloatArray
from facsim.metrics.emd import emd_matrix
from facsim.metrics.protocols import JETNET, STRICT


@dataclass(frozen=True)
class CoverageMMD:
    """Coverage and minimum matching distance (MMD), means over batches, with errors."""

    coverage: float
    coverage_error: float
    mmd: float
    mmd_error: float


def coverage_mmd(
    reference: Array,
    candidate: Array,
    protocol: str = STRICT,
    *,
    num_eval_samples: int = 100,
    num_batches: int = 10,
    seed: int = 42,
) -> CoverageMMD:
    """Coverage and MMD of jets (arXiv 1707.02392, for jets 2106.11535).

    In a batch of n jets of either sample, MMD is the mean distance of a reference jet to its nearest candidate, and
    coverage the fraction of reference jets that are nearest to some candidate. Both depend on n: only numbers of the
    same `num_eval_samples` can be compared, and neither is 0 or 1 for truth against truth.

    `jetnet-0.2.5`: batches drawn with replacement, with the draws of jetnet's generator set to
    `numpy.random.default_rng(seed)`; errors are the standard deviation of the batches (jetnet gives none).
    `strict`: batches that share no jet, as many as the samples hold up to `num_batches`; errors of the mean.

    Args:
        reference: (N, P, 3 or more), candidate: (M, Q, 3 or more): eta, phi, pT; padding has pT = 0.
        protocol: one of the two.
        num_eval_samples: n.
        num_batches: how many batches.
        seed: of the draws.

    Raises:
        FacsimError: wrong jets, unknown protocol, no batch, or too few jets for two batches of `strict`.
    """
    if num_batches < 1 or num_eval_samples < 1:
        raise FacsimError(f"coverage needs at least one batch of one jet, not {num_batches} of {num_eval_samples}.")
    draws = _draws(protocol, (len(reference), len(candidate)), num_eval_samples, num_batches, seed)
    values = np.array([_of_batch(reference[i], candidate[j]) for i, j in draws])
    errors = values.std(axis=0)
    if protocol == STRICT:
        errors = values.std(axis=0, ddof=1) / np.sqrt(len(values))
    mean = values.mean(axis=0)
    return CoverageMMD(float(mean[0]), float(errors[0]), float(mean[1]), float(errors[1]))


def _draws(
    protocol: str, sizes: tuple[int, int], size: int, batches: int, seed: int
) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    if protocol == JETNET:
        rng = np.random.default_rng(seed)
        return [(rng.choice(sizes[0], size=size), rng.choice(sizes[1], size=size)) for _ in range(batches)]
    if protocol != STRICT:
        raise FacsimError(f"unknown protocol '{protocol}' of coverage and MMD: use one of {[JETNET, STRICT]}.")
    most = min(batches, *(n // size for n in sizes))
    if most < 2:
        raise FacsimError(
            f"strict coverage needs two batches of {size} jets that share none, and there are {min(sizes)} jets; "
            "give more jets or lower num_eval_samples."
        )
    rng = generator(seed, "coverage")
    first, second = (rng.permutation(n)[: most * size].reshape(most, size) for n in sizes)
    return list(zip(first, second, strict=True))


def _of_batch(reference: Array, candidate: Array) -> tuple[float, float]:
    distances: FloatArray = np.asarray(_on_host(emd_matrix(candidate, reference, nearest_only=True)))
    coverage = len(np.unique(distances.argmin(axis=1))) / len(reference)
    return coverage, float(distances.min(axis=0).mean())


def _on_host(array: Array) -> Array:
    return array.cpu() if hasattr(array, "cpu") else array
