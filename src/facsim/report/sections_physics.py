"""The sections of what a task's physicists draw: curves and pictures that evaluation and application left as data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from facsim.report.blocks import Block, Cell, Gallery, Note, Picture, Section, Table
from facsim.report.figures_displays import display_figure
from facsim.report.figures_physics import curve_figure, image_figure
from facsim.report.render import to_png, to_svg
from facsim.report.rundata import RunData
from facsim.report.style import Look
from facsim.report.text import capital, plus_minus, score_label

Json = dict[str, Any]
TRUTH = ("reference", "null")
APPLIED = "generated"
HEADS = "heads"


def physics_section(run: RunData) -> Section | None:
    """Curves and pictures of every sample beside truth."""
    blocks = _display_blocks(run, _merged(run, "displays", "events"))
    blocks += physics_blocks(run, _merged(run, "curves", "series"), _merged(run, "images", "images"), "p")
    if not blocks:
        return None
    lead = (
        f"{capital(run.truth_name)} is black, a second, disjoint sample of it grey: what lies between the two is "
        "chance. Bars are one standard error."
    )
    return Section("physics", "Physics", lead, blocks)


def application_section(run: RunData) -> Section | None:
    """What the surrogate does in its place, beside truth."""
    found = run.application
    surrogate = run.surrogate
    if not found:
        return None
    name = surrogate.name if surrogate else APPLIED
    curves = [_renamed(curve, "series", name) for curve in found.get("curves", [])]
    images = [_renamed(image, "images", name) for image in found.get("images", [])]
    blocks: list[Block] = [Note(note, "aside") for note in found.get("notes", [])]
    rows = [
        [
            Cell(score_label(row["name"]), small=row.get("note") or ""),
            Cell(plus_minus(row.get("null"), row.get("null_error"))),
            Cell(plus_minus(row.get("value"), row.get("error"))),
        ]
        for row in found.get("scores", [])
    ]
    if rows:
        columns = ["", f"{run.truth_name}, null", run.labels.get(name, name)]
        blocks.append(Table(columns, [("", rows)], "Numbers of the application"))
    blocks += physics_blocks(run, curves, images, "a")
    lead = f"The surrogate where {run.truth_name} stood: the same particles through both, and what is made of them."
    return Section("application", "In its place", lead, blocks)


def _display_blocks(run: RunData, displays: Sequence[Json]) -> list[Block]:
    """Single events, a row for each sample."""
    drawn = [
        Picture(
            to_png(display_figure(item, run.looks, run.labels), item["title"], dpi=150),
            item["title"],
            f"{item['caption']} Areas go with {item['size']}.",
            True,
        )
        for item in displays
    ]
    return [Gallery(drawn, 1)] if drawn else []


def physics_blocks(run: RunData, curves: Sequence[Json], images: Sequence[Json], key: str) -> list[Block]:
    """Pictures first, then curves, three in a row."""
    looks: dict[str, Look] = run.looks
    drawn = [
        Picture(
            to_png(image_figure(image, run.labels), image["title"], dpi=150), image["title"], image["caption"], True
        )
        for image in images
    ]
    blocks: list[Block] = [Gallery(drawn, 1)] if drawn else []
    lines = [
        Picture(
            to_svg(curve_figure(curve, looks, run.labels), f"{key}-{curve['name']}".replace("/", "-"), curve["title"]),
            curve["title"],
            curve["caption"],
        )
        for curve in curves
        if any(value is not None for series in curve["series"].values() for value in series["y"])
    ]
    return [*blocks, Gallery(lines, 3)] if lines else blocks


def _merged(run: RunData, kind: str, inside: str) -> list[Json]:
    """Items of all samples: truth once, and each sample by its name in place of `generated`."""
    merged: dict[str, Json] = {}
    for sample in run.with_histograms:
        for item in (sample.histograms or {}).get(kind, []):
            own = _renamed(item, inside, sample.name)
            known = merged.setdefault(item["name"], own)
            known[inside] = {**known[inside], **own[inside]}
            if HEADS in known:
                known[HEADS] = {**known[HEADS], **own[HEADS]}
    return list(merged.values())


def _renamed(item: Json, inside: str, name: str) -> Json:
    parts = {part: item[part] for part in (inside, HEADS) if part in item}
    return {
        **item,
        **{
            part: {name if role == APPLIED else role: value for role, value in roles.items()}
            for part, roles in parts.items()
        },
    }
