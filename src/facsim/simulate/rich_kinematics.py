"""Momenta and pseudorapidities of tracks in LHCb: calibration channels, and decays that are not used to calibrate.

Mothers have gamma-distributed transverse momenta, with means that are typical of each channel's selection, and
pseudorapidities about the middle of the acceptance; daughters follow by phase space. What matters for a surrogate is
that calibration and analysis differ as they do in life: in momentum, and in its correlation with pseudorapidity.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.physics.decays import four_momentum, momentum_of, pair_masses, pseudorapidity, two_body
from facsim.physics.rich import MASSES

FloatArray = NDArray[np.float64]
Daughters = Iterator[tuple[str, FloatArray]]
ACCEPTANCE = (2.0, 5.0)
MOMENTUM = (2000.0, 200_000.0)
LEAST_PT = 250.0
B_MASS, D_MASS, JPSI_MASS, LAMBDA_MASS = 5279.5, 1864.8, 3096.9, 1115.68
KSTAR_MASS, KSHORT_MASS = 893.0, 497.6
TRACKS = (164.0, 0.5)
"""Median and logarithmic width of the number of tracks of an event."""


class Tracks(NamedTuple):
    """Momentum (MeV), pseudorapidity and number of tracks in the event, (N,) each."""

    momentum: FloatArray
    eta: FloatArray
    n_tracks: FloatArray


@dataclass(frozen=True)
class Mother:
    """Mass (MeV), and shape and scale (MeV) of the gamma distribution of the transverse momentum."""

    mass: float
    shape: float
    scale: float

    def draw(self, n: int, rng: np.random.Generator) -> FloatArray:
        """Four-momenta (n, 4), MeV."""
        pt = rng.gamma(self.shape, self.scale, n)
        eta, phi = rng.normal(3.4, 0.8, n), rng.uniform(-np.pi, np.pi, n)
        return four_momentum(pt, eta, phi, self.mass)


BEAUTY = Mother(B_MASS, 2.2, 2600.0)
PROMPT_CHARM = Mother(D_MASS, 3.0, 1100.0)
PROMPT_LAMBDA = Mother(LAMBDA_MASS, 2.5, 900.0)


def charm(n: int, rng: np.random.Generator) -> Daughters:
    """D0 -> K pi, tagged by the D*."""
    kaon, pion = two_body(PROMPT_CHARM.draw(n, rng), MASSES["k"], MASSES["pi"], rng)
    yield from (("k", kaon), ("pi", pion))


def lambdas(n: int, rng: np.random.Generator) -> Daughters:
    """Lambda -> p pi."""
    proton, pion = two_body(PROMPT_LAMBDA.draw(n, rng), MASSES["p"], MASSES["pi"], rng)
    yield from (("p", proton), ("pi", pion))


def jpsi_kaon(n: int, rng: np.random.Generator) -> Daughters:
    """B+ -> J/psi K+, the J/psi to muons or to electrons."""
    jpsi, kaon = two_body(BEAUTY.draw(n, rng), JPSI_MASS, MASSES["k"], rng)
    yield "k", kaon
    for lepton in ("mu", "e"):
        yield lepton, two_body(jpsi, MASSES[lepton], MASSES[lepton], rng)[0]


def _kstar_muons(n: int, kaon: float, rng: np.random.Generator) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Kaon, pion and muon of B -> K* mu mu by phase space, the K* at its mass."""
    pair = pair_masses(B_MASS, KSTAR_MASS, MASSES["mu"], MASSES["mu"], n, rng)
    kstar, muons = two_body(BEAUTY.draw(n, rng), KSTAR_MASS, np.maximum(pair, 2 * MASSES["mu"] + 1e-2), rng)
    first, second = two_body(kstar, kaon, MASSES["pi"], rng)
    return first, second, two_body(muons, MASSES["mu"], MASSES["mu"], rng)[0]


def b_zero(n: int, rng: np.random.Generator) -> Daughters:
    """B0 -> K*0 mu mu, K*0 -> K+ pi-."""
    yield from zip(("k", "pi", "mu"), _kstar_muons(n, MASSES["k"], rng), strict=True)


def b_plus(n: int, rng: np.random.Generator) -> Daughters:
    """B+ -> K*+ mu mu, K*+ -> K0S pi+."""
    _, pion, muon = _kstar_muons(n, KSHORT_MASS, rng)
    yield from (("pi", pion), ("mu", muon))


Channel = Callable[[int, np.random.Generator], Daughters]
SAMPLES: dict[str, tuple[Channel, ...]] = {
    "calibration": (charm, jpsi_kaon, lambdas),
    "b-zero": (b_zero,),
    "b-plus": (b_plus,),
}
"""Names of kinematics: the channels that give their tracks, in equal parts of those that have the species."""


def species_of(kinematics: str) -> list[str]:
    """Species that the tracks of `kinematics` can be of."""
    rng = np.random.default_rng(0)
    found = {name for channel in SAMPLES[kinematics] for name, _ in channel(1, rng)}
    return [name for name in MASSES if name in found]


def draw_tracks(kinematics: str, species: str, n: int, rng: np.random.Generator) -> Tracks:
    """`n` tracks of one species that pass the acceptance: 2 < eta < 5, 2 to 200 GeV, 0.25 GeV of transverse momentum.

    Raises:
        FacsimError: the channels of `kinematics` have no such particle.
    """
    channels = [c for c in SAMPLES[kinematics] if species in {name for name, _ in c(1, np.random.default_rng(0))}]
    if not channels:
        raise FacsimError(f"'{kinematics}' has tracks of {species_of(kinematics)}, and none of '{species}'.")
    shares = np.bincount(np.arange(n) % len(channels), minlength=len(channels))
    parts = [_accepted(channel, species, int(share), rng) for channel, share in zip(channels, shares, strict=True)]
    order = rng.permutation(n)
    p4 = np.concatenate(parts)[order]
    median, width = TRACKS
    n_tracks = np.clip(np.round(rng.lognormal(np.log(median), width, n)), 10, 1000)
    return Tracks(momentum_of(p4), pseudorapidity(p4), n_tracks)


def _accepted(channel: Channel, species: str, n: int, rng: np.random.Generator) -> FloatArray:
    found: list[FloatArray] = []
    while sum(map(len, found)) < n:
        p4 = next(p for name, p in channel(2 * n + 100, rng) if name == species)
        momentum, eta = momentum_of(p4), pseudorapidity(p4)
        kept = (eta > ACCEPTANCE[0]) & (eta < ACCEPTANCE[1]) & (momentum > MOMENTUM[0]) & (momentum < MOMENTUM[1])
        found.append(p4[kept & (np.hypot(p4[:, 1], p4[:, 2]) > LEAST_PT)])
    return np.concatenate([np.empty((0, 4)), *found])[:n]
