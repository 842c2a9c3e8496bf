"""Pruning: weights held at zero through a training, and hidden units taken out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from facsim.core.errors import FacsimError
from facsim.core.events import make_events
from facsim.core.rng import generator
from facsim.core.schema import Feature, Schema
from facsim.core.sources import MemorySource
from facsim.core.store import read_json, write_json
from facsim.models import EventModel
from facsim.models.checkpoint import build_model, load_model, save_model
from facsim.models.compressed import in_bfloat16, stored_in_half
from facsim.models.hidden_units import hidden_layers
from facsim.models.pruning import hold_zero, kept_weights, left_of, take_out_units
from facsim.models.sampled_layers import sample_once, sampled_layers
from facsim.train.loop import Trainer
from facsim.train.settings import TrainSettings

SCHEMA = Schema("table", tuple(Feature(name) for name in "abc"), (Feature("c"),))
COND = torch.linspace(-1, 1, 40)[:, None]
METHODS = {
    "mlp": {"name": "flow", "layers": 3, "network": {"name": "mlp", "widths": [12, 8], "activation": "silu"}},
    "residual-mlp": {"name": "flow-matching", "steps": 3, "network": {"name": "residual-mlp", "width": 12, "depth": 2}},
    "autoregressive": {"name": "autoregressive", "bins": 6, "width": 10},
    "gan": {"name": "gan", "network": {"name": "mlp", "widths": [9, 9]}},
}


def made(kind: str = "mlp") -> EventModel:
    torch.manual_seed(3)
    model = build_model("single-stage", SCHEMA, {"method": METHODS[kind], "transform": "standard"})
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.3)
    assert isinstance(model, EventModel)
    return model.eval()


def drawn(model: EventModel) -> Tensor:
    return sample_once(model, COND, seed=5)


def layers(model: EventModel) -> dict[str, nn.Module]:
    return sampled_layers(model, COND[:2])


def source(n: int = 200) -> MemorySource:
    rng = generator(1, "table")
    return MemorySource(make_events(SCHEMA, rng.normal(size=(n, 3)).astype(np.float32), rng.normal(size=(n, 1))))


def dead(model: EventModel) -> None:
    """Let nothing read every second unit of every hidden layer."""
    modules = dict(model.named_modules())
    with torch.no_grad():
        for layer in hidden_layers(model):
            for name in layer.readers:
                modules[name].weight[:, ::2] = 0


def test_critics_are_no_layers_of_sampling() -> None:
    names = list(layers(made("gan")))
    assert names
    assert all(name.startswith("method.net.") for name in names)


def test_weights_held_at_zero_stay_zero_through_a_training_and_others_move(tmp_path: Path) -> None:
    model = made("residual-mlp")
    kept = kept_weights(layers(model), 0.7, together=True)
    settings = TrainSettings(steps=12, batch_size=50, lr=1e-2, weight_decay=0.1, device="cpu")
    options = model.options.model_dump()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    trainer = Trainer("single-stage", options, source(), None, tmp_path, 1, settings, begun=model)
    hold_zero(trainer.model, kept)
    arrays = trainer.run().state_dict()
    assert sum(int((~mask).sum()) for mask in kept.values()) == int(0.7 * sum(mask.numel() for mask in kept.values()))
    for name, mask in kept.items():
        assert bool((arrays[name][~mask] == 0).all())
        assert bool((arrays[name][mask] != before[name][mask]).any())
    assert left_of(trainer.model) == sum(a.numel() for a in arrays.values()) - sum(
        int((~mask).sum()) for mask in kept.values()
    )
    # nothing is fitted anew
    assert all(torch.equal(arrays[name], before[name]) for name in before if "transform" in name or "prior" in name)


def test_an_interrupted_training_goes_on_with_its_zeros(tmp_path: Path) -> None:
    settings = TrainSettings(steps=8, batch_size=50, log_every=1, device="cpu")

    def trained(folder: Path, stop: int | None) -> dict[str, Tensor]:
        model = made("residual-mlp")
        kept = kept_weights(layers(model), 0.5)
        options = model.options.model_dump()
        trainer = Trainer("single-stage", options, source(), None, folder, 1, settings, begun=model)
        hold_zero(trainer.model, kept)

        def tell(progress: object) -> None:
            if getattr(progress, "done", 0) == stop:
                raise KeyboardInterrupt

        return trainer.run(tell).state_dict()

    whole = trained(tmp_path / "whole", None)
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "parts", 4)
    parts = trained(tmp_path / "parts", None)
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


@given(share=st.floats(0, 0.95))
def test_the_smallest_weights_go(share: float) -> None:
    model = made()
    weights = dict(model.named_parameters())

    def check(kept: dict[str, Tensor]) -> None:
        stay = torch.cat([weights[name].detach().abs()[mask] for name, mask in kept.items()])
        gone = torch.cat([weights[name].detach().abs()[~mask] for name, mask in kept.items()])
        assert len(gone) == int(share * (len(gone) + len(stay)))
        assert not len(gone) or gone.max() < stay.min()

    check(kept_weights(layers(model), share, together=True))
    for name, mask in kept_weights(layers(model), share).items():
        check({name: mask})


@pytest.mark.parametrize("kind", METHODS)
def test_taking_nothing_out_is_the_identity(kind: str) -> None:
    model, same = made(kind), made(kind)
    assert take_out_units(same, 0.0, COND) == {}
    assert torch.equal(drawn(same), drawn(model))
    assert same.compressed == {}


@pytest.mark.parametrize("kind", METHODS)
def test_units_that_nothing_reads_go_without_a_change(kind: str) -> None:
    model = made(kind)
    dead(model)
    expected = drawn(model)
    sizes = take_out_units(model, 0.5, COND)
    assert sizes
    modules = dict(model.named_modules())
    assert all(modules[name].weight.shape == (n_out, n_in) for name, (n_in, n_out) in sizes.items())
    torch.testing.assert_close(drawn(model), expected, rtol=1e-4, atol=1e-5)


def test_a_unit_that_repeats_another_one_and_a_constant_one_are_made_up_for() -> None:
    model = made("autoregressive")
    modules = dict(model.named_modules())
    with torch.no_grad():
        for layer in hidden_layers(model):
            maker = modules[layer.maker]
            maker.weight[5:9], maker.bias[5:9] = maker.weight[:4], maker.bias[:4]
            maker.weight[9], maker.bias[9] = 0.0, 2.0
    expected = drawn(model)
    small = made("autoregressive")
    small.load_state_dict(model.state_dict())
    take_out_units(small, 0.5, COND)
    spread = float(expected.std())
    assert float((drawn(small) - expected).abs().mean()) < 0.01 * spread
    blunt = made("autoregressive")
    blunt.load_state_dict(model.state_dict())
    for layer in hidden_layers(blunt):  # the same units without being made up for
        for name in layer.readers:
            with torch.no_grad():
                dict(blunt.named_modules())[name].weight[:, 5:] = 0
    assert float((drawn(blunt) - expected).abs().mean()) > 0.1 * spread


@pytest.mark.parametrize("kind", ["mlp", "residual-mlp"])
def test_a_narrow_model_is_saved_and_loaded(kind: str, tmp_path: Path) -> None:
    model = made(kind)
    take_out_units(model, 0.6, COND)
    save_model(model, "single-stage", tmp_path)
    loaded = load_model(tmp_path)
    assert torch.equal(drawn(loaded), drawn(model))
    take_out_units(loaded, 0.5, COND)  # narrower still
    save_model(loaded, "single-stage", tmp_path)
    assert torch.equal(drawn(load_model(tmp_path)), drawn(loaded))


def test_half_precision_is_saved_and_loaded(tmp_path: Path) -> None:
    expected = drawn(made())
    spread = float(expected.std())
    for kind, limit in (("fp16", 2e-3), ("bf16", 3e-2)):
        model = made()
        names = list(layers(model))
        if kind == "fp16":
            stored_in_half(model, [f"{name}.weight" for name in names])
        else:
            in_bfloat16(model, names)
        save_model(model, "single-stage", tmp_path / kind)
        assert torch.equal(drawn(load_model(tmp_path / kind)), drawn(model))
        difference = float((drawn(model) - expected).abs().mean()) / spread
        assert 0 < difference < limit
    save_model(made(), "single-stage", tmp_path / "full")
    size = {kind: (tmp_path / kind / "weights.safetensors").stat().st_size for kind in ("fp16", "bf16", "full")}
    assert max(size["fp16"], size["bf16"]) < size["full"]


def test_a_description_of_another_model_is_refused(tmp_path: Path) -> None:
    save_model(made(), "single-stage", tmp_path)
    described = read_json(tmp_path / "model.json")
    wrong: list[Any] = [
        {"narrowed": {"nothing": [1, 2]}},
        {"bf16": ["method"]},
        {"fp16": ["nothing"]},
        [1],
        {"more": 1},
    ]
    layer = "method.layers.0.net.layers.0"
    wrong += [{"narrowed": {layer: size}} for size in (3, [1], [-1, 2], ["a", "b"], [1 << 40, 1 << 40])]
    for changes in [*wrong, {"narrowed": [layer]}, {"bf16": 1}, {"fp16": [1]}]:
        write_json(tmp_path / "model.json", {**described, "compressed": changes})
        with pytest.raises(FacsimError, match=r"compress|far larger"):
            load_model(tmp_path)
