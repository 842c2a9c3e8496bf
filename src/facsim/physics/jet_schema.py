"""What events of jets hold: clouds of constituents relative to their jet, as in JetNet (arXiv 2106.11535)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from facsim.core.geometry import FloatArray
from facsim.core.schema import Feature, Schema

PARTICLE_FEATURES = (Feature("etarel"), Feature("phirel", "rad"), Feature("ptrel"))
"""Columns of a constituent: eta and phi less the jet's, and pT over the jet's; the hardest first, zeros as padding."""
PARTICLE_COLUMNS = tuple(feature.name for feature in PARTICLE_FEATURES)
JET_CONDITIONS = (Feature("pt", "GeV"), Feature("eta"))
KIND = "is_"


def jet_schema(kinds: Sequence[str], points: int) -> Schema:
    """Schema of jets of at most `points` constituents, conditioned on pT (GeV), eta and, of several kinds, the kind."""
    one_hot = tuple(Feature(KIND + kind) for kind in kinds) if len(kinds) > 1 else ()
    return Schema("cloud", PARTICLE_FEATURES, (*JET_CONDITIONS, *one_hot), points=points)


def is_jets(schema: Schema) -> bool:
    """Whether events are jets in these coordinates."""
    return schema.representation == "cloud" and tuple(f.name for f in schema.features) == PARTICLE_COLUMNS


def kinds_of(schema: Schema) -> tuple[str, ...]:
    """Kinds of the jets: those of the conditions `is_...`, else the one that was simulated; none when not known."""
    one_hot = tuple(f.name.removeprefix(KIND) for f in schema.conditions if f.name.startswith(KIND))
    if one_hot:
        return one_hot
    settings = schema.provenance.get("settings")
    made = list(settings.get("kinds", ())) if isinstance(settings, Mapping) else []
    return tuple(str(kind) for kind in made) if len(made) == 1 else ()


def relative(momenta: NDArray[np.floating], axis: NDArray[np.floating], points: int) -> FloatArray:
    """Constituents relative to axes.

    Args:
        momenta: (N, P, 3 or 4) px, py, pz of constituents in any order, GeV; zeros as padding.
        axis: (N, 3) pT (GeV), eta and phi (rad) of what they are relative to.
        points: how many of the hardest are kept.

    Returns:
        (N, points, 3) columns `PARTICLE_FEATURES`, hardest first, zeros as padding.
    """
    pt = np.hypot(momenta[..., 0], momenta[..., 1])
    order = np.argsort(-pt, axis=1, kind="stable")[:, :points]
    pt = np.take_along_axis(pt, order, axis=1)
    px, py, pz = np.moveaxis(np.take_along_axis(momenta[..., :3], order[..., None], axis=1), 2, 0)
    real = pt > 0
    turn = np.arctan2(py, px) - axis[:, 2, None]
    columns = (
        np.arcsinh(pz / np.where(real, pt, 1.0)) - axis[:, 1, None],
        (turn + np.pi) % (2 * np.pi) - np.pi,
        pt / axis[:, 0, None],
    )
    found = np.zeros((len(momenta), points, 3))
    found[:, : order.shape[1]] = np.where(real[..., None], np.stack(columns, axis=2), 0.0)
    return found


def relative_to_sum(momenta: NDArray[np.floating], points: int) -> tuple[FloatArray, FloatArray]:
    """Constituents (N, points, 3) relative to the sum of all, and its pT, eta and phi (N, 3); momenta (N, P, 3)."""
    total = momenta.sum(axis=1)
    pt = np.hypot(total[:, 0], total[:, 1])
    filled = pt > 0
    eta = np.arcsinh(total[:, 2] / np.where(filled, pt, 1.0))
    axis = np.column_stack([pt, eta, np.arctan2(total[:, 1], total[:, 0])])
    return relative(momenta, np.where(filled[:, None], axis, 1.0), points), axis
