"""The contrast: Fisher's discriminant in closed form, what it finds without having seen it, what it refuses."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from facsim.core.errors import FacsimError
from facsim.core.events import Events, make_events
from facsim.core.image import regular_image
from facsim.core.schema import Feature, Schema
from facsim.core.sources import MemorySource
from facsim.metrics.auc import stratified_auc
from facsim.models.base import Batch
from facsim.models.checkpoint import build_model, load_predictor
from facsim.models.contrast import LEAST, REPEATED, Contrast
from facsim.physics.image_features import feature_names, image_features
from facsim.train.loop import Trainer
from facsim.train.settings import TrainSettings

ROWS, COLUMNS = 18, 16
GEOMETRY = regular_image("toy", (-math.pi, math.pi, ROWS), (-2.5, 2.5, COLUMNS), units=("rad", ""))
SCHEMA = Schema("grid", (Feature("tracker", "GeV"), Feature("ecal", "GeV")), (Feature("is_qcd"),), GEOMETRY)
DEFAULT = ("tracker_sum", "tracker_entropy", "ecal_sum", "ecal_entropy", "tracker_hits", "met")


def images(n: int, seed: int, cluster: int = 0) -> Events:
    """Two back-to-back deposits on soft noise; with `cluster`, that many cells in a square are hit beside."""
    rng = np.random.default_rng(seed)
    x = rng.exponential(0.5, (n, ROWS, COLUMNS, 2)) * (rng.random((n, ROWS, COLUMNS, 1)) < 0.1)
    row, column = rng.uniform(0, ROWS, (n, 1, 1)), rng.uniform(3, COLUMNS - 3, (n, 1, 1))
    energy = rng.lognormal(3, 0.5, (n, 1, 1, 1))
    for turn in (0, ROWS / 2):
        away = np.abs((np.arange(ROWS)[:, None] - row - turn) % ROWS)
        square = np.minimum(away, ROWS - away) ** 2 + (np.arange(COLUMNS) - column) ** 2
        x += energy * (np.exp(-square) * (square < 3))[..., None]
    if cluster:
        side = math.isqrt(cluster)
        for event, (top, left) in enumerate(rng.integers(0, (ROWS - side, COLUMNS - side), (n, 2))):
            x[event, top : top + side, left : left + side] += rng.exponential(1.0, (side, side, 2))
    return make_events(SCHEMA, x.reshape(n, -1, 2).astype(np.float32), np.ones((n, 1), np.float32), 0)


def batch(events: Events, weight: np.ndarray | None = None) -> Batch:
    given = None if weight is None else torch.from_numpy(weight.astype(np.float32))
    return Batch(torch.from_numpy(events.x), torch.from_numpy(events.cond), weight=given)


def begun(given: Batch, **options: Any) -> Contrast:
    torch.manual_seed(1)
    model = build_model("contrast", SCHEMA, {"count": 0, **options})
    assert isinstance(model, Contrast)
    model.begin_phase("contrast", given, torch.Generator().manual_seed(5))
    return model.eval()


def features(x: torch.Tensor, names: tuple[str, ...] = DEFAULT) -> np.ndarray:
    """Of images (N, V, C), sums and counts as logarithms, by the public function."""
    columns = [feature_names(SCHEMA).index(name) for name in names]
    found = image_features(x, GEOMETRY, SCHEMA.features).numpy()[:, columns].astype(np.float64)
    logarithmic = [not name.endswith("entropy") for name in names]
    return np.where(logarithmic, np.log(found.clip(0) + LEAST), found)


def score(model: Contrast, x: torch.Tensor) -> np.ndarray:
    with torch.inference_mode():
        return model.predict(x, torch.zeros(len(x), 1))[:, 0].numpy()


@pytest.mark.parametrize("shrinkage", [0.0, 0.3])
def test_a_linear_contrast_begins_as_the_discriminant_of_scikit_learn(shrinkage: float) -> None:
    given = batch(images(400, 1))
    model = begun(given, shrinkage=shrinkage)
    generator = torch.Generator().manual_seed(5)
    plain = features(given.x)
    changed = np.concatenate([features(model.sprays(given.x, generator)) for _ in range(REPEATED)])
    mean, scale = plain.mean(0), plain.std(0, ddof=1)
    assert model.mean.numpy() == pytest.approx(mean, rel=1e-4, abs=1e-4)
    assert model.scale.numpy() == pytest.approx(scale, rel=1e-3)
    # scikit-learn weighs the classes' covariances by priors and divides by N, not N - 1
    both = (np.concatenate([plain, changed]) - mean) / scale
    label = np.repeat([0, 1], [len(plain), len(changed)])
    theirs = LinearDiscriminantAnalysis(solver="lsqr", priors=[0.5, 0.5], shrinkage=shrinkage or None)
    theirs.fit(both, label)
    ours = model.body[-1].weight[0].detach().numpy()  # type: ignore[index]
    if not shrinkage:
        assert ours == pytest.approx(theirs.coef_[0], rel=0.02, abs=0.1)
        z = (features(given.x[:50]) - mean) / scale
        assert score(model, given.x[:50]) == pytest.approx(theirs.decision_function(z), rel=0.02, abs=0.05)
        return
    # its shrinkage is of the covariances of standardised features, class by class: the reference is made here
    covariance = 0.5 * sum(np.cov(both[label == k].T) for k in (0, 1))
    target = np.trace(covariance) / len(covariance) * np.eye(len(covariance))
    shift = both[label == 1].mean(0) - both[label == 0].mean(0)
    expected = np.linalg.solve((1 - shrinkage) * covariance + shrinkage * target, shift)
    assert ours == pytest.approx(expected, rel=1e-2, abs=1e-3 * np.abs(expected).max())
    cosine = ours @ theirs.coef_[0] / np.linalg.norm(ours) / np.linalg.norm(theirs.coef_[0])
    assert cosine > 0.9


def test_the_score_is_the_sum_of_odds_and_count_in_units_of_background() -> None:
    given = batch(images(300, 1))
    parts = begun(given)
    odds = score(parts, given.x)
    count = np.log1p((given.x[..., 0] > 0).sum(1).numpy())
    model = begun(given, count=2)
    model.end_phase("contrast", given, torch.Generator())
    expected = sum(
        factor * (part - part.mean()) / part.std(ddof=1) for factor, part in ((1, odds), (2, count.astype(np.float64)))
    )
    assert score(model, given.x) == pytest.approx(expected, rel=1e-3, abs=1e-3)


def test_events_of_weight_nought_take_no_part_in_the_fit() -> None:
    """Their place in the batch stays, so that the same sprays are drawn."""
    events, other = images(300, 1), images(300, 2, cluster=81)
    x = np.concatenate([events.x, other.x])
    both = make_events(SCHEMA, x, np.ones((600, 1), np.float32), 0)
    weight = np.repeat([2.0, 0.0], 300)
    weighted, plain = begun(batch(both, weight)), begun(batch(events))
    assert weighted.mean.numpy() == pytest.approx(plain.mean.numpy(), rel=1e-4)
    assert weighted.scale.numpy() == pytest.approx(plain.scale.numpy(), rel=1e-3)
    unweighted = begun(batch(both))
    assert float((unweighted.mean - plain.mean).abs().max()) > 0.1


@pytest.mark.parametrize("options", [{}, {"hidden": [16]}, {"network": "image", "widths": [8], "strides": [2]}])
def test_it_finds_a_cluster_that_it_never_saw(options: dict[str, Any], tmp_path: Path) -> None:
    settings = TrainSettings(steps=400 if "network" in options else 50, batch_size=64, lr=3e-3, device="cpu")
    small = {"hits": [20.0, 100.0], **options}
    Trainer("contrast", small, MemorySource(images(800, 1)), None, tmp_path / "m", 1, settings).run()
    model = load_predictor(tmp_path / "m")
    assert isinstance(model, Contrast)
    background, signal = (score(model, torch.from_numpy(e.x)) for e in (images(300, 2), images(300, 3, cluster=36)))
    assert stratified_auc(background, signal)[0] > 0.8
    assert stratified_auc(background, score(model, torch.from_numpy(images(300, 4).x)))[0] == pytest.approx(
        0.5, abs=0.1
    )


def test_the_loss_is_that_of_the_odds_it_tells() -> None:
    given = batch(images(100, 1))
    model = begun(given, smoothing=0.0)
    changed = model.sprays(given.x, torch.Generator().manual_seed(9))
    low, high = score(model, given.x), score(model, changed)
    expected = 0.5 * (np.logaddexp(0, low) + np.logaddexp(0, -high)).mean()
    loss = model.losses(given, "contrast", torch.Generator().manual_seed(9))["contrast"]
    assert loss.item() == pytest.approx(expected, rel=1e-4)
    weight = np.random.default_rng(1).uniform(0, 2, 100)
    loss = model.losses(batch(images(100, 1), weight), "contrast", torch.Generator().manual_seed(9))["contrast"]
    expected = 0.5 * (weight * (np.logaddexp(0, low) + np.logaddexp(0, -high))).mean()
    assert loss.item() == pytest.approx(expected, rel=1e-4)


def test_features_can_be_chosen_and_one_is_enough() -> None:
    given = batch(images(200, 1))
    model = begun(given, features=["tracker_hits"])
    assert model.wanted == ("tracker_hits",)
    low, high = (score(model, torch.from_numpy(images(200, seed, c).x)) for seed, c in ((2, 0), (3, 36)))
    assert stratified_auc(low, high)[0] > 0.8
    assert begun(given).wanted == DEFAULT
    assert begun(given).latents(given.x).shape == (200, len(DEFAULT))  # type: ignore[union-attr]


def test_a_feature_that_never_varies_takes_no_part() -> None:
    events = images(200, 1)
    events.x[..., 1] = 0
    model = begun(batch(events), shrinkage=0.0, seen=[1.0, 0.0], features=["tracker_hits", "ecal_hits"])
    weight = model.body[-1].weight[0].detach()  # type: ignore[index]
    assert torch.isfinite(weight).all()
    assert float(weight[1]) == pytest.approx(0, abs=1e-6)
    assert float(weight[0]) > 0.1


def test_calorimeters_see_half_of_a_spray_and_an_only_channel_all() -> None:
    given = batch(images(10, 1))
    assert begun(given).sprays.seen == (1.0, 0.5)
    assert begun(given, seen=[0.2, 0.9]).sprays.seen == (0.2, 0.9)
    alone = build_model("contrast", Schema("grid", (Feature("ecal", "GeV"),), (), GEOMETRY), {})
    assert isinstance(alone, Contrast)
    assert alone.sprays.seen == (1.0,)
    assert alone.wanted == ("ecal_sum", "ecal_entropy", "ecal_hits", "met")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"features": ["muon_hits"]}, r"no feature 'muon_hits': expected some of .*'tracker_sum'"),
        ({"seen": [1.0]}, r"'model.seen' needs a probability for each of 2 channels, not \[1.0\]"),
        ({"seen": [1.0, 1.5]}, "less than or equal to 1"),
        ({"hits": [0, 5]}, r"a range from above 0 to no less, not \[0.0, 5.0\]"),
        ({"width": [2, 1]}, r"a range from above 0"),
        ({"widths": [8]}, r"as many widths as strides, not \[8\] and \[2, 2, 2\]"),
        ({"shrinkage": 2}, "less than or equal to 1"),
        ({"colour": 1}, "colour"),
    ],
)
def test_bad_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises((FacsimError, ValueError), match=message):
        build_model("contrast", SCHEMA, options)
