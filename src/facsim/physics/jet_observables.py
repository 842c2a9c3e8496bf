"""The named observables of jets.

To add one: write a plain function of `Jets`, and a line in `JET_OBSERVABLES`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

from facsim.core.arrays import Array, namespace
from facsim.physics.jet_arrays import particles, safe_sqrt
from facsim.physics.jet_substructure import subjettiness
from facsim.physics.jets import d2, efps, jet_features


class Jets:
    """A sample of jets and what several observables share, computed when first asked for.

    Args:
        particles: (N, P, 3 or more), columns eta, phi (radians), pT; padding has pT = 0. numpy or torch.
        mask: (N, P), 1 for a particle, 0 for padding.
    """

    def __init__(self, particles: Array, mask: Array | None = None) -> None:
        self.particles, self.mask = particles, mask

    def __len__(self) -> int:
        return len(self.particles)

    @cached_property
    def features(self) -> dict[str, Array]:
        """`jets.jet_features`: mass, pt, eta, multiplicity, each (N,)."""
        return jet_features(self.particles, self.mask)

    @cached_property
    def taus(self) -> Array:
        """tau_1, tau_2, tau_3, (N, 3)."""
        return subjettiness(self.particles, 3, self.mask)

    @cached_property
    def efps(self) -> Array:
        """The 36 energy flow polynomials, (N, 36)."""
        return efps(self.particles, self.mask)


@dataclass(frozen=True)
class JetObservable:
    """A named quantity of a jet.

    Args:
        name: as in score names.
        label: LaTeX, for axes.
        unit: `pT` for that of the particles' pT (none where it is relative to the jet's), empty without unit.
        values: function of `Jets` that returns (N,).
    """

    name: str
    label: str
    unit: str
    values: Callable[[Jets], Array]


def tau21(jets: Jets) -> Array:
    """tau_2 / tau_1, (N,); 0 where tau_1 is 0."""
    return _ratio(jets.taus[:, 1], jets.taus[:, 0])


def tau32(jets: Jets) -> Array:
    """tau_3 / tau_2, (N,); 0 where tau_2 is 0."""
    return _ratio(jets.taus[:, 2], jets.taus[:, 1])


def width(jets: Jets) -> Array:
    """sum pT theta / sum pT with theta the distance from eta = phi = 0, the jet's axis, (N,)."""
    eta, phi, pt = particles(jets.particles, jets.mask)
    return _ratio((pt * safe_sqrt(eta * eta + phi * phi)).sum(1), pt.sum(1))


def ptd(jets: Jets) -> Array:
    """sqrt(sum pT^2) / sum pT, (N,): 1 for a jet of one particle."""
    pt = particles(jets.particles, jets.mask)[2]
    return _ratio(safe_sqrt((pt * pt).sum(1)), pt.sum(1))


def leading(jets: Jets) -> Array:
    """pT of the hardest particle, (N,)."""
    pt = particles(jets.particles, jets.mask)[2]
    return namespace(pt).amax(pt, -1)


def _ratio(above: Array, below: Array) -> Array:
    where = namespace(above).where
    return where(below > 0, above / where(below > 0, below, 1.0), 0.0)


JET_OBSERVABLES: Mapping[str, JetObservable] = {
    line.name: line
    for line in (
        JetObservable("mass", r"$m$", "pT", lambda jets: jets.features["mass"]),
        JetObservable("pt", r"$p_T$", "pT", lambda jets: jets.features["pt"]),
        JetObservable("multiplicity", r"$N_{particles}$", "", lambda jets: jets.features["multiplicity"]),
        JetObservable("tau21", r"$\tau_{21}$", "", tau21),
        JetObservable("tau32", r"$\tau_{32}$", "", tau32),
        JetObservable("width", r"$\langle \Delta R \rangle_{p_T}$", "", width),
        JetObservable("ptd", r"$p_T^D$", "", ptd),
        JetObservable("leading", r"$p_T$ of the hardest particle", "pT", leading),
        JetObservable("d2", r"$D_2$", "", lambda jets: d2(jets.particles, jets.mask)),
    )
}
"""Name to observable."""
