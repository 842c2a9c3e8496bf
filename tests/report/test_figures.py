"""Figures: labels, content and independence of global state."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from matplotlib import rcParams
from matplotlib.figure import Figure

from facsim.report.figures_curves import layer_curves_figure, observable_figure, profile_figure
from facsim.report.figures_maps import depth_radius_figure, layers_figure, matrices_figure
from facsim.report.figures_scores import distance_figure, energy_bins_figure, memorisation_figure
from facsim.report.figures_single import space_figure
from facsim.report.figures_time import CostPoint, quality_cost_figure, training_figure
from facsim.report.histograms import Histogram
from facsim.report.observables import Observable, collect_arrays, collect_observables, collect_profiles, spread
from facsim.report.render import to_png, to_svg
from facsim.report.rundata import RunData, load_run
from facsim.report.scoretable import score_rows
from facsim.report.showers import shower_gallery
from facsim.report.style import DARK_TWIN, decade_label, facsim_style, looks, new_figure


@pytest.fixture(scope="module")
def run(full_run: Path) -> RunData:
    return load_run(full_run)


@pytest.fixture(autouse=True)
def _style() -> Iterator[None]:
    with facsim_style():
        yield


def labelled(figure: object) -> set[str]:
    assert isinstance(figure, Figure)
    return {label for axes in figure.axes for label in (axes.get_xlabel(), axes.get_ylabel()) if label}


def test_style_leaves_no_trace() -> None:
    inside = rcParams["xtick.direction"]
    with facsim_style(**{"xtick.direction": "out"}):
        assert rcParams["xtick.direction"] == "out"
    assert rcParams["xtick.direction"] == inside


def test_observables_have_labels_and_one_curve_a_sample(run: RunData) -> None:
    items = collect_observables(run.samples, run.problems)
    assert [item.key for item in items] == ["e_ratio", "e_layer-4", "width_r-4", "sparsity", "cell"]
    assert not run.problems
    figure = observable_figure(items[0], run.looks, run.labels)
    assert labelled(figure) == {items[0].label, "fraction of showers / bin", "ratio to truth"}
    (legend,) = figure.legends
    written = {entry.get_text() for entry in legend.get_texts()}
    assert written == {"Geant4", "Geant4, null", "surrogate", "GFlash", "shower library", "bootstrap"}


def test_layer_and_unit_stand_on_the_axis() -> None:
    histogram = Histogram(np.arange(3.0), np.ones(2), np.ones(2))
    item = Observable("e_layer", "$E$", "MeV", 7, False, False, histogram, None)
    assert item.axis_label == "$E$, layer 7 [MeV]"


def test_other_bins_are_left_out_and_broken_items_told(run: RunData) -> None:
    first, second = (dict(run.samples[k].histograms or {}) for k in (0, 1))
    shifted = {**second["items"][1]}
    second["items"] = [
        {**second["items"][0], "generated": {}},
        {**shifted, "generated": first["items"][0]["generated"]},
    ]
    samples = [type(run.samples[0])("a", "surrogate", histograms=first)]
    samples.append(type(run.samples[0])("b", "surrogate", histograms=second))
    problems: list[str] = []
    items = collect_observables(samples, problems)
    assert all("b" not in item.generated for item in items)
    assert len(problems) == 1


def test_spread_keeps_the_ends() -> None:
    histogram = Histogram(np.arange(3.0), np.ones(2), np.ones(2))
    items = [Observable("e_layer", "", "", k, False, False, histogram, None) for k in range(10)]
    assert [item.layer for item in spread(items, 3)] == [0, 4, 9]


def test_profiles_have_labels(run: RunData) -> None:
    for profile in collect_profiles(run.samples):
        assert {"mean energy [MeV]", profile.label, "ratio to truth"} == labelled(
            profile_figure(profile, run.looks, run.labels)
        )


def test_layer_curves_show_every_observable_and_name_rings(run: RunData) -> None:
    figure = layer_curves_figure(run.samples, run.looks, run.labels)
    assert isinstance(figure, Figure)
    assert [axes.get_title() for axes in figure.axes] == ["Energy in a layer", "Share of the energy in a ring, rings"]
    assert [axes.get_xlabel() for axes in figure.axes] == ["layer", "ring"]
    assert layer_curves_figure([], {}, run.labels) is None


def test_maps_have_labels_and_a_column_a_sample(run: RunData) -> None:
    gallery = shower_gallery(run)
    assert gallery is not None
    means = collect_arrays(run.samples, "mean_shower")
    depth = depth_radius_figure(gallery.geometry, means, run.labels)
    assert labelled(depth) == {"r [mm]", "layer", "MeV per cell", "ratio to truth"}
    titles = [axes.get_title() for axes in depth.axes if axes.get_title()]
    assert titles == ["Geant4", "surrogate", "GFlash", "shower library", "bootstrap"]
    matrices = matrices_figure(collect_arrays(run.samples, "correlations"), run.labels)
    assert labelled(matrices) == {"layer", "correlation", "minus truth"}


def test_layers_and_space_name_samples_energies_and_units(run: RunData) -> None:
    gallery = shower_gallery(run)
    assert gallery is not None
    rows = {name: cells[0] for name, cells in gallery.cells.items()}
    flat = layers_figure(gallery.geometry, [1, 4], rows, run.labels, "MeV")
    texts = {text.get_text() for text in flat.axes[0].texts}
    assert {"layer 1", "layer 4", "surrogate"} <= texts
    assert "MeV" in labelled(flat)
    space = space_figure(gallery, run.labels)
    written = " ".join(text.get_text() for axes in space.axes for text in axes.texts)
    assert written.count("cells") == gallery.wanted.size * len(gallery.cells)
    assert f"{gallery.wanted[0] / 1e3:.3g} GeV" in written


def test_energy_bins_show_the_values(run: RunData) -> None:
    figure = energy_bins_figure(run.samples, run.looks)
    assert figure is not None
    assert labelled(figure) == {"AUC, high-level observables", "incident energy [GeV]"}
    drawn = {round(float(y), 4) for line in figure.axes[0].lines for y in np.atleast_1d(line.get_ydata())}
    row = run.samples[0].score("auc_high", "E2")
    assert row is not None
    assert round(row["value"], 4) in drawn


def test_distance_and_memorisation_name_every_line(run: RunData) -> None:
    rows = [(f"{name} {protocol}", found) for (name, protocol), found in score_rows(run.samples).items()]
    figure = distance_figure(rows, run.samples, run.looks)
    assert {tick.get_text() for tick in figure.axes[0].get_yticklabels()} == {label for label, _ in rows}
    memory = memorisation_figure(run.samples, run.looks)
    assert memory is not None
    assert [tick.get_text() for tick in memory.axes[0].get_yticklabels()][-1] == "surrogate"
    assert memorisation_figure([], run.looks) is None


def test_quality_against_time_shows_everything() -> None:
    style = looks({"surrogate": "surrogate", "gflash": "baseline"})
    points = [
        CostPoint("surrogate", "surrogate", "surrogate", 2.0, 0.7, 0.01),
        CostPoint("gflash", "GFlash", "baseline", 0.5, 0.95),
        CostPoint("published", "CaloX", "published", 120.0, 0.6),
    ]
    curve = [CostPoint("surrogate", f"{n} steps", "curve", float(n), 0.9 - 0.05 * n) for n in (1, 2, 4)]
    figure = quality_cost_figure(points, curve, style, (0.5, 0.01), 73.0, ("ms, batch 100", "AUC"))
    assert isinstance(figure, Figure)
    texts = {text.get_text() for text in figure.axes[0].texts}
    assert {"surrogate", "GFlash", "CaloX", "Geant4", "truth against truth", "4 steps"} <= texts
    low, high = figure.axes[0].get_xlim()
    assert low < 0.5
    assert high > 120
    assert "batch 100" in figure.axes[0].get_xlabel()


def test_training_shows_the_part_asked_for() -> None:
    records = [{"part": p, "time_s": float(k), "loss": 2.0 / (k + 1)} for k in range(50) for p in ("layers", "pattern")]
    records[40]["validation_loss"] = 0.5
    figure = training_figure(records, "layers")
    assert labelled(figure) == {"training time [s]", "loss"}
    assert len(figure.axes[0].lines[0].get_xdata()) == 50  # type: ignore[arg-type]
    assert len(figure.axes[0].lines) == 3


def test_surrogate_and_baselines_never_share_a_look() -> None:
    names = {"s": "surrogate", "t": "file"} | {f"b{k}": "baseline" for k in range(4)}
    found = [(look.colour, str(look.dash)) for look in looks(names).values()]
    assert len(set(found)) == len(found)


@pytest.mark.parametrize(("value", "label"), [(0.01, "0.01"), (1.0, "1"), (1000.0, "1000"), (0.0, "0")])
def test_decades(value: float, label: str) -> None:
    assert decade_label(value) == label
    assert "10^{4}" in decade_label(1e4)


def test_svg_follows_the_page_and_keeps_its_names_to_itself() -> None:
    figure = new_figure(2, 2)
    figure.add_subplot().plot([0, 1], color="#0072b2", marker="o")
    svg = to_svg(figure, "k1", 'a "quoted" <name>')
    assert "var(--c-0072b2)" in svg
    assert not [colour for colour in DARK_TWIN if colour in svg.lower()]
    assert 'id="k1-' in svg
    assert 'aria-label="a &#34;quoted&#34; &lt;name&gt;"' in svg
    assert "<metadata" not in svg


def test_png_is_inside_the_element() -> None:
    figure = new_figure(2, 1)
    figure.add_subplot().plot([0, 1])
    image = to_png(figure, "alt", dpi=100)
    assert 'width="200" height="100"' in image
    assert 'src="data:image/png;base64,' in image
