"""The page of a comparison: several surrogates on one truth, figures first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from facsim.core.store import atomic_path
from facsim.report.blocks import Note, Section
from facsim.report.headline import subtitle
from facsim.report.headline_compare import tiles, verdict
from facsim.report.page import Top, made, page_text
from facsim.report.rundata import Json, RunData
from facsim.report.sections_compare import costs_section, published_section, runs_section
from facsim.report.sections_run import provenance_section
from facsim.report.sections_scores import scores_section
from facsim.report.sections_showers import observables_section, profiles_section, showers_section
from facsim.report.style import facsim_style

SECTIONS: dict[str, Callable[[RunData, Json], Section | None]] = {
    "costs": costs_section,
    "scores": lambda run, content: scores_section(run),
    "published": published_section,
    "observables": lambda run, content: observables_section(_surrogates(run)),
    "profiles": lambda run, content: profiles_section(_surrogates(run)),
    "showers": lambda run, content: showers_section(_surrogates(run)),
    "runs": runs_section,
    "provenance": lambda run, content: provenance_section(run),
}


def write_comparison(path: Path, run: RunData, content: Json) -> Path:
    """Write the page to `path`.

    Args:
        run: the runs, read as one by `report.merged.merge_runs`.
        content: of `comparison.json`.

    Raises:
        FacsimError: it cannot be written.
    """
    with facsim_style():
        sections = [section for build in SECTIONS.values() if (section := build(run, content))]
    failed = [Note(f"The run {name} failed: {why}", "warning") for name, why in content["failed"].items()]
    sections[0] = replace(sections[0], blocks=[*failed, *sections[0].blocks])
    top = Top(_title(run), subtitle(run), tiles(run, content), verdict(run, content), made(run))
    text = page_text(top, sections, "several run directories")
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return path


def _title(run: RunData) -> str:
    number = len(run.surrogates)
    return f"{number} surrogate{'s' if number != 1 else ''} for {run.truth_name} showers, compared"


def _surrogates(run: RunData) -> RunData:
    """Without the baselines, which would crowd the drawings."""
    return replace(run, samples=run.surrogates)
