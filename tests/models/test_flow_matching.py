"""Flow matching on known distributions, and solvers against closed forms."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from facsim.models.base import Batch
from facsim.models.choices import Choice
from facsim.models.coupling import drawn_by_weight, optimal_coupling
from facsim.models.flow_matching import FlowMatching
from facsim.models.methods import build_method
from facsim.models.nets.library_prior import LibraryPrior
from facsim.models.probability_flow import RATES, path_at
from facsim.models.solvers import SOLVERS
from facsim.models.space import Space, cloud, table


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


@pytest.mark.parametrize("name", ["linear", "trigonometric"])
def test_path_runs_from_prior_to_data_with_its_own_derivative(name: str) -> None:
    x0, x1 = torch.randn(2, 5, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    t = torch.tensor([0.0, 0.2, 0.5, 0.9, 1.0], dtype=torch.float64)

    def at(time: torch.Tensor) -> torch.Tensor:
        path = path_at(name, time, x0)
        return path.a * x0 + path.b * x1

    torch.testing.assert_close(at(t)[0], x0[0])
    torch.testing.assert_close(at(t)[4], x1[4])
    path = path_at(name, t, x0)
    slope = RATES[name] * (path.da * x0 + path.db * x1)
    torch.testing.assert_close(slope, (at(t + 1e-6) - at(t - 1e-6)) / 2e-6, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("path", ["linear", "trigonometric"])
def test_predicted_events_make_the_velocity_that_leads_to_them(path: str) -> None:
    flow = build_method(_choice(8, 1, path=path, prediction="x"), table(2), 1)
    assert isinstance(flow, FlowMatching)
    event = torch.tensor([0.7, -1.2])
    torch.nn.init.zeros_(flow.net.out.weight)
    with torch.no_grad():
        flow.net.out.bias.copy_(event)
        x0 = torch.randn(6, 2, generator=torch.Generator().manual_seed(0))
        t = torch.linspace(0, 0.94, 6)
        factors = path_at(path, t, x0)
        expected = RATES[path] * (factors.da * x0 + factors.db * event)
        found = flow.velocity(flow.between(x0, event.expand(6, 2), t), t, torch.zeros(6, 1), None)
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
        # the loss of the right prediction is zero at all times, late ones included
        batch = Batch(event.expand(500, 2), torch.zeros(500, 1))
        assert float(flow.losses(batch, "flow", torch.Generator().manual_seed(1))["flow"]) < 1e-6


def test_optimal_coupling_is_the_cheapest_of_all_permutations() -> None:
    rng = torch.Generator().manual_seed(0)
    x0, x1, cond = torch.randn(6, 2, generator=rng), torch.randn(6, 2, generator=rng), torch.randn(6, 1, generator=rng)
    c = (cond - cond.mean(0)) / cond.std(0, correction=0)
    for weight in (0.0, 0.3, 1e6):

        def cost(order: tuple[int, ...], weight: float = weight) -> float:
            pick = list(order)
            return float(((x0[pick] - x1) ** 2).mean(1).sum() + weight * ((c[pick] - c) ** 2).sum())

        found = optimal_coupling(x0, x1, cond, None, weight)
        assert cost(tuple(found.tolist())) == pytest.approx(min(map(cost, itertools.permutations(range(6)))), rel=1e-5)
        assert (weight < 1e6) or found.tolist() == list(range(6))


def test_optimal_coupling_of_clouds_counts_real_points_only() -> None:
    rng = torch.Generator().manual_seed(0)
    x0, x1 = torch.randn(2, 5, 3, 2, generator=rng)
    mask = torch.tensor([[1, 1, 1], [1, 0, 0], [1, 1, 0], [0, 0, 0], [1, 1, 1]]) > 0
    found = optimal_coupling(x0, x1, torch.zeros(5, 1), mask, 1.0)
    assert sorted(found.tolist()) == list(range(5))
    other = torch.where(mask[..., None], x1, 50.0)
    assert found.tolist() == optimal_coupling(x0, other, torch.zeros(5, 1), mask, 1.0).tolist()

    def cost(order: tuple[int, ...]) -> float:
        terms = [((x0[i] - x1[j])[mask[j]] ** 2).mean() for j, i in enumerate(order) if mask[j].any()]
        return float(torch.stack(terms).sum())

    assert cost(tuple(found.tolist())) == pytest.approx(min(map(cost, itertools.permutations(range(5)))), rel=1e-5)


def test_coupled_draws_are_nearer_and_still_follow_the_prior_at_each_condition() -> None:
    flow = build_method(_choice(8, 1, coupling="optimal-transport"), table(1), 1)
    assert isinstance(flow, FlowMatching)
    rng = torch.Generator().manual_seed(0)
    side, distance = [], []
    for _ in range(20):
        cond = torch.where(torch.rand(128, 1, generator=rng) < 0.5, 1.0, -1.0)
        x = 2 * cond + 0.3 * torch.randn(128, 1, generator=rng)
        x0 = flow.pair(Batch(x, cond), rng)
        side.append(x0[cond[:, 0] > 0].mean())
        distance.append(torch.corrcoef(torch.cat([x0 * (cond > 0), x * (cond > 0)], 1)[cond[:, 0] > 0].T)[0, 1])
    assert abs(float(torch.stack(side).mean())) < 0.08
    assert float(torch.stack(distance).mean()) > 0.9


def test_library_picks_events_of_near_conditions_by_the_uniform_number() -> None:
    rng = torch.Generator().manual_seed(0)
    prior = LibraryPrior(Space("grid", (4, 1), ((2, 1), (2, 1))), 1, events=50, near=5, width=0.01)
    cond = torch.rand(200, 1, generator=rng)
    x = cond[..., None].expand(200, 4, 1).contiguous()
    prior.fit(x, cond, None, None, rng)
    ask = torch.full((40, 1), 0.5)
    drawn = prior(torch.randn(40, 4, 1, generator=rng), torch.linspace(0, 1, 40), ask)
    kept = prior.x[:, 0, 0]
    nearest = kept[(kept - 0.5).abs().argsort()[:5]]
    assert float((drawn[:, :, 0] - nearest[(torch.arange(40) * 5 // 39).clamp(max=4)][:, None]).abs().max()) < 0.06
    by_layer = prior(torch.zeros(1, 4, 1), torch.zeros(1), torch.full((1, 2, 1), 0.5))
    torch.testing.assert_close(by_layer, prior(torch.zeros(1, 4, 1), torch.zeros(1), ask[:1]))


def test_library_of_clouds_fills_missing_points_with_real_ones_and_follows_weights() -> None:
    rng = torch.Generator().manual_seed(0)
    prior = LibraryPrior(cloud(4, 1), 1, events=8, near=1, width=0.1)
    x = torch.tensor([[1.0, 2.0, 99.0, 99.0], [5.0, 99.0, 99.0, 99.0]])[..., None]
    mask = torch.tensor([[1, 1, 0, 0], [1, 0, 0, 0]]) > 0
    prior.fit(x, torch.zeros(2, 1), mask, None, rng)
    assert {tuple(row) for row in prior.x[..., 0].tolist()} == {(1, 2, 1, 2), (5, 5, 5, 5)}
    prior.fit(x, torch.zeros(2, 1), mask, torch.tensor([0.0, 1.0]), rng)
    assert (prior.x == 5).all()


def test_logit_normal_times_are_about_the_middle() -> None:
    """With data at 0 and no network the loss at time t is cos^2: its mean tells the times apart."""
    batch = Batch(torch.zeros(50_000, 1), torch.zeros(50_000, 1))
    losses = {}
    for times in ("uniform", "logit-normal"):
        flow = build_method(_choice(8, 1, times=times), table(1), 1)
        losses[times] = float(flow.losses(batch, "flow", torch.Generator().manual_seed(0))["flow"].detach())
    t = torch.randn(400_000, generator=torch.Generator().manual_seed(1)).sigmoid()
    assert losses["uniform"] == pytest.approx(0.5, abs=0.01)
    assert losses["logit-normal"] == pytest.approx(float((torch.sin(0.5 * math.pi * t) ** 2).mean()), abs=0.01)
    spread = dict.fromkeys(losses, 0.0)
    for times in losses:
        flow = build_method(_choice(8, 1, times=times, path="linear", prediction="x"), table(1), 1)
        wide = Batch(torch.ones(50_000, 1), torch.zeros(50_000, 1))
        spread[times] = float(flow.losses(wide, "flow", torch.Generator().manual_seed(0))["flow"].detach())
    # the loss of x-prediction grows as 1 / (1 - t)^2, which late times make large
    assert spread["logit-normal"] < spread["uniform"]


def test_events_are_drawn_as_often_as_their_weights_say() -> None:
    rng = torch.Generator().manual_seed(0)
    x = torch.arange(8.0)[:, None]
    weight = torch.tensor([0.0, 0.5, 3.0, 1.0, 0.25, 0.0, 2.25, 1.0])
    count = torch.zeros(8)
    for _ in range(2000):
        drawn = drawn_by_weight(Batch(x, x, 7 * weight), rng)
        assert drawn.weight is None
        assert torch.equal(drawn.x, drawn.cond)
        count += torch.bincount(drawn.x[:, 0].long(), minlength=8)
    torch.testing.assert_close(count / 2000, weight, rtol=0, atol=0.05)
    alike = drawn_by_weight(Batch(x, x, torch.full((8,), 0.3)), rng)
    assert torch.equal(alike.x, x)


def test_coupled_flow_follows_event_weights() -> None:
    """Two peaks at -1 and 1 of equal numbers, the weights of one three times those of the other."""
    torch.manual_seed(0)
    rng = torch.Generator().manual_seed(1)
    flow = build_method(_choice(32, 1, steps=10, coupling="optimal-transport"), table(1), 1)
    optimiser = torch.optim.Adam(flow.parameters(), 3e-3)
    for _ in range(300):
        side = torch.where(torch.rand(128, 1, generator=rng) < 0.5, 1.0, -1.0)
        x = side + 0.1 * torch.randn(128, 1, generator=rng)
        batch = Batch(x, torch.zeros(128, 1), torch.where(side[:, 0] > 0, 3.0, 1.0))
        optimiser.zero_grad()
        flow.losses(batch, "flow", rng)["flow"].backward()
        optimiser.step()
    with torch.no_grad():
        found = flow.sample(torch.zeros(4000, 1), {"noise": torch.randn(4000, 1, generator=rng)})
    assert float((found > 0).float().mean()) == pytest.approx(0.75, abs=0.05)
