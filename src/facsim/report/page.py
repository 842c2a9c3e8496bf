"""The report: one HTML page that holds everything it shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from facsim import __version__
from facsim.core.store import atomic_path
from facsim.report import headline, headline_files
from facsim.report.blocks import Note, Section, Tile
from facsim.report.rundata import CALORIMETER, RunData, load_run
from facsim.report.sections_compression import compression_section
from facsim.report.sections_physics import application_section, physics_section
from facsim.report.sections_run import provenance_section, training_section
from facsim.report.sections_scores import scores_section
from facsim.report.sections_showers import observables_section, profiles_section, showers_section
from facsim.report.sections_speed import speed_section
from facsim.report.style import DARK_TWIN, css_variable, facsim_style

SECTIONS: dict[str, Callable[[RunData], Section | None]] = {
    "showers": showers_section,
    "physics": physics_section,
    "application": application_section,
    "observables": observables_section,
    "profiles": profiles_section,
    "scores": scores_section,
    "speed": speed_section,
    "compression": compression_section,
    "training": training_section,
    "provenance": provenance_section,
}
_MISSING = {
    "showers": "Single and average showers need truth.h5, samples/*.h5 or hists/*.json.",
    "observables": "Observables need hists/*.json, which facsim evaluate writes.",
    "scores": "Scores need scores/*.json, which facsim evaluate writes.",
    "speed": "Times need scores/timing.json, which facsim evaluate writes.",
}


def write_report(run_dir: Path, *, title: str | None = None) -> Path:
    """Write `report/index.html` of a run directory from its files, whatever of them there is.

    Args:
        run_dir: the run directory.
        title: heading of the page; by default the configured one.

    Returns:
        The page's path.

    Raises:
        FacsimError: the directory does not exist or cannot be written.
    """
    run = load_run(Path(run_dir))
    html = render_page(run, title)
    path = run.dir / "report" / "index.html"
    with atomic_path(path) as temporary:
        temporary.write_text(html, encoding="utf-8")
    return path


def render_page(run: RunData, title: str | None = None) -> str:
    """The page as text."""
    sections = []
    with facsim_style():
        for name, build in SECTIONS.items():
            section = build(run)
            if section is None and name in _MISSING and not _not_wanted(name, run):
                section = Section(name, name.capitalize(), "", [Note(_MISSING[name], "aside")])
            if section is not None:
                sections.append(section)
    heading = title or (run.config.get("report") or {}).get("title") or f"Surrogate for {run.truth_name} showers"
    words = headline_files if run.of_files and len(run.samples) > 1 else headline
    top = Top(heading, words.subtitle(run), words.tiles(run), words.verdict(run), made(run))
    return page_text(top, sections, "a folder of scores" if run.of_files else "one run directory")


def _not_wanted(name: str, run: RunData) -> bool:
    """Whether nobody misses the section `name`."""
    return (name == "showers" and run.task != CALORIMETER) or (name in ("showers", "speed") and run.of_files)


@dataclass(frozen=True)
class Top:
    """The head of a page: title, one line below it, large numbers, what they say, and the day of the last command."""

    title: str
    subtitle: str
    tiles: Sequence[Tile]
    verdict: str
    made: str


def page_text(top: Top, sections: Sequence[Section], source: str = "one run directory") -> str:
    """The page as text; `source` says what it was made from."""
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            **vars(top),
            sections=sections,
            source=source,
            version=__version__,
            style=Markup(_template("style.css")),
            colours=Markup(_colours()),
        )
    )


def made(run: RunData) -> str:
    """Day of the last command of the run."""
    history = run.provenance.get("history") or [{}]
    return str(history[-1].get("time", ""))[:10]


def _colours() -> str:
    """The palette as custom properties for light and dark paper."""
    light = "".join(f"{css_variable(colour)}:{colour};" for colour in DARK_TWIN)
    dark = "".join(f"{css_variable(colour)}:{twin};" for colour, twin in DARK_TWIN.items())
    return f":root{{{light}}}@media (prefers-color-scheme:dark){{:root{{{dark}}}}}"


@cache
def _environment() -> Environment:
    return Environment(
        loader=FunctionLoader(_template),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _template(name: str) -> str:
    return (files("facsim.report") / "templates" / name).read_text(encoding="utf-8")
