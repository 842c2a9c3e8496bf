"""Plots of reconstructed jets: response and resolution by pT and eta, spectra of particles, average images."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from facsim.core.events import Events
from facsim.core.geometry import FloatArray
from facsim.evaluate.jets_response import ETA, PT, JetPairs, bin_edges, binned_response, jet_pairs, real_points
from facsim.evaluate.physics import Curve, Image

SYMBOLS = {"pt": "p_T", "mass": "m"}
WORDS = {"pt": "pT", "mass": "mass"}
AXES = {PT: r"$p_T^{gen}$ [GeV]", ETA: r"$|\eta^{gen}|$"}
SPECTRUM = np.geomspace(1e-4, 1.5, 41)
PIXELS = 40
INSIDE = 0.999
"""Share of the reference's particles that images show."""


def reco_curves(samples: Mapping[str, Events]) -> list[Curve]:
    """Response and relative resolution of pT and mass in bins of pT and |eta|, then spectra of particles."""
    pairs = {role: jet_pairs(events) for role, events in samples.items()}
    found = [_response(pairs, of, against, width) for of in SYMBOLS for against in AXES for width in (False, True)]
    return [*found, *_spectra(samples)]


def _response(pairs: Mapping[str, JetPairs], of: str, against: str, width: bool) -> Curve:
    first = next(iter(pairs.values()))
    edges = bin_edges(first, against)
    place = np.digitize(first.against(against), edges) - 1
    centres = np.array([first.against(against)[place == k].mean() for k in range(len(edges) - 1)])
    series = {}
    for role, one in pairs.items():
        found = binned_response(one, of, against, edges, seed=0)
        scale = found.mean if width else np.ones(len(found.mean))
        value, error = (found.width, found.width_error) if width else (found.mean, found.mean_error)
        series[role] = (centres, value / scale, error / scale)
    ratio = rf"${SYMBOLS[of]}^{{reco}} / {SYMBOLS[of]}^{{gen}}$"
    what = "Resolution" if width else "Response"
    return Curve(
        f"{what.lower()}/{of}/{against}",
        f"{what} of jet {WORDS[of]} against {'pT' if against == PT else 'eta'}",
        AXES[against],
        f"width / mean of {ratio}" if width else f"mean {ratio}",
        series,
        log_x=against == PT,
        caption="Half of the central 68 % over the mean." if width else "",
        ratio=True,
    )


def _spectra(samples: Mapping[str, Events]) -> list[Curve]:
    """Particles of a jet in bins of their pT and of their distance from the axis."""
    clouds = {role: real_points(events) for role, events in samples.items()}
    first = _distance(next(iter(clouds.values())))
    radius = np.linspace(0, float(np.quantile(first, INSIDE)) if len(first) else 1.0, 31)
    kinds = (
        ("ptrel", "pT of particles", r"$p_T / p_T^{gen}$", SPECTRUM, lambda x: x[..., 2][x[..., 2] > 0], True),
        ("distance", "Distance of particles from the axis", r"$\Delta R$", radius, _distance, False),
    )
    found = []
    for name, title, label, edges, values, log in kinds:
        series = {}
        for role, x in clouds.items():
            count = np.histogram(values(x), edges)[0]
            per_jet = np.diff(np.log(edges) if log else edges) * len(x)
            series[role] = (edges, count / per_jet, np.sqrt(count) / per_jet)
        y = f"particles of a jet in a unit of {'ln ' if log else ''}{label}"
        found.append(Curve(f"spectrum/{name}", title, label, y, series, log_x=log, log_y=True, ratio=True, steps=True))
    return found


def _distance(x: FloatArray) -> FloatArray:
    return np.asarray(np.hypot(x[..., 0], x[..., 1])[x[..., 2] > 0], dtype=np.float64)


def jet_images(samples: Mapping[str, Events]) -> list[Image]:
    """Mean pT over the generator-level jet's in pixels of eta and phi about its axis."""
    clouds = {role: real_points(events) for role, events in samples.items()}
    distance = _distance(next(iter(clouds.values())))
    reach = float(np.ceil(10 * np.quantile(distance, INSIDE)) / 10) if len(distance) else 1.0
    edges = np.linspace(-reach, reach, PIXELS + 1)
    images = {}
    for role, x in clouds.items():
        eta, phi, pt = (x[..., k].ravel() for k in range(3))
        images[role] = np.histogram2d(phi, eta, bins=(edges, edges), weights=pt)[0] / len(x)
    extent = (-reach, reach, -reach, reach)
    return [
        Image(
            "average_jet",
            "Average reconstructed jet",
            r"mean $p_T / p_T^{gen}$ in a pixel",
            images,
            extent,
            r"$\eta - \eta^{gen}$",
            r"$\phi - \phi^{gen}$ [rad]",
            log=True,
        )
    ]
