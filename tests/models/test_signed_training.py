"""A signal recovered from a mixture by sWeights, through the whole training, by losses that take negative weights."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facsim.core.errors import FacsimError
from facsim.core.events import Events, make_events
from facsim.core.rng import generator
from facsim.core.schema import Feature, Schema
from facsim.core.sources import MemorySource
from facsim.models.base import EventModel
from facsim.models.sampling import TorchSampler
from facsim.physics.splot import sweights
from facsim.train.loop import Trainer
from facsim.train.settings import TrainSettings

N = 12_000
MLP = {"name": "residual-mlp", "width": 32, "depth": 1}
METHODS: dict[str, tuple[dict[str, Any], int, float]] = {
    "autoregressive": ({"width": 32, "bins": 24}, 250, 5e-3),
    "flow-matching": ({"network": MLP, "steps": 8, "solver": "heun"}, 300, 3e-3),
    "gan": (
        {"network": MLP, "loss": "cramer", "features": 16, "critic": {"width": 32}, "critic_steps": 1, "latent": 2},
        500,
        2e-3,
    ),
}
SCHEMA = Schema("table", (Feature("a"), Feature("b")), (Feature("c"),))


def signal(c: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """a ~ N(c, 0.5) and b = a, in 30 % of the events exactly, else with noise of 1."""
    a = c + 0.5 * rng.standard_normal(len(c))
    return np.stack([a, a + (rng.random(len(c)) > 0.3) * rng.standard_normal(len(c))], 1)


@cache
def mixture() -> tuple[Events, float]:
    """As many background events, N(-2, 1) in both columns, and sWeights of a mass peak on a flat background."""
    rng = generator(1, "mixture")
    c = rng.uniform(-1, 1, N)
    is_signal = np.arange(N) % 2 == 0
    x = np.where(is_signal[:, None], signal(c, rng), -2 + rng.standard_normal((N, 2)))
    mass = np.where(is_signal, np.clip(rng.normal(0.5, 0.12, N), 0, 1), rng.random(N))
    peak = np.exp(-0.5 * ((mass - 0.5) / 0.12) ** 2) / (0.12 * np.sqrt(2 * np.pi))
    weight = sweights(np.stack([peak, np.ones(N)], 1), (N / 2, N / 2))[:, 0]
    return make_events(SCHEMA, x.astype(np.float32), c[:, None], weight=weight), float(weight.min())


def train(name: str, folder: Path, **options: Any) -> EventModel:
    method, steps, lr = METHODS.get(name, ({"network": MLP}, 20, 2e-3))
    events, _ = mixture()
    settings = TrainSettings(steps=steps, batch_size=512, lr=lr, device="cpu", ema=0.98, fit_events=N)
    chosen = {"method": {"name": name, **method}, **options}
    return Trainer("single-stage", chosen, MemorySource(events), None, folder, 1, settings).run()


def differences(model: EventModel) -> dict[str, float]:
    """Of the generated from the signal's means, widths, quartiles, slope with the condition and share of ties."""
    rng = generator(2, "judged")
    c = rng.uniform(-1, 1, 20_000)
    truth, made = signal(c, rng), TorchSampler(model).sample(c[:, None], rng)

    def numbers(x: np.ndarray) -> dict[str, float]:
        found = {"slope": float(np.polyfit(c, x[:, 0], 1)[0]), "ties": float((x[:, 0] == x[:, 1]).mean())}
        for k in range(2):
            low, middle, high = np.quantile(x[:, k], [0.25, 0.5, 0.75])
            found |= {f"mean{k}": float(x[:, k].mean()), f"low{k}": low, f"median{k}": middle, f"high{k}": high}
        return found

    a, b = numbers(truth.astype(np.float32)), numbers(made)
    return {name: b[name] - a[name] for name in a}


@pytest.mark.slow
@pytest.mark.parametrize("name", METHODS)
def test_the_signal_is_recovered(name: str, tmp_path: Path) -> None:
    """Without weights the mean would be off by 1.0; a few thousand effective events fix it to about 0.03."""
    assert mixture()[1] < -0.2
    found = differences(train(name, tmp_path))
    slope = found.pop("slope")
    assert max(abs(value) for value in found.values()) < (0.25 if name == "gan" else 0.15), found
    assert abs(slope) < 0.25


def test_expected_weights_serve_every_loss(tmp_path: Path) -> None:
    events, _ = mixture()
    with pytest.raises(FacsimError, match=r"negative weights, .* set model.event_weights=expected"):
        train("vae", tmp_path / "given")
    model = train("vae", tmp_path / "expected", event_weights="expected")
    assert model.phases == ("weights", "autoencoder")
    assert model.weights == "signed"
    assert len(events) == N


def test_expected_weights_are_the_share_of_signal(tmp_path: Path) -> None:
    model = train("autoregressive", tmp_path, event_weights="expected")
    found = differences(model)
    assert max(abs(value) for value in found.values()) < 0.2, found
