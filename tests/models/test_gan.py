"""Adversarial losses against closed forms, the critic's penalties and norms, and learning of known distributions."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import softplus

from facsim.core.errors import FacsimError
from facsim.models.base import Batch, weighted_mean
from facsim.models.choices import Choice
from facsim.models.gan_losses import (
    GAN_LOSSES,
    ComponentScore,
    PatchScore,
    cramer_score,
    energy_score,
    penalised_gradient,
)
from facsim.models.methods import build_method
from facsim.models.nets.classifiers.mpgan import MPGANClassifier
from facsim.models.nets.readers import EventReader, flat_condition, with_numbers
from facsim.models.space import Space, cloud, table

GRID = Space("grid", (24, 2), ((4, 3), (4, 3)))
RAGGED = Space("grid", (13, 2), ((1, 4), (3, 3)))


def _gan(loss: str, space: Space | None = None, n_cond: int = 1, **options: object):
    torch.manual_seed(0)
    network = {} if space and space.representation != "table" else {"network": {"name": "residual-mlp", "width": 32}}
    return build_method(Choice(name="gan", loss=loss, **{**network, **options}), space or table(2), n_cond)


@pytest.mark.parametrize(
    ("loss", "critic", "generator"),
    [
        ("non-saturating", math.log1p(math.exp(-2)) + math.log1p(math.exp(-1)), math.log1p(math.exp(1))),
        ("least-squares", (2 - 1) ** 2 + (-1) ** 2, (-1 - 1) ** 2),
        ("hinge", 0.0, 1.0),
        ("relativistic", math.log1p(math.exp(-3)), math.log1p(math.exp(3))),
        ("wasserstein", -3.0, 1.0),
    ],
)
def test_losses_have_their_values(loss: str, critic: float, generator: float) -> None:
    real, fake = torch.tensor([2.0], dtype=torch.float64), torch.tensor([-1.0], dtype=torch.float64)
    assert float(GAN_LOSSES[loss][0](real, fake)) == pytest.approx(critic)
    assert float(GAN_LOSSES[loss][1](real, fake)) == pytest.approx(generator)


def test_the_hinge_punishes_what_is_inside_the_margin() -> None:
    values = GAN_LOSSES["hinge"][0](torch.tensor([0.25, 3.0]), torch.tensor([-0.5, 0.5]))
    torch.testing.assert_close(values, torch.tensor([0.75 + 0.5, 1.5]))


def test_the_best_critic_of_the_non_saturating_loss_gives_twice_log_two_without_a_difference() -> None:
    zero = torch.zeros(3)
    torch.testing.assert_close(GAN_LOSSES["non-saturating"][0](zero, zero), torch.full((3,), 2 * math.log(2)))


def test_the_slope_of_a_linear_critic_is_the_norm_of_its_weights() -> None:
    w = torch.tensor([3.0, -4.0, 12.0], dtype=torch.float64, requires_grad=True)
    x = torch.randn(5, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    slope = penalised_gradient(lambda x: x @ w, x)
    torch.testing.assert_close(slope, torch.full((5,), 13.0, dtype=torch.float64))
    ((slope - 1) ** 2).mean().backward()
    torch.testing.assert_close(w.grad, 2 * 12 * w.detach() / 13)  # d (|w| - 1)^2 / dw
    with torch.no_grad():
        torch.testing.assert_close(penalised_gradient(lambda x: x @ w, x), slope)


def test_energy_score_has_the_mean_that_the_energy_distance_of_gaussians_has() -> None:
    """E|a - b| of N(m, 1) and N(0, 1) is that of a folded normal of width sqrt 2."""
    rng = torch.Generator().manual_seed(0)
    real, fake, other = torch.randn(3, 400_000, 1, generator=rng, dtype=torch.float64)
    shift = 1.5
    folded = math.sqrt(4 / math.pi) * math.exp(-(shift**2) / 4) + shift * math.erf(shift / 2)
    expected = 2 * folded - math.sqrt(4 / math.pi)
    assert float(energy_score(real + shift, fake, other).mean()) == pytest.approx(expected, abs=0.01)


def test_energy_score_of_points_by_hand() -> None:
    real, fake, other = torch.tensor([[0.0, 0.0]]), torch.tensor([[3.0, 4.0]]), torch.tensor([[0.0, 1.0]])
    assert float(energy_score(real, fake, other)) == pytest.approx(5 + 1 - math.sqrt(18))
    assert float(cramer_score(fake, other)) == pytest.approx(math.sqrt(18) - 5)


def test_patch_scores_are_energy_scores_of_every_patch() -> None:
    rng = torch.Generator().manual_seed(0)
    real, fake, other = torch.randn(3, 4, 6, 2, generator=rng)
    found = PatchScore((2, 3), [(1, 2), (2, 3)])(real, fake, other)
    images = [x.reshape(4, 2, 3, 2) for x in (real, fake, other)]
    scaled = 4**0.5, 12**0.5  # numbers of a patch
    small = [[x[:, r : r + 1, c : c + 2].reshape(4, -1) for x in images] for r in range(2) for c in range(2)]
    expected = torch.stack([energy_score(*patch) for patch in small]).mean(0) / scaled[0]
    expected = expected + energy_score(*(x.reshape(4, -1) for x in images)) / scaled[1]
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)


def test_component_scores_are_the_mean_cramer_distance_along_the_axes_of_truth() -> None:
    rng = torch.Generator().manual_seed(0)
    width = torch.tensor([3.0, 1.0, 0.5])
    truth = width * torch.randn(20_000, 3, generator=rng)
    score = ComponentScore(3, 8)
    score.fit(truth)
    real, fake, other = (width * torch.randn(8, 3, generator=rng) for _ in range(3))
    each = [(a - b).abs() / width for a, b in ((real, fake), (real, other), (fake, other))]
    torch.testing.assert_close(score(real, fake, other), (each[0] + each[1] - each[2]).mean(1), rtol=0.05, atol=0.05)


def test_patches_that_do_not_fit_are_refused() -> None:
    with pytest.raises(FacsimError, match="patches of 3 x 1 cells do not fit images of 2 x 3"):
        PatchScore((2, 3), [(3, 1)])
    with pytest.raises(FacsimError, match="'patches' of the method 'gan' is for images"):
        _gan("energy", patches=[[1, 1]])
    with pytest.raises(FacsimError, match="with 'noise: latent' the generator needs 'latent' numbers"):
        _gan("energy", noise="latent", latent=0)


def test_the_one_sided_penalty_leaves_slopes_below_one_alone() -> None:
    batch = Batch(torch.randn(6, 2, generator=torch.Generator().manual_seed(1)), torch.zeros(6, 1))
    both, one = (_gan("wasserstein", one_sided=flag) for flag in (False, True))
    penalties = []
    for gan in (both, one):
        with torch.no_grad():
            for parameter in gan.critic.parameters():
                parameter.mul_(1e-3)
        penalties.append(float(gan.losses(batch, "critic", torch.Generator().manual_seed(2))["penalty"].detach()))
    assert penalties[0] == pytest.approx(1.0, abs=0.1)
    assert penalties[1] == 0.0


def test_a_generator_with_a_gap_gives_zeros_or_more_than_the_least() -> None:
    space = Space("grid", (6, 1), image=(2, 3), least=0.3)
    for zeros in ("kinked", "straight"):
        gan = _gan("energy", space, zeros=zeros, network={"name": "mlp", "widths": [8]}, noise="latent")
        raw = torch.linspace(-1.0, 1.0, 200).reshape(-1, 1, 1).requires_grad_(True)
        x = gan._with_zeros(raw)
        between = (x > 0.031) & (x < 0.299)
        assert float(between.float().mean()) <= 0.02  # the steep piece is a hundredth wide
        assert bool(((x == 0) | (x >= 0.3)).all()) == (zeros == "straight")
        (slope,) = torch.autograd.grad(x.sum(), raw)
        assert bool((slope > 0).all()) or zeros == "kinked"
        assert bool((x.diff(dim=0) >= 0).all())


def test_energy_loss_is_smallest_at_the_truth() -> None:
    """A proper score: over generators N(m, s) the expected loss is least at the truth's own m and s."""
    rng = torch.Generator().manual_seed(0)
    real, fake, other = torch.randn(3, 200_000, 1, generator=rng)
    at = {
        (m, s): float(energy_score(real, m + s * fake, m + s * other).mean())
        for m in (-0.3, 0.0, 0.3)
        for s in (0.7, 1.0, 1.4)
    }
    assert min(at, key=lambda key: at[key]) == (0.0, 1.0)


def test_signed_weights_cancel_events() -> None:
    values = torch.tensor([1.0, 5.0, 5.0])
    assert float(weighted_mean(values, torch.tensor([1.0, 1.0, -1.0]))) == pytest.approx(1 / 3)
    assert float(weighted_mean(values, None)) == pytest.approx(11 / 3)


def test_losses_that_are_linear_in_truth_take_signed_weights() -> None:
    signed = {loss for loss in [*GAN_LOSSES, "cramer", "energy"] if _gan(loss).weights == "signed"}
    assert signed == {"wasserstein", "cramer", "energy"}


@pytest.mark.parametrize(("loss", "steps", "turns"), [
    ("hinge", 1, ("critic", "generator")),
    ("wasserstein", 3, ("critic", "critic", "critic", "generator")),
    ("energy", 2, ("generator",)),
])  # fmt: skip
def test_turns(loss: str, steps: int, turns: tuple[str, ...]) -> None:
    gan = _gan(loss, critic_steps=steps)
    assert gan.turns("adversarial") == turns
    owners = {turn: {id(p) for p in gan.parameters_of(turn)} for turn in turns}
    assert owners["generator"] == {id(p) for p in gan.averaged("adversarial")}
    assert not owners["generator"] & owners.get("critic", set())
    assert set().union(*owners.values()) == {id(p) for p in gan.parameters()}


def test_the_wasserstein_penalty_enters_with_its_factor() -> None:
    batch = Batch(torch.randn(6, 2, generator=torch.Generator().manual_seed(1)), torch.zeros(6, 1))
    one, ten = (_gan("wasserstein", gradient_penalty=g) for g in (1.0, 10.0))
    first, second = (gan.losses(batch, "critic", torch.Generator().manual_seed(2)) for gan in (one, ten))
    assert float(second["penalty"].detach()) == pytest.approx(10 * float(first["penalty"].detach()))
    assert float(second["critic"].detach()) == pytest.approx(float(first["critic"].detach()))
    assert one.optimiser_of("critic")["betas"] == (0.0, 0.9)
    drift = 1e-3 * float(one.critic(batch.x, batch.cond).detach().square().mean())
    assert float(first["drift"].detach()) == pytest.approx(drift, rel=1e-5)


def test_r1_is_half_the_squared_slope_at_real_events() -> None:
    gan = _gan("non-saturating", r1=0.6)
    batch = Batch(torch.randn(6, 2, generator=torch.Generator().manual_seed(1)), torch.zeros(6, 1))
    x = batch.x.clone().requires_grad_(True)
    (slope,) = torch.autograd.grad(gan.critic(x, batch.cond).sum(), x)
    losses = gan.losses(batch, "critic", torch.Generator().manual_seed(2))
    assert float(losses["r1"].detach()) == pytest.approx(0.3 * float((slope**2).sum(1).mean()), rel=1e-5)
    score = gan.critic(batch.x, batch.cond)[:, 0].detach()
    assert float(losses["critic"].detach()) > float(softplus(-score).mean())


@pytest.mark.parametrize("space", [table(3), GRID, RAGGED, cloud(5, 3)], ids=["table", "grid", "ragged", "cloud"])
def test_spectral_norm_makes_the_largest_singular_value_one(space: Space) -> None:
    torch.manual_seed(0)
    reader = EventReader(space, 2, 1, True)
    cond = torch.randn(4, 2)
    for _ in range(40):  # power iterations
        reader(torch.randn(4, *space.shape), cond)
    weights = [m.weight for m in reader.eval().modules() if isinstance(m, torch.nn.Linear | torch.nn.Conv2d)]
    assert weights
    norms = [float(torch.linalg.matrix_norm(w.detach().flatten(1), 2)) for w in weights]
    np.testing.assert_allclose(norms, 1.0, atol=0.05)


@pytest.mark.parametrize("space", [GRID, RAGGED], ids=["grid", "ragged"])
def test_readers_see_every_cell_and_the_condition_of_each_layer(space: Space) -> None:
    torch.manual_seed(0)
    reader = EventReader(space, 2, 1)
    x, cond = torch.randn(3, *space.shape, requires_grad=True), torch.randn(3, 2, 2, requires_grad=True)
    for gradient in torch.autograd.grad(reader(x, cond).sum(), (x, cond)):
        assert bool((gradient != 0).all())
    same = cond[:, :1].expand(-1, 2, -1)
    torch.testing.assert_close(reader(x, same), reader(x, cond[:, 0]))


def test_an_unknown_option_of_the_critic_is_refused() -> None:
    with pytest.raises(FacsimError, match="unknown option of the network that reads a table 'wdith'"):
        _gan("hinge", critic={"wdith": 8})


def test_points_are_ordered_by_their_first_noise_number_and_the_least_are_real() -> None:
    gan = _gan("least-squares", cloud(4, 3), latent=0, element_noise=5, ordered=True)
    assert gan.noise_spec(2)["noise"].shape == (2, 4, 5)
    noise = torch.randn(2, 4, 5, generator=torch.Generator().manual_seed(1))
    mask, cond = torch.arange(4) < torch.tensor([[4], [2]]), torch.zeros(2, 1)
    with torch.no_grad():
        x = gan.sample(cond, {"noise": noise}, mask)
        turned = gan.sample(cond, {"noise": noise[:, [2, 0, 3, 1]]}, mask)
        rank = noise[..., 0].argsort(1).argsort(1)
        unsorted = gan.net(noise, None, cond, rank < mask.sum(1, keepdim=True))
    torch.testing.assert_close(x, turned)
    for event, count in enumerate((4, 2)):
        chosen = unsorted[event][noise[event, :, 0].argsort()[:count]]
        torch.testing.assert_close(x[event, :count], chosen, rtol=1e-4, atol=1e-5)


def test_element_noise_is_of_tables_too_and_not_of_latent_noise() -> None:
    gan = _gan("energy", element_noise=7)
    assert gan.noise_spec(3)["noise"].shape == (3, 7)
    assert gan.sample(torch.zeros(3, 1), {"noise": torch.randn(3, 7), "latent": torch.randn(3, 8)}).shape == (3, 2)
    for wrong in ({"element_noise": 3}, {"ordered": True}):
        with pytest.raises(FacsimError, match="are of the noise of each element"):
            _gan("energy", noise="latent", **wrong)
    with pytest.raises(FacsimError, match="'ordered' of the method 'gan' is for clouds"):
        _gan("energy", ordered=True)


def test_the_critic_may_be_another_network_and_learn_faster() -> None:
    gan = _gan("hinge", cloud(4, 3), critic={"name": "mpgan", "hidden": 4}, critic_rate=3.0)
    assert isinstance(gan.critic.net, MPGANClassifier)
    assert gan.optimiser_of("critic")["lr_factor"] == 3.0
    assert "lr_factor" not in gan.optimiser_of("generator")
    with pytest.raises(FacsimError, match="unknown network that reads a table 'mpgan': expected one of"):
        _gan("hinge", critic={"name": "mpgan"})
    with pytest.raises(FacsimError, match="unknown option of the network that reads a mpgan 'width'"):
        _gan("hinge", cloud(4, 3), critic={"name": "mpgan", "width": 4})


@pytest.mark.parametrize(("key", "value"), [("width", -1), ("width", 0), ("depth", -2)])
def test_sizes_of_the_critic_that_build_no_network_are_refused(key: str, value: int) -> None:
    with pytest.raises(FacsimError, match=f"the option '{key}' of the network 'table' must be a whole number"):
        _gan("hinge", critic={key: value})


@pytest.mark.parametrize("key", ["outputs", "spectral", "space", "self"])
def test_what_a_reader_is_given_is_no_option(key: str) -> None:
    with pytest.raises(FacsimError, match=f"unknown option of the network that reads a table '{key}'"):
        _gan("hinge", critic={key: 3})


def test_numbers_of_an_event_join_conditions_of_both_kinds() -> None:
    cond, z = torch.arange(12.0).reshape(2, 3, 2), torch.tensor([[7.0], [8.0]])
    assert with_numbers(cond[:, 0], z).tolist() == [[0, 1, 7], [6, 7, 8]]
    assert with_numbers(cond, z)[1].tolist() == [[6, 7, 8], [8, 9, 8], [10, 11, 8]]
    assert flat_condition(cond[:, 0], GRID).tolist() == [[0, 1, 0, 1], [6, 7, 6, 7]]
    assert flat_condition(cond[:, :2], GRID)[0].tolist() == [0, 1, 2, 3]
    assert flat_condition(cond[:, 0], table(2)) is not None


def _train(gan, truth, steps: int, lr: float, rng: torch.Generator) -> None:
    optimisers = {
        turn: torch.optim.AdamW(gan.parameters_of(turn), **{"lr": lr, **gan.optimiser_of(turn)})
        for turn in set(gan.turns("adversarial"))
    }
    cycle = gan.turns("adversarial")
    for step in range(steps):
        turn = cycle[step % len(cycle)]
        loss = torch.stack(list(gan.losses(truth(rng), turn, rng).values())).sum()
        optimisers[turn].zero_grad()
        loss.backward()
        optimisers[turn].step()


def test_energy_loss_learns_a_mean_from_events_of_negative_weight() -> None:
    """Truth N(1, 0.3), polluted by as many events at -2 that negative weights take out again."""

    def truth(rng: torch.Generator) -> Batch:
        n = 384
        kind = torch.arange(n) % 3  # wanted, pollution, its subtraction
        x = torch.where((kind == 0)[:, None], 1.0, -2.0) + 0.3 * torch.randn(n, 1, generator=rng)
        return Batch(x, torch.zeros(n, 1), torch.where(kind == 2, -1.0, 1.0))

    rng = torch.Generator().manual_seed(0)
    gan = _gan("energy", table(1), latent=2)
    _train(gan, truth, 300, 3e-3, rng)
    noise = {"noise": torch.randn(4000, 1, generator=rng), "latent": torch.randn(4000, 2, generator=rng)}
    with torch.no_grad():
        x: Tensor = gan.sample(torch.zeros(4000, 1), noise)
    assert float(x.mean()) == pytest.approx(1.0, abs=0.15)
    assert float(x.std()) == pytest.approx(0.3, abs=0.12)
