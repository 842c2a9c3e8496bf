"""Numbers that tell events apart, of their images: sums, hits, shapes of the event in the transverse plane.

Functions of numpy arrays and torch tensors alike, differentiable for the latter and of nothing but sums, largest values
and elementwise functions, so that they can be part of an exported graph. A cell of any channel counts as a massless
particle in the direction of its centre with the cell's value as transverse momentum. Values below the threshold of the
geometry and negative ones count as none.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from facsim.core.arrays import Array, as_type, like, namespace
from facsim.core.errors import FacsimError
from facsim.core.geometry import FloatArray
from facsim.core.image import ImageGeometry
from facsim.core.schema import Feature, Schema
from facsim.physics.jet_arrays import safe_sqrt

TRACKER = "tracker"
"""The channel that is no calorimeter: what is missing is not counted in it."""
OF_CHANNEL = ("sum", "hits", "largest", "entropy")
OF_EVENT = (
    "ht",
    "met",
    "met_significance",
    "sphericity",
    "eta_mean",
    "eta_spread",
    "phi_spread",
    "asymmetry_3",
    "asymmetry_4",
)


def feature_names(schema: Schema) -> tuple[str, ...]:
    """Names of the columns of `image_features` for images of `schema`: four of each channel, then those of the event.

    Raises:
        FacsimError: the events are no images.
    """
    image_geometry(schema)
    return (*(f"{channel.name}_{name}" for channel in schema.features for name in OF_CHANNEL), *OF_EVENT)


def image_geometry(schema: Schema) -> ImageGeometry:
    """The geometry of images.

    Raises:
        FacsimError: the events are none.
    """
    if not isinstance(schema.geometry, ImageGeometry):
        raise FacsimError(f"features of images need images, not a {schema.representation} of {schema.geometry}.")
    return schema.geometry


def image_features(x: Array, geometry: ImageGeometry, channels: Sequence[Feature] = ()) -> Array:
    """Features (N, F) of images (N, V, C), in the order of `feature_names`, 0 where an event is empty.

    Of each channel: its `sum`, the number of `hits`, the share of the `largest` cell in the sum, and the `entropy` of
    the cells' shares in nats. Of the event:

    - `ht`: sum of transverse momenta in calorimeters; `met`: size of their vector sum; `met_significance`: met /
      sqrt(ht). Calorimeters are all channels but `tracker`, and that too where it is alone.
    - `sphericity`: see `sphericity`, of all channels, as all that follows.
    - `eta_mean`, `eta_spread`: mean of |eta| and standard deviation of eta, weighted by the values.
    - `phi_spread`: sqrt(2 (1 - r)) with r the length of the mean direction, in rad: the standard deviation where it is
      small, sqrt(2) for balanced events.
    - `asymmetry_n`: |sum p exp(i n phi)| / sum p, as flow vectors: 1 for one cell, 0 for an even ring.

    Args:
        x: (N, V, C), transverse energies or anything additive. geometry: of V cells; see `directions`.
        channels: the features of the schema; left out, all channels are calorimeters.

    Returns:
        (N, 4 C + 9) of the type of `x`, at least single precision.

    Raises:
        FacsimError: shapes that do not fit.
    """
    values = _values(x, geometry)
    xp, names = namespace(values), [channel.name for channel in channels]
    if names and len(names) != values.shape[2]:
        raise FacsimError(f"images with {values.shape[2]} channels cannot have the channels {names}.")
    total = values.sum(1)  # (N, C)
    share = values / _at_least(total)[:, None, :]
    logarithm = xp.log(xp.where(share > 0, share, 1.0))
    hits = as_type(values > 0, values.dtype).sum(1)
    of_channel = xp.stack([total, hits, xp.amax(share, 1), -(share * logarithm).sum(1)], 2)
    return xp.concatenate([of_channel.reshape(-1, 4 * of_channel.shape[1]), _of_event(values, geometry, names)], 1)


def sphericity(x: Array, geometry: ImageGeometry) -> Array:
    """Transverse sphericity (N,) of images (N, V, C): 0 for cells in one line, 1 for an even ring, 0 of empty images.

    2 l2 / (l1 + l2) with l1 >= l2 the eigenvalues of sum p_a p_b / |p| over transverse momenta: with this weight,
    linear in p, it does not depend on how cells are split, and is 1 - |sum p exp(2 i phi)| / sum p.
    """
    values = _values(x, geometry).sum(2)
    cosine, sine = (values @ like(wave, values) for wave in _waves(geometry, 2))
    total = values.sum(1)
    return _where_any(total, 1 - safe_sqrt(cosine * cosine + sine * sine) / _at_least(total))


def directions(geometry: ImageGeometry) -> tuple[FloatArray, FloatArray]:
    """eta and phi of the cells of an image, (V,) each.

    phi is the axis in rad, the rows where both are, eta the other. A plane of neither is seen from its middle: phi is
    the azimuth about it and eta the distance from it, in the unit of the columns.
    """
    if "rad" not in geometry.units:
        y, x = (values - 0.5 * (values.min() + values.max()) for values in (geometry.y, geometry.x))
        return np.hypot(x, y), np.arctan2(y, x)
    return (geometry.x, geometry.y) if geometry.units[0] == "rad" else (geometry.y, geometry.x)


def _of_event(values: Array, geometry: ImageGeometry, names: Sequence[str]) -> Array:
    """`OF_EVENT` (N, 9) of values (N, V, C) that are not negative."""
    xp, (eta, _) = namespace(values), directions(geometry)
    seen = [k for k, name in enumerate(names) if name != TRACKER] or list(range(values.shape[2]))
    calorimeters, everything = sum(values[:, :, k] for k in seen), values.sum(2)
    ht, total = calorimeters.sum(1), everything.sum(1)
    met = _length(calorimeters, geometry, 1)
    some = _at_least(total)
    mean_eta = (everything @ like(eta, values)) / some
    square_eta = (everything @ like(eta**2, values)) / some
    balance, two, three, four = (_length(everything, geometry, n) / some for n in (1, 2, 3, 4))
    return xp.stack(
        [
            ht,
            met,
            met / xp.sqrt(_at_least(ht)),
            _where_any(total, 1 - two),
            (everything @ like(np.abs(eta), values)) / some,
            safe_sqrt(_not_negative(square_eta - mean_eta * mean_eta)),
            _where_any(total, safe_sqrt(_not_negative(2 - 2 * balance))),
            three,
            four,
        ],
        1,
    )


def _values(x: Array, geometry: ImageGeometry) -> Array:
    """Cells (N, V, C) at least in single precision, those that count for nothing 0."""
    xp = namespace(x)
    if len(x.shape) != 3 or x.shape[1] != geometry.n_cells:
        raise FacsimError(
            f"the image '{geometry.name}' has {geometry.n_cells} cells: expected (N, {geometry.n_cells}, C), not "
            f"{tuple(x.shape)}."
        )
    values = as_type(x, xp.promote_types(x.dtype, xp.float32))
    return xp.where((values > 0) & (values >= geometry.threshold), values, 0.0)


def _waves(geometry: ImageGeometry, n: int) -> tuple[FloatArray, FloatArray]:
    """cos(n phi) and sin(n phi) of the cells."""
    phi = directions(geometry)[1]
    return np.cos(n * phi), np.sin(n * phi)


def _length(values: Array, geometry: ImageGeometry, n: int) -> Array:
    """|sum p exp(i n phi)| (N,) of values (N, V)."""
    cosine, sine = (values @ like(wave, values) for wave in _waves(geometry, n))
    return safe_sqrt(cosine * cosine + sine * sine)


def _at_least(total: Array) -> Array:
    """A sum to divide by: 1 where there is nothing."""
    return namespace(total).where(total > 0, total, 1.0)


def _where_any(total: Array, values: Array) -> Array:
    return namespace(total).where(total > 0, values, 0.0)


def _not_negative(values: Array) -> Array:
    """Without what rounding leaves below 0."""
    return namespace(values).where(values > 0, values, 0.0)
