"""Analytic targets: their moments, and a distance that is zero for truth and sees what is off."""

from __future__ import annotations

import math

import pytest
import torch

from facsim.evaluate.targets import TARGETS, Target, distance, learn
from facsim.models.base import Batch, Method, MethodOptions, NoiseSpec
from facsim.models.choices import Choice
from facsim.models.methods import build_method


class Truth(Method):
    """Draws the target itself at other conditions than asked for, times `scale`."""

    def __init__(self, target: Target, scale: float = 1.0) -> None:
        super().__init__(target.space, target.n_cond, MethodOptions())
        self.target, self.scale = target, scale

    def noise_spec(self, n: int) -> dict[str, NoiseSpec]:
        return {"seed": NoiseSpec((n,), "uniform")}

    def losses(self, batch: Batch, turn: str, generator: torch.Generator | None = None) -> dict[str, torch.Tensor]:
        raise NotImplementedError

    def sample(self, cond, noise, mask=None):  # type: ignore[no-untyped-def]
        rng = torch.Generator().manual_seed(int(1e9 * float(noise["seed"][0])))
        many = self.target.draw(40 * len(cond), rng)
        order = many.cond[:, 0].argsort()
        at = torch.searchsorted(many.cond[order, 0].contiguous(), cond[:, 0].contiguous()).clamp(max=len(order) - 1)
        return self.scale * many.x[order][at]


@pytest.mark.parametrize("name", ["mixture", "ring", "ramp", "cells"])
def test_truth_is_near_itself_and_a_scaled_sample_is_not(name: str) -> None:
    target = TARGETS[name]
    same, wider = distance(Truth(target), target, 4000), distance(Truth(target, 1.1), target, 4000)
    assert same.p_value > 0.01
    assert same.w1 < 2 * same.null
    assert wider.p_value == pytest.approx(1 / 200)
    assert wider.w1 > same.w1


def test_ramp_has_the_moments_of_its_density() -> None:
    batch = TARGETS["ramp"].draw(400_000, torch.Generator().manual_seed(0))
    x, y = (batch.x / 1.7).T
    c = batch.cond[:, 0]
    # <x | c> = c / 3, <x^2 | c> = 1 / 3, <y | c, x> = c x / 3
    assert float((x * c).mean()) == pytest.approx(float((c * c).mean()) / 3, abs=2e-3)
    assert float((x * x).mean()) == pytest.approx(1 / 3, abs=2e-3)
    assert float((y * c * x).mean()) == pytest.approx(float((c * c).mean()) / 9, abs=2e-3)
    assert float(batch.x.abs().max()) <= 1.7


def test_cells_have_the_stated_covariance_and_means() -> None:
    batch = TARGETS["cells"].draw(200_000, torch.Generator().manual_seed(0))
    x, c = batch.x[..., 0], batch.cond
    slope = (x * c).mean(0) / (c * c).mean()
    torch.testing.assert_close(slope[:2], torch.tensor([0.6, 0.3]), rtol=0, atol=0.02)
    rest = x - c * slope
    covariance = rest.T @ rest / len(rest)
    assert float(covariance[0, 0]) == pytest.approx(0.25 + 0.16 + 0.36, abs=0.01)
    assert float(covariance[0, 1]) == pytest.approx(0.25 + 0.16, abs=0.01)
    assert float(covariance[0, 23]) == pytest.approx(0.25, abs=0.01)


def test_arcs_share_a_direction_and_keep_to_their_mask() -> None:
    target = TARGETS["arcs"]
    batch = target.draw(20_000, torch.Generator().manual_seed(0))
    assert batch.mask is not None
    assert set(batch.mask.sum(1).tolist()) == {2, 3, 4, 5, 6}
    assert not batch.x[~batch.mask].any()
    # the difference of two angles has the variance 2 x 0.49, so its mean cosine is exp(-0.49)
    angle = torch.atan2(batch.x[..., 1], batch.x[..., 0])
    assert float((angle[:, 0] - angle[:, 1]).cos().mean()) == pytest.approx(math.exp(-0.49), abs=0.01)
    order = torch.tensor([5, 3, 4, 1, 0, 2])
    turned = Batch(batch.x[:, order], batch.cond, mask=batch.mask[:, order])
    torch.testing.assert_close(target.features(turned), target.features(batch))


def test_learning_brings_a_flow_nearer() -> None:
    target = TARGETS["ring"]
    network = {"name": "residual-mlp", "width": 32, "depth": 2}
    torch.manual_seed(0)
    flow = build_method(Choice(name="flow-matching", network=network, steps=8), target.space, target.n_cond)
    before = distance(flow, target, 2000)
    learn(flow, target, steps=200)
    after = distance(flow, target, 2000)
    assert not flow.training
    assert after.w1 < 0.5 * before.w1
    assert after.kpd < 0.5 * before.kpd
