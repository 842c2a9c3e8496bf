"""What figures are drawn from: distributions, the oddest events, and a map of latents."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch

from facsim.core.events import Events, make_events
from facsim.core.image import regular_image
from facsim.core.schema import Feature, Schema
from facsim.core.sources import MemorySource
from facsim.evaluate.anomaly.groups import BACKGROUND
from facsim.evaluate.anomaly.judge import Judged
from facsim.evaluate.anomaly.views import BINS, LARGEST_SIDE, MAPPED, views
from facsim.models.checkpoint import build_model
from facsim.models.predictor import Predictor

ROWS, COLUMNS = 11, 14
GEOMETRY = regular_image("toy", (-np.pi, np.pi, ROWS), (-2.5, 2.5, COLUMNS), units=("rad", ""))
SCHEMA = Schema("grid", (Feature("tracker", "GeV"), Feature("ecal", "GeV")), (), GEOMETRY)
N = 300


def events(schema: Schema = SCHEMA, n: int = N) -> Events:
    """Images whose number of hits rises with their place."""
    rng = np.random.default_rng(1)
    cells = schema.geometry.n_cells if schema.geometry else 1
    there = rng.random((n, cells, 2)) < (0.1 + 0.3 * np.arange(n) / n)[:, None, None]
    x = (rng.exponential(1.0, (n, cells, 2)) * there).astype(np.float32)
    return make_events(schema, x, np.zeros((n, 0), np.float32))


def judged(values: np.ndarray | None = None, n: int = N) -> Judged:
    score = np.arange(n, dtype=float) if values is None else values
    group = np.where(np.arange(n) < n // 2, BACKGROUND, "suep 125 GeV")
    content = {"chosen": "score", "events": {"signals": {"suep 125 GeV": n - n // 2}}}
    return Judged(content, score, score, np.arange(n), group, np.ones(n))


def halves(made: Events) -> Sequence[MemorySource]:
    return [MemorySource(made[: N // 3]), MemorySource(made[N // 3 :])]


def model(name: str = "contrast", **options: Any) -> Predictor:
    torch.manual_seed(1)
    made = build_model(name, SCHEMA, options)
    assert isinstance(made, Predictor)
    return made.eval()


def test_distributions_hold_all_events_once() -> None:
    (item,) = views(judged(), halves(events()), None, 1)["items"]
    assert set(item["groups"]) == {BACKGROUND, "suep 125 GeV"}
    assert len(item["edges"]) == BINS + 1
    assert not item["logarithmic"]
    for histogram in item["groups"].values():
        assert np.sum(histogram["storage"]["values"]) == pytest.approx(N // 2)


def test_scores_over_decades_have_logarithmic_bins_and_equal_ones_none() -> None:
    assert views(judged(np.geomspace(1, 1e4, N)), halves(events()), None, 1)["items"][0]["logarithmic"]
    assert views(judged(np.full(N, 3.0)), halves(events()), None, 1)["items"] == []
    (zero,) = views(judged(np.zeros(N)), halves(events()), None, 1)["items"]
    assert np.sum(zero["groups"][BACKGROUND]["storage"]["values"]) == N // 2


def test_displays_are_of_the_oddest_events_and_one_in_the_middle() -> None:
    made = events()
    found = views(judged(), halves(made), model(), 1)["displays"]
    titles = {event["title"]: event for event in found["events"]}
    names = [f"{BACKGROUND}, no. 1", f"{BACKGROUND}, no. 2", f"{BACKGROUND}, median", "suep 125 GeV, no. 1"]
    assert set(titles) == {*names, "suep 125 GeV, median"}
    assert [titles[name]["score"] for name in names] == [149.0, 148.0, 74.0, 299.0]
    image = np.array(titles["suep 125 GeV, no. 1"]["input"])
    assert image.shape == (2, ROWS, COLUMNS)
    assert image == pytest.approx(made.x[299].reshape(ROWS, COLUMNS, 2).transpose(2, 0, 1), rel=1e-2)
    assert "made" not in titles[names[0]]
    assert found["labels"] == ["$\\eta$", "$\\phi$ [rad]"]
    assert found["channels"] == [{"name": "tracker", "unit": "GeV"}, {"name": "ecal", "unit": "GeV"}]


def test_reconstructions_stand_beside_where_there_are_some() -> None:
    auto = model("autoencoder", widths=[4], strides=[2], latent=4)
    for event in views(judged(), halves(events()), auto, 1)["displays"]["events"]:
        assert np.array(event["made"]).shape == np.array(event["seen"]).shape


def test_large_images_are_summed_to_fewer_cells() -> None:
    fine = Schema("grid", SCHEMA.features, (), regular_image("fine", (0, 1, 130), (0, 1, 205)))
    made = events(fine, 30)
    torch.manual_seed(1)
    network = build_model("contrast", fine, {})
    assert isinstance(network, Predictor)
    found = views(judged(n=30), [MemorySource(made)], network, 1)["displays"]
    image = np.array(found["events"][0]["input"])
    assert max(image.shape[1:]) <= LARGEST_SIDE
    assert image.sum((1, 2)) == pytest.approx(made.x[14].sum(0), rel=5e-3)
    assert found["labels"] == ["columns [mm]", "rows [mm]"]


def test_the_map_is_in_standard_deviations_of_background() -> None:
    found = views(judged(), halves(events()), model(), 1)["latents"]
    points = {name: np.array(at) for name, at in found["points"].items()}
    assert points[BACKGROUND].mean(0) == pytest.approx([0, 0], abs=1e-2)
    assert points[BACKGROUND].std(0) == pytest.approx([1, 1], abs=1e-2)
    assert len(points["suep 125 GeV"]) <= MAPPED
    assert abs(points["suep 125 GeV"].mean(0)).max() > 0.5
    assert 0 < found["share"][1] <= found["share"][0] <= 1
    assert found["dimension"] == 6


def test_latents_that_do_not_vary_are_no_reason_to_fail() -> None:
    same = events()
    same.x[:] = same.x[0]
    found = views(judged(), halves(same), model(), 1)
    json.dumps(found, allow_nan=False)
    assert views(judged(), halves(same), model(network="image"), 1)["latents"] is None
    assert views(judged(), halves(same), model(features=["met"]), 1)["latents"] is None
