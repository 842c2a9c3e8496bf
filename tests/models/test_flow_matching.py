"""Flow matching on known distributions, and solvers against closed forms."""

from __future__ import annotations

import math

import pytest
import torch

from facsim.models.base import Batch
from facsim.models.choices import Choice
from facsim.models.methods import build_method
from facsim.models.solvers import SOLVERS
from facsim.models.space import table


def _choice(width: int, depth: int, **options: object) -> Choice:
    network = {"name": "residual-mlp", "width": width, "depth": depth}
    return Choice(name="flow-matching", network=network, **options)


@pytest.mark.parametrize(("name", "order"), [("euler", 1), ("heun", 2), ("midpoint", 2)])
def test_solver_converges_at_its_order(name: str, order: int) -> None:
    errors = []
    for steps in (10, 20, 40):
        x = SOLVERS[name](lambda x, t: x * math.cos(3 * t), torch.ones(1, dtype=torch.float64), steps)
        errors.append(abs(float(x) - math.exp(math.sin(3) / 3)))
    rate = math.log2(errors[0] / errors[2]) / 2
    assert rate > order - 0.25


def test_untrained_flow_is_the_prior() -> None:
    flow = build_method(_choice(8, 1, steps=4), table(3), 1)
    noise = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(flow.sample(torch.zeros(6, 1), {"noise": noise}), noise)


def test_loss_of_zero_velocity_on_white_data_is_one() -> None:
    flow = build_method(_choice(8, 1), table(4), 1)
    x = torch.randn(20_000, 4, generator=torch.Generator().manual_seed(0))
    loss = flow.losses(Batch(x, torch.zeros(len(x), 1)), "flow", torch.Generator().manual_seed(1))["flow"]
    assert float(loss.detach()) == pytest.approx(1.0, abs=0.03)


def test_flow_learns_two_peaks_whose_weights_depend_on_the_condition() -> None:
    rng = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    flow = build_method(_choice(48, 2, steps=8, solver="heun"), table(1), 1)
    optimiser = torch.optim.Adam(flow.parameters(), 3e-3)

    def truth(n: int) -> tuple[torch.Tensor, torch.Tensor]:
        cond = torch.rand(n, 1, generator=rng)
        side = torch.where(torch.rand(n, 1, generator=rng) < cond, 1.0, -1.0)
        return side + 0.15 * torch.randn(n, 1, generator=rng), cond

    for _ in range(500):
        x, cond = truth(256)
        loss = flow.losses(Batch(x, cond), "flow", rng)["flow"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    cond = torch.full((4000, 1), 0.8)
    with torch.no_grad():
        drawn = flow.sample(cond, {"noise": torch.randn(4000, 1, generator=rng)})
    assert float((drawn > 0).float().mean()) == pytest.approx(0.8, abs=0.05)
    assert float((drawn.abs() - 1).abs().mean()) < 0.25
