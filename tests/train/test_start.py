"""Training that starts from a trained model, on shipped Geant4 showers."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from facsim.core.errors import FacsimError
from facsim.core.events import Events
from facsim.core.sources import MemorySource
from facsim.data import open_events
from facsim.models.checkpoint import load_model, small_weights
from facsim.simulate.sample import sample_path
from facsim.train.loop import Trainer
from facsim.train.settings import TrainSettings

OPTIONS = {
    "layers": {"name": "flow-matching", "network": {"name": "residual-mlp", "width": 8, "depth": 1}},
    "pattern": {"name": "flow-matching", "network": {"name": "layer-transformer", "width": 8, "heads": 2, "depth": 1}},
}


@pytest.fixture(scope="module")
def events() -> Events:
    return open_events(sample_path()).read(0, 60)


def trained(
    events: Events, folder: Path, steps: int | dict[str, int], start: str | None = None, **options: object
) -> dict[str, torch.Tensor]:
    settings = TrainSettings(steps=steps, batch_size=16, device="cpu", start=start)
    source = MemorySource(events)
    Trainer("two-stage", {**OPTIONS, **options}, source, None, folder, 5, settings).run()
    return dict(load_file(folder / "weights.safetensors"))


def test_training_goes_on_from_the_weights_and_keeps_the_fits(events: Events, tmp_path: Path) -> None:
    first = trained(events[:40], tmp_path / "a" / "models" / "surrogate", 3)
    same = trained(events[40:], tmp_path / "b", 0, str(tmp_path / "a"))
    assert all(torch.equal(first[name], same[name]) for name in first)
    tuned = trained(events[40:], tmp_path / "c", 2, str(tmp_path / "a"))
    assert torch.equal(first["conditioning.mean"], tuned["conditioning.mean"])
    changed = [name for name in first if not torch.equal(first[name], tuned[name])]
    assert any(name.startswith("pattern_method.") for name in changed)


def test_with_enough_events_all_but_networks_is_fitted_anew(
    events: Events, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gaussian = {"layers": {**OPTIONS["layers"], "prior": "gaussian"}}
    first = trained(events[:40], tmp_path / "a", 2, **gaussian)
    monkeypatch.setattr("facsim.train.start.ENOUGH", 15)
    same = trained(events[40:], tmp_path / "b", 0, str(tmp_path / "a"), **gaussian)
    changed = {name for name in first if not torch.equal(first[name], same[name])}
    assert {"layer_method.prior.of.0.of.root", "conditioning.mean", "pattern.marginals.intercept"} < changed
    networks = {name for name, _ in load_model(tmp_path / "b").named_parameters()}
    assert not changed & networks


def test_spectra_are_calibrated_anew_where_the_phase_before_the_ratio_has_no_steps(
    events: Events, tmp_path: Path
) -> None:
    steps = {"layer-marginals": 1, "layer-flow": 1, "pattern-marginals": 2, "pattern-flow": 0, "pattern-ratio": 1}
    first = trained(events[:40], tmp_path / "a", steps, candidates=2)
    tuned = trained(events[40:], tmp_path / "b", steps, str(tmp_path / "a"), candidates=2)
    calibrated = [name for name in first if name.startswith("pattern.spectrum.maps.") and name.endswith(".drawn")]
    assert calibrated
    assert not all(torch.equal(first[name], tuned[name]) for name in calibrated)


def test_models_that_do_not_fit_are_refused(events: Events, tmp_path: Path) -> None:
    trained(events, tmp_path / "a", 0)
    layers = {"name": "flow-matching", "network": {"name": "residual-mlp", "width": 16, "depth": 1}}
    with pytest.raises(FacsimError, match=r"train.start: the weights of .* do not fit the model"):
        trained(events, tmp_path / "b", 0, str(tmp_path / "a"), layers=layers)
    with pytest.raises(FacsimError, match=r"train.start: '.*nothing' holds no trained model: expected a run directory"):
        trained(events, tmp_path / "b", 0, str(tmp_path / "nothing"))


def test_a_model_without_what_only_training_reads_has_that_fitted(events: Events, tmp_path: Path) -> None:
    first = trained(events[:40], tmp_path / "a", 2)
    small = small_weights(load_model(tmp_path / "a"))
    assert "copula.of.0.values" not in small
    save_file(small, tmp_path / "a" / "weights.safetensors")
    same = trained(events[40:], tmp_path / "b", 0, str(tmp_path / "a"))
    assert all(torch.equal(first[name], same[name]) for name in small if small[name].dtype == first[name].dtype)
    alone = trained(events[40:], tmp_path / "c", 0)
    assert not torch.equal(same["copula.of.0.values"], torch.ones_like(same["copula.of.0.values"]))
    assert same["copula.of.0.values"].shape == alone["copula.of.0.values"].shape
