"""Half precision and compilation touch networks alone, while they train, and leave no trace."""

from __future__ import annotations

import pytest
import torch

from facsim.core.errors import FacsimError
from facsim.core.rng import generator
from facsim.models.base import Batch
from facsim.models.choices import Choice
from facsim.models.methods import build_method
from facsim.models.nets import build_network
from facsim.models.space import table
from facsim.train.precision import PRECISIONS, choose_precision, networks_of, training_networks
from facsim.train.processes import Processes
from facsim.train.settings import TrainSettings
from facsim.train.turns import Turns

CPU = torch.device("cpu")


def network() -> torch.nn.Module:
    torch.manual_seed(2)
    return build_network(Choice(name="residual-mlp", width=32, depth=2), table(3), 3, 3, 1, zero=False)


@pytest.mark.parametrize("name", ["bf16", "16"])
def test_networks_compute_in_half_precision_only_when_they_train(name: str) -> None:
    net, x, cond = network(), torch.randn(64, 3), torch.randn(64, 1)
    t = torch.rand(64)
    exact = net(x, t, cond)
    with training_networks(net, PRECISIONS[name], compiled=False):
        half = net.train()(x, t, cond)
        assert torch.equal(net.eval()(x, t, cond), exact)
    assert half.dtype == torch.float32
    assert not torch.equal(half, exact)
    torch.testing.assert_close(half, exact, rtol=0.03, atol=0.03)
    assert torch.equal(net.train()(x, t, cond), exact)
    assert "forward" not in vars(net)


def test_networks_inside_of_networks_are_left_to_the_outer_one() -> None:
    outer, inner = network(), network()
    outer.inner = inner
    assert networks_of(torch.nn.ModuleDict({"a": outer, "b": torch.nn.Linear(1, 1)})) == [outer]


def test_models_without_networks_are_refused() -> None:
    plain = torch.nn.Linear(2, 2)
    with training_networks(plain, torch.float32, compiled=False):
        pass
    for dtype, compiled in ((torch.bfloat16, False), (torch.float32, True)):
        with pytest.raises(FacsimError, match=r"act on networks of facsim"), training_networks(plain, dtype, compiled):
            pass


def test_single_precision_is_the_choice_on_cpu_and_may_be_a_number() -> None:
    assert choose_precision("auto", CPU, network()) == torch.float32
    assert TrainSettings.model_validate({"precision": 16}).precision == "16"
    assert set(PRECISIONS) < {"auto", *PRECISIONS}


def test_on_gpus_half_precision_is_the_choice_for_networks_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: True)
    gpu = torch.device("cuda")
    assert choose_precision("auto", gpu, network()) == torch.bfloat16
    flow = build_method(Choice(name="flow", kind="autoregressive", layers=1, width=8), table(3), 1)
    assert choose_precision("auto", gpu, flow) == torch.float32
    assert choose_precision("bf16", gpu, flow) == torch.bfloat16


@pytest.mark.parametrize("name", ["32", "bf16", "16"])
def test_flow_matching_learns_a_shifted_gaussian_in_any_precision(name: str) -> None:
    rng = generator(1, "gaussian")
    torch.manual_seed(1)
    options = {"network": {"name": "residual-mlp", "width": 32, "depth": 1}, "steps": 16, "solver": "heun"}
    method = build_method(Choice(name="flow-matching", **options), table(2), 0)
    batches = [
        Batch(torch.as_tensor(rng.normal([2.0, -1.0], 0.5, (256, 2)), dtype=torch.float32), torch.zeros(256, 0))
        for _ in range(10)
    ]
    noise = torch.Generator().manual_seed(1)
    method.train().begin_phase("flow", batches[0], noise)
    turns = Turns(method, "flow", TrainSettings(lr=5e-3), Processes(), scaled=name == "16")
    assert turns.scalers["flow"].is_enabled() == (name == "16")
    with training_networks(method, PRECISIONS[name], compiled=False):
        for step in range(150):
            turns.start("flow")
            turns.add("flow", method.losses(batches[step % 10], "flow", noise), 1.0)
            turns.finish("flow", 1 - step / 150)
    with torch.no_grad():
        x = method.eval().sample(torch.zeros(2000, 0), {"noise": torch.randn(2000, 2, generator=noise)})
    torch.testing.assert_close(x.mean(0), torch.tensor([2.0, -1.0]), atol=0.12, rtol=0)
    torch.testing.assert_close(x.std(0), torch.tensor([0.5, 0.5]), atol=0.12, rtol=0)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # inside of torch
def test_compiled_networks_give_the_same_gradients() -> None:
    net, x, cond = network(), torch.randn(64, 3), torch.randn(64, 1)
    parameters = list(net.parameters())

    def gradients() -> list[torch.Tensor]:
        loss = (net(x, torch.full((64,), 0.3), cond) ** 2).mean()
        return list(torch.autograd.grad(loss, parameters))

    plain = gradients()
    with training_networks(net, torch.float32, compiled=True):
        assert net._compiled_call_impl is not None
        compiled = gradients()
    assert net._compiled_call_impl is None
    for a, b in zip(plain, compiled, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)
