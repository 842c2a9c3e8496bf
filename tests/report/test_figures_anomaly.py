"""Figures of anomaly scores: what is drawn, and what is said where there is no measurement."""

from __future__ import annotations

import numpy as np
import pytest

from facsim.core.errors import FacsimError
from facsim.metrics.drift import monitor
from facsim.metrics.roc import roc_band, roc_curve
from facsim.metrics.sculpting import sculpting
from facsim.metrics.signal_groups import by_group
from facsim.metrics.stability import efficiency_stability
from facsim.report.figures_anomaly import groups_figure, roc_figure
from facsim.report.figures_anomaly_checks import drift_figure, sculpting_figure, stability_figure
from facsim.report.render import to_svg
from facsim.report.style import facsim_style

RNG = np.random.default_rng(1)
BACKGROUND, SIGNAL = RNG.normal(size=1000), RNG.normal(1.5, 1, 300)


def test_a_roc_curve_is_solid_where_its_band_is_and_names_its_area() -> None:
    curve, band = roc_curve(BACKGROUND, SIGNAL), roc_band(BACKGROUND, SIGNAL, replicas=20)
    with facsim_style():
        figure = roc_figure({"score": curve, "alone": curve}, {"score": band})
        to_svg(figure, "roc", "roc")
    (axes,) = figure.axes
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names[0] == f"score, AUC {curve.auc.value:.3f} ± {curve.auc.error:.3f}"
    solid, dotted = axes.lines[:2]
    assert solid.get_xdata().min() >= band.background.min()
    assert dotted.get_xdata().max() == solid.get_xdata().min()
    assert len(axes.collections) == 1
    assert "95 %" in axes.texts[0].get_text()


@pytest.mark.parametrize(("target", "markers", "words"), [(0.1, 4, 0), (1e-3, 0, 1)])
def test_limits_have_no_marker_and_say_so(target: float, markers: int, words: int) -> None:
    groups = np.repeat([125, 400], 150)
    results = {
        name: by_group(BACKGROUND, SIGNAL + by, groups, targets=[0.1, 1e-3]) for name, by in (("a", 0), ("b", 1))
    }
    with facsim_style():
        figure = groups_figure(results, target, "mass [GeV]")
        to_svg(figure, "groups", "groups")
        with pytest.raises(FacsimError, match="no working point"):
            groups_figure(results, 0.5, "mass [GeV]")
    (axes,) = figure.axes
    drawn = [line for line in axes.lines if line.get_marker() in ("o", "s") and len(line.get_xdata())]
    assert len(drawn) == markers
    assert len(figure.texts) == words
    assert [label.get_text() for label in axes.get_xticklabels()] == ["125", "400"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a", "b"]


def test_stability_names_its_tests_and_survives_empty_bins() -> None:
    found = efficiency_stability(BACKGROUND, 1.0, np.arange(1000) % 50, [0, 20, 50, 60], permutations=20)
    with facsim_style():
        figure = stability_figure(found, "number of vertices")
        to_svg(figure, "stability", "stability")
    (axes,) = figure.axes
    assert f"{found.chi2:.1f} for 1 degrees" in axes.texts[0].get_text()
    assert axes.get_ylim()[0] == 0


def test_sculpting_draws_both_shapes_with_their_areas() -> None:
    found = sculpting(BACKGROUND, 1.0, RNG.exponential(100, 1000), edges=[0, 50, 100, 400], permutations=20)
    with facsim_style():
        figure = sculpting_figure(found, "HT [GeV]")
        to_svg(figure, "sculpting", "sculpting")
    top, bottom = figure.axes
    for patch in top.patches:
        values, edges, _ = patch.get_data()
        assert values @ np.diff(edges) == pytest.approx(1)
    assert f"JSD {found.divergence:.3g} bits" in top.texts[0].get_text()
    assert bottom.get_xlabel() == "HT [GeV]"


@pytest.mark.parametrize("count", [2, 40])
def test_drifting_runs_are_counted_and_marked(count: int) -> None:
    runs = {f"run {k}": RNG.normal(size=200) for k in range(count - 1)} | {"moved": RNG.normal(2, 1, 200)}
    found = monitor(BACKGROUND, runs, 2.0, permutations=19)
    with facsim_style():
        figure = drift_figure(found, 0.023)
        to_svg(figure, "drift", "drift")
    top, bottom = figure.axes
    assert top.get_title(loc="left").startswith(f"1 of {count} runs drift")
    assert len(bottom.get_xticks()) <= 16 or count == 2
    corrected = next(line for line in bottom.lines if line.get_label() == "corrected")
    assert list(corrected.get_xdata()) == [count - 1]
