"""The figure of classifier weights: what is written and drawn."""

from __future__ import annotations

import numpy as np
import pytest

from facsim.evaluate.c2st import NetworkTest
from facsim.evaluate.likelihood_ratio import weight_diagnostics
from facsim.report.figures_weights import weights_figure
from facsim.report.render import to_svg
from facsim.report.style import facsim_style, looks

LOOK = looks({"model": "surrogate"})["model"]


def diagnosed(scale: float, observables: bool) -> dict[str, object]:
    rng = np.random.default_rng(1)
    label, x = np.repeat([0, 1], 400), rng.normal(size=800)
    log_ratio = scale * (x + label - 0.5)
    test = NetworkTest(
        0.7, 0.01, 0.6, np.array([0.7]), log_ratio, label, np.arange(800) % 5, np.arange(800), np.ones(800), 500,
        np.ones((1, 5)),
    )  # fmt: skip
    parts = ({"x": x[:400]}, {"x": x[400:]}) if observables else ({}, {})
    return weight_diagnostics(test, *parts).to_dict()


@pytest.mark.parametrize("scale", [0.0, 0.05, 1.0, 6.0])
def test_the_figure_shows_both_samples_and_the_numbers(scale):
    data = diagnosed(scale, True)
    with facsim_style():
        figure = weights_figure(data, LOOK, "model")
        svg = to_svg(figure, "weights", "weights")
    distribution, reliability, regions = figure.axes
    assert [t.get_text() for t in distribution.get_legend().get_texts()] == ["truth", "model"]
    assert any("AUC 0.700 ± 0.010" in t.get_text() for t in distribution.texts)
    drawn = [patch.get_data().values.sum() for patch in distribution.patches]
    assert drawn == pytest.approx([1.0, 1.0])
    assert reliability.get_xlabel() == "predicted probability"
    assert len(regions.patches) == min(8, len(data["regions"]))
    assert "<svg" in svg


def test_without_observables_there_is_no_panel_of_regions():
    with facsim_style():
        assert len(weights_figure(diagnosed(1.0, False), LOOK).axes) == 2
