"""The page and the pictures of a demonstration of full against fast simulation."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure
from numpy.typing import NDArray

from facsim.core.geometry import CylinderGeometry
from facsim.core.store import atomic_path
from facsim.report.blocks import Cell, Gallery, Listing, Picture, Section, Table, Tile
from facsim.report.figures_curves import observable_figure, profile_figure
from facsim.report.figures_geant4 import FAST, LABELS, LOOKS, display_figure, time_figure
from facsim.report.histograms import read_uhi
from facsim.report.observables import Observable, Profile
from facsim.report.page import Top, page_text
from facsim.report.render import to_png, to_svg
from facsim.report.style import AnyFigure, facsim_style
from facsim.report.text import PM

Json = dict[str, Any]
PICTURES = (
    *("events", "times", "longitudinal", "lateral"),
    *("energy", "hits", "depth", "depth_width", "radius"),
)
FILES = frozenset({"index.html", *(f"{name}.png" for name in PICTURES)})
"""All that `write_pictures` writes."""
MARKS = {"met": ("good", "met"), "open": ("fair", "cannot be told"), "missed": ("poor", "missed")}


def write_pictures(
    results: Json, geometry: CylinderGeometry, drawn: Mapping[str, NDArray[Any]], folder: Path
) -> list[Path]:
    """Write `index.html`, which needs nothing else, and every figure as a PNG into `folder`.

    Args:
        results: as in `results.json`. geometry: of the cells. drawn: one `full` and one `fast` event (V,), MeV.
    """
    written, pictures = [], []
    with facsim_style():
        for name, title, caption, figure in _figures(results, geometry, drawn):
            path = folder / f"{name}.png"
            with atomic_path(path) as temporary:
                assert isinstance(figure, Figure), "only a whole figure can be written"
                figure.savefig(temporary, format="png", dpi=150, facecolor="white")
            written.append(path)
            body: Markup = to_png(figure, title) if name == "events" else to_svg(figure, name, title)
            pictures.append(Picture(body, title, caption, wide=name in ("events", "times")))
    page = folder / "index.html"
    with atomic_path(page) as temporary:
        temporary.write_text(_page(results, pictures), encoding="utf-8")
    return [page, *written]


def _figures(
    results: Json, geometry: CylinderGeometry, drawn: Mapping[str, NDArray[Any]]
) -> Iterator[tuple[str, str, str, AnyFigure]]:
    """Name, title, caption and figure of each picture."""
    energy = results["settings"]["energy"]
    display: Figure = display_figure(geometry, drawn, energy)
    yield "events", "One event of each", "Every cell a point, sized and coloured by its energy, on one scale", display
    caption = f"The ratio of all CPU time is {results['times']['ratio']:.1f}; start-up is not in it"
    yield "times", "Where the time goes", caption, time_figure(results["times"])
    titles = {"layers": ("longitudinal", "Longitudinal profile"), "rings": ("lateral", "Lateral profile")}
    for item in results["profiles"]:
        name, title = titles[item["name"]]
        yield name, title, "Mean energy and its ratio, with errors of the mean", _profile(item)
    for item in results["distributions"]:
        name = "energy" if item["observable"] == "e_total" else item["observable"]
        title = item["label"][0].upper() + item["label"][1:]
        yield name, title, "Distribution over events", _distribution(item)


def _profile(item: Json) -> AnyFigure:
    pair = {role: (np.asarray(item[role]), np.asarray(item[f"{role}_error"])) for role in ("reference", "generated")}
    centres = np.asarray(item["centres"], dtype=np.float64)
    made = Profile(
        item["name"], item["label"], item["unit"], centres, pair["reference"], None, {FAST: pair["generated"]}
    )
    return profile_figure(made, LOOKS, LABELS)


def _distribution(item: Json) -> AnyFigure:
    reference, generated = read_uhi(item["reference"]), read_uhi(item["generated"])
    made = Observable(
        item["observable"], item["label"], item["unit"], None, False, False, reference, None, {FAST: generated}
    )
    return observable_figure(made, LOOKS, LABELS, noun="events")


def _page(results: Json, pictures: list[Picture]) -> str:
    settings, times = results["settings"], results["times"]
    beam = f"{settings['energy']:g} GeV {settings['particle']}"
    subtitle = (
        f"{beam}, {settings['material']:g} X0 of silicon in front of {results['detector']['name']}; surrogate "
        f"{results['model']['name']}; {results['events']['full']} full and {results['events']['fast']} fast events, "
        f"seed {settings['seed']}"
    )
    tiles = [Tile("Faster", f"{times['ratio']:.0f}", "times", "CPU time of an event, one thread each")]
    for item in results["goals"][1:]:
        value = f"{100 * item['value']:+.2f}"
        tiles.append(Tile(item["label"].capitalize(), value, "%", f"± {100 * item['error']:.2f} %, fast over full"))
    share = times["fast_parts"]["rest"] / times["fast_ms"]
    verdict = f"{share:.0%} of the time of a fast event is full simulation of what the surrogate does not take."
    top = Top("Full and fast simulation in one Geant4 run", subtitle, tiles, verdict, "")
    sections = [
        Section("events", "Events and times", "", pictures[:2]),
        Section("numbers", "Numbers", "", [_goals(results), _comparison(results), _particles(results)]),
        Section("shapes", "Shapes", "", [Gallery(pictures[2:], columns=3)]),
        Section("settings", "Settings", "", [Listing("Everything that was set", _listing(results))]),
    ]
    return page_text(top, sections, "one demonstration")


def _goals(results: Json) -> Table:
    rows = []
    for item in results["goals"]:
        speed = item["name"] == "speed"
        scale, unit, digits = (1.0, "", 1) if speed else (100.0, " %", 2)
        value = f"{scale * item['value']:.{digits}f}{PM}{scale * item['error']:.{digits}f}{unit}"
        wanted = f"at least {item['limit']:g}" if speed else f"within {100 * item['limit']:g} %"
        mark, words = MARKS[item["verdict"]]
        rows.append([Cell(item["label"]), Cell(wanted), Cell(value, mark=mark, mark_text=words)])
    return Table(("", "wanted", "measured"), [("", rows)], "Goals")


def _comparison(results: Json) -> Table:
    rows = []
    for item in results["comparison"]:
        pairs = [(item[role], item[f"{role}_error"]) for role in ("full", "fast", "ratio")]
        cells = [Cell(f"{value:.5g}{PM}{error:.2g}") for value, error in pairs]
        rows.append([Cell(item["label"], item["unit"]), *cells])
    return Table(("", "full", "fast", "fast over full"), [("", rows)], "Comparison")


def _particles(results: Json) -> Table:
    rows = [
        [Cell(item["label"]), Cell(f"{item['per_event']:.4f}"), Cell(f"{item['MeV_per_event']:.1f}")]
        for item in results["particles"]
    ]
    caption = "Particles that enter the calorimeter, and the pairs of those that are converted."
    return Table(("", "per event", "MeV per event"), [("", rows)], "What became of the particles", caption)


def _listing(results: Json) -> str:
    shown = ("settings", "front", "model", "geant4", "times", "hardware", "versions")
    return json.dumps({name: results[name] for name in shown}, indent=2)
