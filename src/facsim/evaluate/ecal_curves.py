"""Plots of the reconstructed calorimeter: mass spectra, merged pions, response and resolutions, an event's display."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from facsim.evaluate.ecal_scores import MASS_RANGE, Given, Seen, median, width
from facsim.evaluate.physics import Curve, Image
from facsim.physics.ecal_map import CellMap, FloatArray
from facsim.physics.ecal_photons import PION_MASS

BINS = 8
FEWEST = 15
MASS_BINS = 48
SHOWN = (72, 48)
"""Half width and half height of the displayed part of the face, in fine cells."""
Points = tuple[FloatArray, FloatArray, FloatArray]
Role = Mapping[str, Seen]
MASS = r"$m_{\gamma\gamma}$ [MeV]"
ENERGY = r"$E$ of the photon [GeV]"


def curves(samples: Role, given: Given, place: CellMap) -> list[Curve]:
    """All curves of the samples by role."""
    found = [_mass_spectrum(samples)]
    pooled = next(iter(samples.values())).masses
    if len(pooled):
        found.append(_pooled_spectrum(samples))
    found += [_merged(samples, given, place, k) for k in range(len(place.zones))]
    found.append(_merged_by_pt(samples, given))
    found += _responses(samples, given)
    found += [_positions(samples, given, place, k) for k in range(len(place.zones))]
    return found


def display(samples: Role, place: CellMap) -> Image:
    """One event in all samples."""
    x, y = (half * place.pitch for half in SHOWN)
    return Image(
        "ecal_event",
        "One event in the middle of the calorimeter",
        "energy in a cell [MeV]",
        {role: seen.display for role, seen in samples.items()},
        (-x, x, -y, y),
        "$x$ [mm]",
        "$y$ [mm]",
        "The same particles, answered by truth twice and by the surrogate; the beam hole is in the middle.",
        log=True,
    )


def shown_part(values: FloatArray) -> FloatArray:
    """The displayed part of a picture of the whole face."""
    rows, columns = (n // 2 for n in values.shape)
    return values[rows - SHOWN[1] : rows + SHOWN[1], columns - SHOWN[0] : columns + SHOWN[0]]


def _mass_spectrum(samples: Role) -> Curve:
    edges = np.linspace(*MASS_RANGE, MASS_BINS + 1)
    return Curve(
        "pi0_mass",
        "Two-photon mass of neutral pions",
        MASS,
        "pions",
        {role: _histogram(seen.pions.mass, edges) for role, seen in samples.items()},
        caption=f"Pions whose photons are two clusters; the pion's mass is {PION_MASS:.1f} MeV.",
        ratio=True,
        steps=True,
    )


def _pooled_spectrum(samples: Role) -> Curve:
    edges = np.linspace(0, 400, MASS_BINS + 1)
    return Curve(
        "collision_mass",
        "Two-photon mass of all pairs in collisions",
        MASS,
        "pairs",
        {role: _histogram(seen.masses, edges) for role, seen in samples.items()},
        caption="Every pair of clusters of a collision: the pion above chance pairs.",
        ratio=True,
        steps=True,
    )


def _histogram(values: FloatArray, edges: FloatArray) -> Points:
    counts = np.histogram(values[np.isfinite(values)], edges)[0].astype(np.float64)
    return edges, counts, np.sqrt(np.maximum(counts, 1.0))


def _merged(samples: Role, given: Given, place: CellMap, zone: int) -> Curve:
    name, here = place.zones[zone].name, given.pion_zone == zone
    return Curve(
        f"merged/{name}",
        f"Merged pions, {name} zone",
        r"$E$ of the pion [GeV]",
        "fraction in one cluster",
        {role: _fraction(given.pion_energy[here] / 1e3, seen.pions.merged[here]) for role, seen in samples.items()},
        log_x=True,
        caption="Both photons belong to the same cluster.",
    )


def _merged_by_pt(samples: Role, given: Given) -> Curve:
    return Curve(
        "merged/pt",
        "Merged pions, all zones",
        r"$p_\mathrm{T}$ of the pion [GeV]",
        "fraction in one cluster",
        {role: _fraction(given.pion_pt / 1e3, seen.pions.merged) for role, seen in samples.items()},
        log_x=True,
    )


def _responses(samples: Role, given: Given) -> list[Curve]:
    rows: list[tuple[str, str, str, Callable[[FloatArray], float]]] = [
        ("cluster_response", "Response of clusters to photons", r"median of $E / E_\mathrm{true}$", median),
        ("cluster_resolution", "Energy resolution of clusters", r"width of $E / E_\mathrm{true}$", width),
    ]
    return [
        Curve(
            name,
            title,
            ENERGY,
            label,
            {role: _profile(given.energy / 1e3, seen.photons.response, statistic) for role, seen in samples.items()},
            log_x=True,
            caption="After a calibration with truth alone.",
            ratio=True,
        )
        for name, title, label, statistic in rows
    ]


def _positions(samples: Role, given: Given, place: CellMap, zone: int) -> Curve:
    name, here = place.zones[zone].name, given.zone == zone
    energy = np.tile(given.energy[here] / 1e3, 2)
    return Curve(
        f"position_resolution/{name}",
        f"Position resolution, {name} zone",
        ENERGY,
        "width of $x$ and $y$ from the true ones [mm]",
        {role: _profile(energy, seen.photons.apart[here].T.ravel(), width) for role, seen in samples.items()},
        log_x=True,
        log_y=True,
        ratio=True,
    )


def _bins(x: FloatArray) -> list[NDArray[np.bool_]]:
    """Which values lie in each bin of about equal population."""
    edges = np.unique(np.quantile(x, np.linspace(0, 1, BINS + 1))) if len(x) else np.zeros(0)
    last = len(edges) - 2
    inside = [(x >= low) & ((x < high) if k < last else (x <= high)) for k, (low, high) in enumerate(pairwise(edges))]
    return [one for one in inside if one.sum() >= FEWEST]


def _fraction(x: FloatArray, values: FloatArray) -> Points:
    bins = _bins(x)
    share = np.array([values[one].mean() for one in bins])
    n = np.array([one.sum() for one in bins], dtype=np.float64)
    # a fraction of 0 or 1 is uncertain too
    error = np.sqrt(np.maximum(share * (1 - share), 1 / (n + 2)) / np.maximum(n, 1))
    return np.array([x[one].mean() for one in bins]), share, error


def _profile(x: FloatArray, values: FloatArray, statistic: Callable[[FloatArray], float]) -> Points:
    bins = _bins(x)
    found = np.array([statistic(values[one]) for one in bins])
    counts = np.array([max(1, int(np.isfinite(values[one]).sum())) for one in bins])
    spread = np.array([width(values[one]) for one in bins])
    # of a normal distribution: the median's error, and that of half the middle 68.3 %
    scale = 1.253 if statistic is median else 1.1
    return np.array([x[one].mean() for one in bins]), found, scale * spread / np.sqrt(counts)
