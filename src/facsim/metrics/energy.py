"""The energy distance of two multivariate samples (Szekely and Rizzo, J. Stat. Plan. Inference 143 (2013) 1249)."""

from __future__ import annotations

from facsim.core.arrays import Array, quantiles
from facsim.core.rng import generator
from facsim.metrics._blocks import assign_blocks, estimate
from facsim.metrics._samples import check_different, check_features, check_weights, scale_robustly
from facsim.metrics.pairs import euclidean, in_blocks, kernel_matrix, mmd
from facsim.metrics.score import Estimate


def energy_distance(
    real: Array,
    gen: Array,
    *,
    real_weights: Array | None = None,
    gen_weights: Array | None = None,
    scale: bool = True,
    seed: int = 42,
    permutations: int = 0,
) -> Estimate:
    """2 E|X - Y| - E|X - X'| - E|Y - Y'|, unbiased, its error and the p-value of exchanged blocks.

    It is the MMD^2 of the kernel -|x - y|: zero for one distribution only, sensitive to every kind of difference, and
    not driven by extreme events. It averages to 0 for samples of one distribution and may be negative. Euclidean
    distances near zero are exact to about 1e-7 of the size of the features.

    Args:
        real: reference features (N, D), gen: features to judge (M, D). Time grows with (N + M)^2, memory does not.
        real_weights, gen_weights: event weights, negative ones allowed.
        scale: take features in robust units limited to +-8; without it, as they are.
        seed: seed of the blocks.
        permutations: for the p-value; none, no p-value.

    Raises:
        FacsimError: shapes that do not fit, values that are not finite, fewer than four events in a sample, weights
            without a positive sum, one sample given twice.
    """
    x, y = check_features(real, gen)
    check_different(x, y)
    weights = check_weights("reference", len(x), real_weights), check_weights("generated", len(y), gen_weights)
    if scale:
        x, y = scale_robustly(x, y)
    (centre,) = quantiles(x, (0.5,))
    rng = generator(seed, "energy distance")
    blocks = assign_blocks(*weights, rng)
    of_x, of_y = in_blocks(blocks, *weights)
    matrix = -kernel_matrix(x - centre, of_x, y - centre, of_y, euclidean)
    return estimate(mmd(matrix, blocks), blocks, rng, permutations=permutations)
