"""Does a generator copy its training events? A nearest-neighbour ratio test on features.

After the data-copying test of Meehan, Chaudhuri and Dasgupta (arXiv 2004.05675). Showers have their own test, blind to
rotation and scale, in `facsim.evaluate.memorisation`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facsim.core.arrays import Array, namespace, rows, to_numpy
from facsim.core.errors import FacsimError
from facsim.core.rng import generator
from facsim.metrics._samples import FloatArray, check_features, scale_robustly
from facsim.metrics.pairs import squared_distances
from facsim.metrics.score import Estimate

PROTOCOL = "facsim-copies-1"
QUANTILE = 0.01
FEWEST = 200
ROWS_AT_ONCE = 512
FLOOR = 1e-9


def copied_fraction(
    reference: Array, candidate: Array, training: Array, *, scale: bool = True, seed: int = 0
) -> tuple[Estimate, Estimate]:
    """Fraction of events that lie closer to the training sample than to unseen truth, more so than truth itself does.

    The reference is halved: one half is the unseen truth U, the other gives the null. For every event the ratio of its
    distances to the nearest event of the training sample and of U is taken; copies are the events whose ratio is below
    the 1 % quantile of the null's. The more unseen truth there is beside the training sample, the finer the test.

    Args:
        reference: truth that the generator has not seen (N, D), candidate: features to judge (M, D).
        training: features of the events that the generator was made from (T, D).
        scale: take features in robust units limited to +-8.
        seed: of the halves.

    Returns:
        (fraction, error) of the candidate, and of truth: about 0.01.

    Raises:
        FacsimError: shapes that do not fit, values that are not finite, or fewer than 200 events of truth or training.
    """
    x, y = check_features(reference, candidate)
    if not bool(namespace(training).isfinite(training).all()):
        raise FacsimError("the training sample holds values that are not finite numbers; remove those events.")
    _, seen = check_features(reference, training)
    if min(len(x), len(seen)) < FEWEST:
        raise FacsimError(
            f"the test for copies needs {FEWEST} events of truth and of training, not {len(x)} and {len(seen)}."
        )
    if scale:
        scaled, seen = scale_robustly(x, seen)
        x, y = scaled, scale_robustly(x, y)[1]
    rng = generator(seed, "copies")
    order = rng.permutation(len(x))
    unseen, null = rows(x, order[: len(x) // 2]), rows(x, order[len(x) // 2 :])
    of_truth, of_candidate = (_ratio(sample, seen, unseen) for sample in (null, y))
    limit = float(np.quantile(of_truth, QUANTILE))
    return _fraction(of_candidate < limit), _fraction(of_truth < limit)


def _ratio(sample: Array, seen: Array, unseen: Array) -> FloatArray:
    return np.asarray((_nearest(sample, seen) + FLOOR) / (_nearest(sample, unseen) + FLOOR))


def _nearest(sample: Array, others: Array) -> FloatArray:
    """Distance of each event to the nearest of the others, (N,)."""
    xp = namespace(sample)
    found = [
        to_numpy(xp.amin(squared_distances(sample[first : first + ROWS_AT_ONCE], others), 1))
        for first in range(0, len(sample), ROWS_AT_ONCE)
    ]
    return np.asarray(np.sqrt(np.concatenate(found)))


def _fraction(hits: NDArray[np.bool_]) -> Estimate:
    n = len(hits)
    share = float(np.mean(hits))
    return Estimate((share, float(np.sqrt(max(share * (1 - share), 1 / n) / n))))
