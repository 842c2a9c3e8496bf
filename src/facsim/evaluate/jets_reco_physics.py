"""Physics of reconstructed jets given generator-level ones: response, resolution and substructure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.core.events import Events
from facsim.core.geometry import FloatArray
from facsim.core.schema import GIVEN_FEATURES
from facsim.evaluate.jets_reco_plots import jet_images, reco_curves
from facsim.evaluate.jets_response import ETA, PT, check_pairs, jet_pairs, real_points, response_errors
from facsim.evaluate.measures import Measured
from facsim.evaluate.physics import ROLES, Curve, Image, TaskPhysics
from facsim.physics.jet_substructure import tau21
from facsim.physics.jets import jet_features
from facsim.physics.quantity import Quantity

SCALARS = (PT, ETA)
LEADING = 10
"""Particles that the low-level classifier sees."""
CONTROL_SCALE = 1.02


class JetsRecoPhysics(TaskPhysics):
    """Clouds etarel, phirel, ptrel relative to the generator-level jet, given its pT (GeV), eta and particles."""

    quantities: ClassVar[tuple[Quantity, ...]] = (
        Quantity("pt_response", r"$p_T^{reco} / p_T^{gen}$"),
        Quantity("mass_response", r"$m^{reco} / m^{gen}$"),
        Quantity("pt", r"$p_T^{reco}$", "GeV"),
        Quantity("mass", r"$m^{reco}$", "GeV"),
        Quantity("d_eta", r"$\Delta\eta$"),
        Quantity("d_phi", r"$\Delta\phi$", "rad"),
        Quantity("multiplicity", r"$N_{particles}$"),
        Quantity("girth", r"girth"),
        Quantity("tau21", r"$\tau_{21}$"),
        Quantity("leading", r"$p_T$ of the hardest particle / $p_T^{gen}$"),
    )
    region: ClassVar[str] = PT
    noun: ClassVar[str] = "jets"
    distortion: ClassVar[str] = f"pT of particles x {CONTROL_SCALE}"

    def check(self, events: Events) -> None:
        check_pairs(events.schema)
        names = tuple(f.name for f in events.schema.scalar_conditions)
        if names != SCALARS:
            raise FacsimError(f"jets of the task 'jets-reco' have the conditions {SCALARS}, not {names}.")
        if events.weight is not None:
            raise FacsimError("scores of reconstructed jets take no event weights: leave them out.")

    def observe(self, events: Events) -> FloatArray:
        """Responses of jets without a particle are 0, as those of masses of jets that had none."""
        pairs, x = jet_pairs(events), real_points(events)
        responses = [np.nan_to_num(pairs.response(name), nan=0.0) for name in ("pt", "mass")]
        columns = [pairs.pt, pairs.mass, pairs.d_eta, pairs.d_phi, pairs.multiplicity, girth(x), tau21(x)]
        return np.column_stack([*responses, *columns, x[..., 2].max(axis=1, initial=0.0)])

    def conditions(self, cond: NDArray[Any]) -> FloatArray:
        """Logarithm of pT, |eta|, and of the generator-level particles sum of pT, relative mass, number and girth."""
        values = np.asarray(cond, dtype=np.float64)
        points = values[:, len(SCALARS) :].reshape(len(values), -1, GIVEN_FEATURES)
        gen = jet_features(points)
        scalars = [np.log(np.maximum(values[:, 0], 1e-6)), np.abs(values[:, 1])]
        return np.column_stack([*scalars, gen["pt"], gen["mass"], gen["multiplicity"], girth(points)])

    def pixels(self, events: Events) -> FloatArray:
        """The hardest particles, in order."""
        x = real_points(events)
        order = np.argsort(-x[..., 2], axis=1, kind="stable")[:, :LEADING]
        hardest: FloatArray = np.take_along_axis(x, order[..., None], 1).reshape(len(x), -1)
        return hardest

    def distorted(self, events: Events) -> Events:
        """All particles with 2 % more pT."""
        scale = np.array([1, 1, CONTROL_SCALE])
        return replace(events, x=(events.x * scale).astype(events.x.dtype))

    def measures(self, a: Events, b: Events, seed: int) -> dict[str, Measured]:
        x, y = jet_pairs(a), jet_pairs(b)
        return response_errors(x, y, seed) | {"lost_jets": _lost(x.multiplicity == 0, y.multiplicity == 0)}

    def curves(self, samples: Mapping[str, Events]) -> list[Curve]:
        return reco_curves({role: samples[role] for role in ROLES if role in samples})

    def images(self, samples: Mapping[str, Events]) -> list[Image]:
        return jet_images({role: samples[role] for role in ROLES if role in samples})


def girth(x: FloatArray) -> FloatArray:
    """Mean distance of the particles (N, P, 3) from the axis that they are relative to, weighted with pT: (N,)."""
    pt = x[..., 2]
    total = pt.sum(axis=1)
    return np.asarray((pt * np.hypot(x[..., 0], x[..., 1])).sum(axis=1) / np.where(total > 0, total, 1.0))


def _lost(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> Measured:
    """Difference of the shares of jets of which no particle is left."""
    shares = [float(lost.mean()) for lost in (a, b)]
    error = sum(max(p * (1 - p), 1 / len(lost)) / len(lost) for p, lost in zip(shares, (a, b), strict=True)) ** 0.5
    note = f"{shares[0]:.4f} of jets have no particle in truth, {shares[1]:.4f} here."
    return Measured(abs(shares[1] - shares[0]), error, (len(a), len(b)), note=note)
