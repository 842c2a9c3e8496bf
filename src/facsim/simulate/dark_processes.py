"""Processes with dark showers and their background, by name: `qcd`, `suep-125`, `svj-2100`, ... and Pythia's settings.

`qcd` is pairs of jets, `suep-<m>` a scalar of mass m from gluons that becomes a thermal shower (`simulate.suep`), and
`svj-<m>` a Z' of mass m to dark quarks whose hadrons are invisible in part (arXiv 1503.00009, 2112.11125).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from facsim.simulate.pythia_events import Veto

Kind = Literal["qcd", "suep", "svj"]
MASSES: dict[str, tuple[float, float]] = {"suep": (125.0, 1000.0), "svj": (500.0, 8000.0)}
"""Least and largest mass of the mediator, GeV."""
ENERGY = 13_600.0
SCALAR = 25
DARK_QUARK, DARK_PIONS, DARK_RHOS = 4900101, (4900111, 4900211), (4900113, 4900213)
DARK_PION_DECAYS = {3: 0.003, 4: 0.07, 5: 0.927}
"""Shares of quarks in the visible decays of spinless dark mesons of 20 GeV: as the square of the quark's mass."""
VETO_SCALE = 20.0
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
        scale: of the dark force's confinement, GeV.
    """

    mass: float = 20.0
    invisible: float = 0.3
    scale: float = 35.1


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
    name = SCALAR if of.kind == "suep" else 4900023
    width = (f"{name}:m0 = {of.mass:g}", f"{name}:mMin = {of.mass - 1:g}", f"{name}:mMax = {of.mass + 1:g}")
    narrow = (*width, f"{name}:mWidth = 0.01", f"{name}:doForceWidth = on")
    if of.kind == "suep":
        return (energy, "HiggsSM:gg2H = on", *narrow, f"{SCALAR}:mayDecay = off")
    return (energy, *narrow, *_dark_quarks(sector))


def veto(of: Process, least_ht: float) -> Veto | None:
    """Ends events of light scalars that cannot reach the sum of jets' pT `least_ht`, GeV; there are many."""
    return Veto(VETO_SCALE, 0.7 * least_ht) if of.kind == "suep" else None


def _dark_quarks(sector: DarkSector) -> tuple[str, ...]:
    lines = [
        "HiddenValley:ffbar2Zv = on",
        "4900023:onMode = off",
        f"4900023:onIfAny = {DARK_QUARK}",
        "HiddenValley:Ngauge = 2",
        "HiddenValley:nFlav = 2",
        "HiddenValley:spinFv = 0",
        "HiddenValley:FSR = on",
        "HiddenValley:fragment = on",
        "HiddenValley:alphaOrder = 1",
        "HiddenValley:probVector = 0.75",
        f"HiddenValley:Lambda = {sector.scale:g}",
        f"HiddenValley:pTminFSR = {1.1 * sector.scale:g}",
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
