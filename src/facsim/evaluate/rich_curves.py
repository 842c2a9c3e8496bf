"""Plots of RICH particle identification: efficiency by momentum, spectra, and the map of the separation of K and pi."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from facsim.core.geometry import FloatArray
from facsim.evaluate.physics import Curve, Image
from facsim.evaluate.rich_samples import PidTracks
from facsim.metrics.auc import value_auc
from facsim.metrics.efficiency import binned_efficiency, efficiencies
from facsim.physics.rich import HYPOTHESES
from facsim.physics.rich_observables import ANY, MAP_EDGES, MOMENTUM_EDGES, NAMES, SYMBOLS, Selection

Samples = Mapping[str, PidTracks]
MOMENTUM = r"$P$ [GeV]"
BINS = 50
POINTS = np.linspace(0.02, 0.98, 25)
FEWEST_DRAWN = 10.0


def rich_curves(samples: Samples) -> list[Curve]:
    """All plots, of the species that the reference has."""
    reference = samples["reference"]
    found = [_by_momentum(samples, selection) for selection in reference.selections()]
    if {"k", "pi"} <= set(reference.species):
        found.append(_rejection(samples))
    for name in reference.species or (ANY,):
        wanted = HYPOTHESES if name == ANY else ("k",) if name == "pi" else (name,)
        found += [_spectrum(samples, name, hypothesis) for hypothesis in wanted]
    return found


def _by_momentum(samples: Samples, selection: Selection) -> Curve:
    edges = np.array(MOMENTUM_EDGES)
    centres = 1e-3 * np.sqrt(edges[1:] * edges[:-1])
    series = {}
    for role, sample in samples.items():
        tracks = sample.of(selection.species)
        passed = tracks.dll(selection.hypothesis) > selection.cut
        binned = binned_efficiency(passed, tracks.momentum, edges, tracks.weight)
        drawn = binned.events >= FEWEST_DRAWN
        series[role] = (centres, np.where(drawn, binned.value, np.nan), np.where(drawn, binned.error, np.nan))
    who = NAMES.get(selection.species, "tracks")
    return Curve(
        f"{selection.role}/{selection.name}",
        f"{selection.role.capitalize()} of {who}, {selection.label}",
        MOMENTUM,
        selection.role,
        series,
        log_x=True,
        caption=f"Share of {who} that pass, in bins of momentum.",
        ratio=True,
    )


def _rejection(samples: Samples) -> Curve:
    """Misidentified pions against identified kaons, as the cut moves."""
    series = {}
    for role, sample in samples.items():
        kaons, pions = sample.of("k"), sample.of("pi")
        cuts = np.quantile(kaons.dll("k"), 1 - POINTS)
        efficiency, _ = efficiencies(kaons.dll("k"), cuts, kaons.weight)
        wrong, error = efficiencies(pions.dll("k"), cuts, pions.weight)
        series[role] = (efficiency, np.where(wrong > error, wrong, np.nan), error)
    return Curve(
        "rejection/k-pi",
        r"Pions taken for kaons against kaons kept, by DLL$_{K\pi}$",
        "efficiency of kaons",
        "misidentification of pions",
        series,
        log_y=True,
        caption="The lower, the better kaons and pions are told apart.",
    )


def _spectrum(samples: Samples, species: str, hypothesis: str) -> Curve:
    values = samples["reference"].of(species).dll(hypothesis)
    low, high = np.quantile(values, [0.002, 0.998]) if len(values) else (0.0, 1.0)
    edges = np.linspace(low, max(high, low + 1e-3), BINS + 1)
    width = edges[1] - edges[0]
    series = {}
    for role, sample in samples.items():
        tracks = sample.of(species)
        heights, squares = (
            np.histogram(tracks.dll(hypothesis), edges, weights=power)[0] for power in (tracks.weight, tracks.weight**2)
        )
        scale = width * max(float(tracks.weight.sum()), 1e-12)
        series[role] = (edges, heights / scale, np.sqrt(squares) / scale)
    label = rf"DLL$_{{{SYMBOLS[hypothesis]}\pi}}$"
    return Curve(
        f"spectrum/{species}/RichDLL{hypothesis}",
        f"{label} of {NAMES.get(species, 'tracks')}",
        label,
        "share per unit",
        series,
        log_y=True,
        caption="The peak is of tracks for which both hypotheses, or all, are below threshold.",
        ratio=True,
        steps=True,
    )


def separation_maps(samples: Samples, fewest: float) -> list[Image]:
    """AUC of kaons against pions by their DLL less truth's, in bins of momentum and pseudorapidity, and over its error.

    None where there are no kaons and pions, or truth alone. Bins with fewer than `fewest` effective tracks are empty.
    """
    if not {"k", "pi"} <= set(samples["reference"].species) or len(samples) < 2:
        return []
    maps = {role: binned_aucs(sample, fewest) for role, sample in samples.items()}
    truth, truth_error = maps.pop("reference")
    off = {role: value - truth for role, (value, _) in maps.items()}
    pulls = {role: off[role] / np.hypot(error, truth_error) for role, (_, error) in maps.items()}
    return [_map("difference", "AUC less truth's", off), _map("pulls", "difference over its error", pulls)]


def _map(name: str, label: str, images: Mapping[str, FloatArray]) -> Image:
    momentum, eta = MAP_EDGES
    return Image(
        f"separation/k-pi/{name}",
        r"Separation of K and $\pi$ by DLL$_{K\pi}$: " + name,
        label,
        images,
        (0.0, float(len(momentum) - 1), 0.0, float(len(eta) - 1)),
        x_label="bin of momentum: " + ", ".join(f"{1e-3 * edge:g}" for edge in momentum) + " GeV",
        y_label=r"bin of $\eta$: " + ", ".join(f"{edge:g}" for edge in eta),
        caption="Bins with fewer than 100 effective tracks of either species are empty.",
        diverging=True,
    )


def binned_aucs(sample: PidTracks, fewest: float) -> tuple[FloatArray, FloatArray]:
    """AUC of kaons against pions and its error in bins of eta (rows) and momentum; NaN where tracks are few."""
    places = [
        np.searchsorted(edges, values, side="right") - 1
        for edges, values in zip(MAP_EDGES, (sample.momentum, sample.eta), strict=True)
    ]
    found = np.full((2, len(MAP_EDGES[1]) - 1, len(MAP_EDGES[0]) - 1), np.nan)
    for row, column in np.ndindex(*found.shape[1:]):
        inside = sample[(places[0] == column) & (places[1] == row)]
        pions, kaons = inside.of("pi"), inside.of("k")
        if min(pions.effective, kaons.effective) >= fewest:
            found[:, row, column] = value_auc(pions.dll("k"), kaons.dll("k"), pions.weight, kaons.weight)
    return found[0], found[1]
