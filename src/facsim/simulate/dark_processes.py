"""Processes with dark showers and their background, by name: `qcd`, `suep-125`, `svj-2100`, ... and Pythia's settings.

`qcd` is pairs of jets, `suep-<m>` a scalar of mass m from gluons that becomes a thermal shower (`simulate.suep`), and
`svj-<m>` a Z' of mass m to dark quarks whose hadrons are invisible in part (arXiv 1503.00009, 2112.11125).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from facsim.core.errors import FacsimError
from facsim.simulate.pythia_events import Veto

Kind = Literal["qcd", "suep", "svj"]
MASSES: dict[str, tuple[float, float]] = {"suep": (125.0, 1000.0), "svj": (500.0, 8000.0)}
"""Least and largest mass of the mediator, GeV."""
ENERGY = 13_600.0
SCALAR, ZPRIME = 25, 4900023
DARK_QUARK, DARK_PIONS, DARK_RHOS = 4900101, (4900111, 4900211), (4900113, 4900213)
DARK_PION_DECAYS = {3: 0.003, 4: 0.07, 5: 0.927}
"""Shares of quarks in the visible decays of spinless dark mesons of 20 GeV: as the square of the quark's mass."""
LIGHTEST_MESON = 12.0
VETO_SCALE = 20.0
SAFE = 0.8
"""Of 900 events of SUEP with jets of 500 GeV, none had less than this part of it in partons or in visible particles."""
QCD = (
    "HardQCD:all = on",
    "PhaseSpace:pTHatMin = 200",
    "PhaseSpace:pTHatMax = 6500",
    "PhaseSpace:bias2Selection = on",
    "PhaseSpace:bias2SelectionPow = 4.5",
    "PhaseSpace:bias2SelectionRef = 200",
)


@dataclass(frozen=True)
class Process:
    """One kind of collision: `mass` of its mediator in GeV, 0 where it has none."""

    kind: Kind
    mass: float = 0.0


@dataclass(frozen=True)
class DarkSector:
    """What Z' decay to.

    Args:
        mass: of the dark mesons, GeV; dark quarks have half of it.
        invisible: share of dark mesons that decay to dark matter.
        coupling: of the dark force, the same at all scales; with it grows the number of dark mesons.
        least_pt: of emissions in the dark shower, GeV.

    Raises:
        FacsimError: numbers that cannot be.
    """

    mass: float = 20.0
    invisible: float = 0.3
    coupling: float = 0.3
    least_pt: float = 5.0

    def __post_init__(self) -> None:
        if not (self.mass > LIGHTEST_MESON and 0 <= self.invisible < 1 and self.coupling > 0 and self.least_pt > 0):
            raise FacsimError(
                f"a dark sector needs mesons above {LIGHTEST_MESON:g} GeV, which can decay to bottom quarks, an "
                f"invisible share from 0 to below 1, and a coupling and a 'least_pt' above 0, not {self}."
            )


def process(name: str) -> Process:
    """The process of a name.

    Raises:
        ValueError: there is none.
    """
    if name == "qcd":
        return Process("qcd")
    found = re.fullmatch(r"(suep|svj)-(\d+(?:\.\d+)?)", name)
    if found is None:
        raise ValueError(f"unknown process '{name}': expected 'qcd', 'suep-<mass in GeV>' or 'svj-<mass in GeV>'")
    kind, mass = found[1], float(found[2])
    low, high = MASSES[kind]
    if not low <= mass <= high:
        raise ValueError(f"the process '{name}' needs a mass of {low:g} to {high:g} GeV")
    return Process("suep" if kind == "suep" else "svj", mass)


def settings(of: Process, sector: DarkSector) -> tuple[str, ...]:
    """Pythia's settings of a process."""
    energy = f"Beams:eCM = {ENERGY:g}"
    if of.kind == "qcd":
        return (energy, *QCD)
    if of.kind == "suep":
        return (energy, "HiggsSM:gg2H = on", f"{SCALAR}:m0 = {of.mass:g}", f"{SCALAR}:mayDecay = off")
    limits = (f"{ZPRIME}:mMin = {of.mass - 1:g}", f"{ZPRIME}:mMax = {of.mass + 1:g}")
    narrow = (f"{ZPRIME}:m0 = {of.mass:g}", *limits, f"{ZPRIME}:mWidth = 0.01", f"{ZPRIME}:doForceWidth = on")
    return (energy, *narrow, *_dark_quarks(sector))


def veto(of: Process, least_ht: float) -> Veto | None:
    """Ends events with scalars that cannot reach the sum of jets' pT `least_ht`, GeV: of light ones, nearly all."""
    return Veto(VETO_SCALE, SAFE * least_ht) if of.kind == "suep" else None


def _dark_quarks(sector: DarkSector) -> tuple[str, ...]:
    lines = [
        "HiddenValley:ffbar2Zv = on",
        f"{ZPRIME}:onMode = off",
        f"{ZPRIME}:onIfAny = {DARK_QUARK}",
        "HiddenValley:Ngauge = 3",
        "HiddenValley:nFlav = 2",
        "HiddenValley:spinFv = 0",
        "HiddenValley:FSR = on",
        "HiddenValley:fragment = on",
        "HiddenValley:alphaOrder = 0",
        "HiddenValley:probVector = 0.75",
        f"HiddenValley:alphaFSR = {sector.coupling:g}",
        f"HiddenValley:pTminFSR = {sector.least_pt:g}",
        f"{DARK_QUARK}:m0 = {sector.mass / 2:g}",
        *(f"{pdg}:m0 = {sector.mass / 2 - 0.01:g}" for pdg in (51, 53)),
    ]
    quarks = dict.fromkeys(DARK_PIONS, DARK_PION_DECAYS)
    quarks |= {pdg: dict.fromkeys(range(1, 6), 0.2) for pdg in DARK_RHOS}
    for pdg, shares in quarks.items():
        matter = 51 if pdg in DARK_PIONS else 53
        lines += [f"{pdg}:m0 = {sector.mass:g}", f"{pdg}:oneChannel = 1 {sector.invisible:g} 0 {matter} -{matter}"]
        lines += [
            f"{pdg}:addChannel = 1 {(1 - sector.invisible) * share:g} 91 {quark} -{quark}"
            for quark, share in shares.items()
        ]
    return tuple(lines)
