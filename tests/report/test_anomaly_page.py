"""The page of scores of anomaly, from files of toys: what it shows, and what it leaves out."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from facsim.core.events import make_events
from facsim.core.schema import Feature, Schema
from facsim.core.sources import MemorySource
from facsim.core.store import write_json
from facsim.evaluate.anomaly.judge import AnomalyPlan, Judged, compare, judge
from facsim.evaluate.anomaly.predictions import PARTS, Predictions, prediction_schema
from facsim.evaluate.anomaly.views import views
from facsim.report.anomaly_page import write_anomaly_report
from facsim.report.figures_anomaly_events import (
    distribution_figure,
    event_figure,
    latency_figure,
    latent_figure,
    spread,
)
from facsim.report.render import to_svg
from facsim.report.style import facsim_style

TRUTH = Schema("table", (Feature("x"),), (Feature("is_qcd"), Feature("mass", "GeV"), Feature("pile_up")))
PLAN = AnomalyPlan(
    {"is_qcd": 1}, ["mass"], (0.1, 1e-3), against=["pile_up"], spectators=["mass"], cross_section=1e6, rates=[1e3, 1.0]
)


def predictions(n: int, names: list[str], masses: tuple[float, ...] = (125.0, 400.0)) -> Predictions:
    """Two scores, the first of which sees signal, and both changed background."""
    rng = np.random.default_rng(len(names))
    part = np.repeat(np.arange(len(PARTS)), n)
    mass = np.where(part < 3, rng.choice([0.0, 0.0, *masses], len(part)), 0.0)
    x = rng.normal(size=(len(part), len(names))) + (mass / 200)[:, None] + (part > 2)[:, None]
    cond = np.column_stack([mass == 0, mass, rng.poisson(30, len(part))]).astype(float)
    schema = prediction_schema(TRUTH, [Feature(name) for name in names], {})
    return Predictions(schema, x, cond, part, np.arange(len(part)), np.ones(len(part)))


def written(folder: Path, found: dict[str, Judged]) -> Path:
    """A run directory that holds these."""
    for name, each in found.items():
        against = {other: compare(each, one) for other, one in found.items() if other != name}
        write_json(folder / "scores" / f"{name}.json", {**each.content, "task": "dark-showers", "against": against})
        source = MemorySource(make_events(TRUTH, each.values[:, None], np.ones((len(each.values), 3))))
        write_json(folder / "hists" / f"{name}.json", views(each, [source], None, 1))
    (folder / "config.yaml").write_text(yaml.safe_dump({"task": "dark-showers", "model": {"name": "mine"}}))
    return folder


def page_of(folder: Path) -> tuple[str, str]:
    """The page, and what a reader sees of its text."""
    page = write_anomaly_report(folder).read_text()
    plain = re.sub(r"(?s)<(script|style|svg)\b.*?</\1>", " ", page)
    return page, " ".join(re.sub(r"<[^>]*>", " ", plain).split())


@pytest.fixture
def run(tmp_path: Path) -> Path:
    ours = judge("surrogate", "surrogate", predictions(400, ["ours", "second"]), PLAN)
    theirs = judge("tracks", "baseline", predictions(400, ["ours", "second"]), PLAN)
    return written(tmp_path, {"surrogate": ours, "tracks": theirs})


def test_numbers_on_the_page_are_those_of_the_scorecards(run: Path) -> None:
    page, words = page_of(run)
    for section in ("roc", "numbers", "choice", "checks"):
        assert f'id="{section}"' in page
    for text in ("125 GeV", "400 GeV", "0.1 %", "Thresholds for a trigger", "oracle", "limit", "Background against"):
        assert text in words
    assert not re.search(r"\b(nan|None|inf)\b", words)
    assert 'id="latency"' not in page
    assert 'id="events"' not in page


def test_the_page_says_against_whom_it_wins(run: Path) -> None:
    from facsim.core.store import read_json  # noqa: PLC0415

    card = read_json(run / "scores" / "surrogate.json")
    card["against"] = {"tracks": {"125 GeV": [0.1, 0.01], "400 GeV": [-0.03, 0.02]}, "none": {"125 GeV": [None, 0.0]}}
    write_json(run / "scores" / "surrogate.json", card)
    words = page_of(run)[1]
    assert "Better than tracks by more than 2 standard errors on 125 GeV, worse by more than 1 on 400 GeV." in words
    assert "Better than none" not in words


def test_few_events_leave_limits_and_notes(tmp_path: Path) -> None:
    few = judge("surrogate", "surrogate", predictions(46, ["ours"]), PLAN)
    _, words = page_of(written(tmp_path, {"surrogate": few}))
    assert "too few of" in words
    assert "limit" in words
    assert not re.search(r"\b(nan|None|inf)\b", words)


def test_no_signal_leaves_rates_and_checks(tmp_path: Path) -> None:
    found = judge("surrogate", "surrogate", predictions(300, ["ours"], masses=(0.0,)), PLAN)
    page, words = page_of(written(tmp_path, {"surrogate": found}))
    assert 'id="checks"' in page
    assert "Thresholds for a trigger" in words
    assert 'id="roc"' not in page


def test_a_directory_with_nothing_has_a_page(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("task: dark-showers\n")
    assert "Scores of anomaly" in page_of(tmp_path)[1]


def test_names_that_are_drawn_are_spread_over_all() -> None:
    names = ["background", *(f"suep {mass}" for mass in range(9))]
    assert spread(names) == ["background", "suep 0", "suep 3", "suep 5", "suep 8"]
    assert spread(["background", "a"]) == ["background", "a"]
    assert spread(["background"]) == ["background"]


def test_shares_of_a_distribution_are_of_all_events(run: Path) -> None:
    from facsim.core.store import read_json  # noqa: PLC0415

    (item,) = read_json(run / "hists" / "surrogate.json")["items"]
    with facsim_style():
        figure = distribution_figure(item, "ours", 1.5)
        to_svg(figure, "score", "score")
    (axes,) = figure.axes
    assert len(axes.patches) == 3
    for patch in axes.patches:
        assert 0.98 < patch.get_data().values.sum() <= 1 + 1e-9
    assert list(axes.lines[0].get_xdata()) == [1.5, 1.5]


def test_events_are_drawn_with_what_is_made_of_them_and_empty_ones_too() -> None:
    rng = np.random.default_rng(1)
    image = (rng.exponential(size=(2, 5, 6)) * (rng.random((2, 5, 6)) < 0.3)).tolist()
    channels = [{"name": "tracker", "unit": "GeV"}, {"name": "ecal", "unit": ""}]
    displays: Any = {"channels": channels, "extent": [-2.5, 2.5, -3.1, 3.1], "labels": ["eta", "phi"]}
    with facsim_style():
        for event, panels in (
            ({"input": image}, 2),
            ({"input": image, "seen": image, "made": image}, 4),
            ({"input": np.zeros((2, 5, 6)).tolist()}, 2),
            ({"input": image, "seen": image[:1], "made": image[:1]}, 3),
        ):
            figure = event_figure(event, displays)
            to_svg(figure, "event", "event")
            drawn = [axes for axes in figure.axes if axes.images]
            assert len(drawn) == panels
            assert drawn[0].get_title().startswith("tracker [GeV]")


def test_maps_and_latencies_are_drawn() -> None:
    points = {"background": [[0.0, 1.0], [1.0, 0.0]], "suep 125 GeV": [[2.0, 2.0]]}
    row = {"median_ms": 0.2, "quantiles_ms": [0.1, 0.2, 0.9], "levels": [0.0, 0.5, 0.99]}
    with facsim_style():
        figure = latent_figure({"share": [0.7, 0.2], "points": points})
        to_svg(figure, "latents", "latents")
        assert figure.axes[0].get_xlabel() == "first component (70 % of the variance)"
        assert len(figure.axes[0].lines) == 2
        figure = latency_figure({"torch": row, "onnxruntime": row})
        to_svg(figure, "latency", "latency")
        assert list(figure.axes[0].lines[0].get_ydata()) == pytest.approx([1.0, 0.5, 0.01])
