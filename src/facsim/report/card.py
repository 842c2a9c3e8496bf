"""One picture that sums up a run, for a README, a slide or a message."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure, SubFigure

from facsim.core.errors import FacsimError
from facsim.core.store import atomic_path
from facsim.report.figures_curves import observable_figure, profile_figure
from facsim.report.figures_single import cell_positions, draw_shower
from facsim.report.observables import collect_observables, collect_profiles
from facsim.report.rundata import RunData, load_run
from facsim.report.sections_speed import quality_figure
from facsim.report.showers import ShowerGallery, shower_gallery
from facsim.report.style import MUTED, facsim_style, new_figure
from facsim.report.text import energy

BATCH = 100


def card_figure(run_dir: Path) -> Path:
    """Write `report/card.png`: showers of truth and surrogate, the response, a profile and quality against time.

    Raises:
        FacsimError: the run holds nothing to draw.
    """
    run = load_run(Path(run_dir))
    path = run.dir / "report" / "card.png"
    with facsim_style():
        figure = _compose(run)
        with atomic_path(path) as temporary:
            figure.savefig(temporary, format="png", dpi=150, facecolor="white")
    return path


def _compose(run: RunData) -> Figure:
    gallery = shower_gallery(run, (0.3, 0.95))
    observables = collect_observables(run.with_histograms, run.problems)
    response = next((item for item in observables if item.name == "e_ratio"), next(iter(observables), None))
    profiles = collect_profiles(run.with_histograms)
    has_time = quality_figure(run, BATCH) is not None
    parts = [response is not None, bool(profiles), has_time]
    if gallery is None and not any(parts):
        raise FacsimError(f"'{run.dir}' holds neither showers nor histograms nor times to draw: run facsim evaluate.")
    height = (3.5 if gallery else 0.0) + (4.1 if any(parts) else 0.0)
    figure = new_figure(13.2, height)
    rows = figure.subfigures(
        2 if gallery and any(parts) else 1, 1, squeeze=False, height_ratios=_ratios(gallery, parts)
    )
    if gallery is not None:
        _draw_showers(rows[0, 0], run, gallery)
    if any(parts):
        places = iter(rows[-1, 0].subfigures(1, sum(parts), squeeze=False)[0])
        if response is not None:
            observable_figure(response, run.looks, run.labels, next(places))
        if profiles:
            profile_figure(profiles[0], run.looks, run.labels, next(places))
        if has_time:
            quality_figure(run, BATCH, next(places))
    return figure


def _ratios(gallery: ShowerGallery | None, parts: list[bool]) -> list[float] | None:
    return [3.5, 4.1] if gallery and any(parts) else None


def _draw_showers(place: SubFigure, run: RunData, gallery: ShowerGallery) -> None:
    """Truth beside surrogate at two energies."""
    surrogate = run.surrogate
    names = [name for name in ("reference", surrogate.name if surrogate else "") if name in gallery.cells]
    names = names or list(gallery.cells)[:2]
    cells = cell_positions(gallery.geometry)
    grid = place.add_gridspec(
        1, len(names) * len(gallery.wanted), left=0.01, right=0.99, top=0.93, bottom=0.06, wspace=0.02
    )
    for row, wanted in enumerate(gallery.wanted):
        brightest = max(float(gallery.cells[name][row].max()) for name in names)
        for column, name in enumerate(names):
            axes = place.add_subplot(grid[0, row * len(names) + column])
            draw_shower(axes, cells, gallery.cells[name][row], brightest)
            axes.set_title(run.labels[name], pad=2, fontsize=13)
            total, hits = gallery.cells[name][row].sum(), int((gallery.cells[name][row] > 0).sum())
            text = f"{energy(float(wanted))} in, {energy(float(total))} visible, {hits} cells"
            axes.text(0.5, -0.02, text, transform=axes.transAxes, ha="center", color=MUTED, fontsize=9)
