"""Autoencoders: errors of reconstruction in closed form, and background told from what was never seen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from facsim.core.errors import FacsimError
from facsim.core.events import Events, make_events
from facsim.core.image import regular_image
from facsim.core.schema import Feature, Schema
from facsim.core.sources import MemorySource
from facsim.metrics.auc import stratified_auc
from facsim.models.autoencoder import Autoencoder
from facsim.models.base import Batch
from facsim.models.checkpoint import build_model, load_model, load_predictor, save_model
from facsim.models.reconstruction import hit_entropy, inverse_dice, mean_square
from facsim.train.loop import Trainer
from facsim.train.settings import TrainSettings

ROWS, COLUMNS = 11, 14
SCHEMA = Schema(
    "grid",
    (Feature("tracker", "GeV"), Feature("ecal", "GeV")),
    (),
    regular_image("toy", (-2.5, 2.5, ROWS), (-3.2, 3.2, COLUMNS)),
)
SMALL = {"widths": [8, 8], "strides": [2, 2], "latent": 8}


def jets(n: int, cores: int, seed: int) -> Events:
    """Images of `cores` round deposits at random places."""
    rng = np.random.default_rng(seed)
    x = np.zeros((n, ROWS, COLUMNS, 2))
    for _ in range(cores):
        row, column = rng.uniform(2, ROWS - 2, (n, 1, 1)), rng.uniform(2, COLUMNS - 2, (n, 1, 1))
        square = (np.arange(ROWS)[:, None] - row) ** 2 + (np.arange(COLUMNS) - column) ** 2
        x += (10 * np.exp(-square) * (square < 3))[..., None]
    return make_events(SCHEMA, x.reshape(n, -1, 2).astype(np.float32), np.zeros((n, 0), np.float32), 0)


@given(st.floats(0.05, 20), st.integers(0, 1000))
def test_inverse_dice_of_a_scaled_image(factor: float, seed: int) -> None:
    t = torch.rand(3, 2, 5, 4, generator=torch.Generator().manual_seed(seed)).double() + 0.1
    assert inverse_dice(t, t).numpy() == pytest.approx(np.zeros(3), abs=1e-9)
    assert inverse_dice(t, factor * t).numpy() == pytest.approx(
        np.full(3, (1 + factor**2) / (2 * factor) - 1), rel=1e-4
    )
    assert bool((inverse_dice(t, torch.rand(3, 2, 5, 4).double()) > 0).all())


def test_errors_of_reconstruction_where_nothing_overlaps() -> None:
    t, p = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    assert float(inverse_dice(t, p)) == pytest.approx(2e6, rel=1e-3)
    assert float(mean_square(t, p)) == 1.0
    assert float(hit_entropy(t, torch.tensor([[0.5, 0.5]]))) == pytest.approx(2 * np.log(2))


@pytest.mark.parametrize(
    "options",
    [{}, {"error": "mse", "cells": "log"}, {"error": "bce", "cells": "hit", "beta": 0.1}],
    ids=["inverse-dice", "mse", "variational"],
)
def test_more_deposits_than_in_training_are_unusual(options: dict[str, object], tmp_path: Path) -> None:
    settings = TrainSettings(steps=300, batch_size=64, lr=5e-3, device="cpu")
    trainer = Trainer(
        "autoencoder", {**SMALL, **options}, MemorySource(jets(2000, 1, 1)), None, tmp_path / "model", 1, settings
    )
    trainer.run()
    model = load_predictor(tmp_path / "model")
    scores = []
    for events in (jets(500, 1, 2), jets(500, 4, 3)):
        with torch.inference_mode():
            scores.append(model.predict(torch.from_numpy(events.x), torch.zeros(500, 0)).numpy())
    names = [feature.name for feature in model.outputs]
    assert names == (["reconstruction", "kl"] if options.get("beta") else ["reconstruction"])
    assert stratified_auc(scores[0][:, 0], scores[1][:, 0])[0] > 0.9
    with pytest.raises(FacsimError, match="holds a predictor"):
        load_model(tmp_path / "model")


def test_predictions_do_not_depend_on_the_batch_or_the_order_of_saving(tmp_path: Path) -> None:
    model = build_model("autoencoder", SCHEMA, SMALL)
    assert isinstance(model, Autoencoder)
    x = torch.from_numpy(jets(40, 2, 4).x)
    model.begin_phase("autoencoder", Batch(x, torch.zeros(40, 0)), torch.Generator())
    assert float(model.unit[0]) == pytest.approx(10, rel=0.2)
    model.eval()
    save_model(model, "autoencoder", tmp_path)
    with torch.inference_mode():
        whole, one = model.predict(x, torch.zeros(40, 0)), model.predict(x[:1], torch.zeros(1, 0))
        again = load_predictor(tmp_path).predict(x, torch.zeros(40, 0))
        seen, made = model.reconstruct(x)
    assert torch.allclose(whole[:1], one, rtol=1e-5)
    assert torch.equal(whole, again)
    assert seen.shape == made.shape == (40, 2, ROWS, COLUMNS)


def test_an_autoencoder_refuses_what_is_no_image() -> None:
    with pytest.raises(FacsimError, match="takes images, not a table"):
        build_model("autoencoder", Schema("table", (Feature("a"),), ()), {})
    with pytest.raises(FacsimError, match="as many widths as strides"):
        build_model("autoencoder", SCHEMA, {"widths": [4], "strides": [2, 2]})
