"""Pruned copies of models in the benchmark of quality against time."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

import facsim
from facsim.core.schema import Feature, Schema
from facsim.models import EventModel
from facsim.models.checkpoint import build_model, count_parameters, save_model
from facsim.models.nets.plain_mlp import PlainMLP
from facsim.models.sampling import TorchSampler

BENCHMARKS = Path(facsim.__file__).parents[2] / "benchmarks"
pytestmark = pytest.mark.skipif(not BENCHMARKS.is_dir(), reason="the benchmarks are not part of an installed facsim")
SCHEMA = Schema("table", tuple(Feature(name) for name in "abc"), (Feature("c"),))
FLOW = {"name": "flow", "layers": 3, "network": {"name": "mlp", "widths": [12, 8], "activation": "silu"}}


@pytest.fixture(scope="module")
def prune() -> ModuleType:
    sys.path.insert(0, str(BENCHMARKS))
    try:
        import tradeoff_prune  # noqa: PLC0415 - not a package
    finally:
        sys.path.remove(str(BENCHMARKS))
    return tradeoff_prune


@pytest.fixture
def flow() -> EventModel:
    torch.manual_seed(3)
    model = build_model("single-stage", SCHEMA, {"method": FLOW, "transform": "standard"})
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return model.eval()


def drawn(model: EventModel) -> np.ndarray:
    return TorchSampler(model).sample(np.linspace(-1, 1, 50)[:, None], np.random.default_rng(5))


def test_the_smallest_weights_of_all_layers_go_and_training_leaves_them_zero(
    prune: ModuleType, flow: EventModel
) -> None:
    masks = prune.sparse_masks(flow, 0.8)
    weights = dict(flow.named_parameters())
    kept = torch.cat([weights[name].detach().abs()[mask] for name, mask in masks.items()])
    gone = torch.cat([weights[name].detach().abs()[~mask] for name, mask in masks.items()])
    assert gone.max() < kept.min()
    assert len(gone) == pytest.approx(0.8 * (len(gone) + len(kept)), abs=1)
    prune.hold_zero(flow, masks)
    optimiser = torch.optim.AdamW(flow.parameters(), lr=0.1)
    for _ in range(3):
        optimiser.zero_grad()
        sum((p**2).sum() + p.sum() for p in flow.parameters()).backward()
        optimiser.step()
    for name, mask in masks.items():
        assert bool((weights[name][~mask] == 0).all())
        assert bool((weights[name][mask] != 0).all())
    left, size = prune.sparse_size(flow, masks)
    assert left == count_parameters(flow) - len(gone)
    assert size == pytest.approx((4 * left + (len(gone) + len(kept)) / 8) / 1e6)


def test_taking_neurons_out_that_nothing_reads_changes_no_event(
    prune: ModuleType, flow: EventModel, tmp_path: Path
) -> None:
    with torch.no_grad():
        for network in flow.modules():
            if isinstance(network, PlainMLP):
                network.layers[2].weight[:, ::2] = 0
                network.layers[4].weight[:, ::2] = 0
    save_model(flow, "single-stage", tmp_path / "whole")
    small = prune.narrowed(tmp_path / "whole", tmp_path / "small", 0.5).eval()
    assert [m.layers[0].out_features for m in small.modules() if isinstance(m, PlainMLP)] == [6, 6, 6]
    assert [m.layers[2].out_features for m in small.modules() if isinstance(m, PlainMLP)] == [4, 4, 4]
    np.testing.assert_allclose(drawn(small), drawn(flow), rtol=1e-5, atol=1e-6)


def test_networks_of_another_kind_are_not_narrowed(prune: ModuleType, tmp_path: Path) -> None:
    model = build_model("single-stage", SCHEMA, {"method": {"name": "flow", "layers": 2}})
    save_model(model, "single-stage", tmp_path / "whole")
    assert prune.narrowed(tmp_path / "whole", tmp_path / "small", 0.5) is None
    assert not (tmp_path / "small").exists()
