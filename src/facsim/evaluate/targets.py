"""Distributions known in closed form that every generative method has to learn, and how far a sample is from one.

To check a method of your own: `method = build_method(choice, target.space, target.n_cond)`, `learn(method, target)`,
`distance(method, target).p_value`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle, islice

import torch
from torch import Tensor

from facsim.metrics import kpd, w1
from facsim.models.base import Batch, Method, draw_noise
from facsim.models.space import Space, cloud, table

Features = Callable[[Batch], Tensor]


def flat(batch: Batch) -> Tensor:
    """All numbers of each event, then its conditions: (N, D)."""
    return torch.cat([batch.x.flatten(1), batch.cond], -1)


def of_points(batch: Batch) -> Tensor:
    """Means over each cloud's points (x, y) of x, y, their products, and the radius; multiplicity and conditions."""
    assert batch.mask is not None
    real = batch.mask[..., None].to(batch.x)
    x, y = batch.x[..., :1], batch.x[..., 1:2]
    values = torch.cat([x, y, x * x, y * y, x * y, torch.hypot(x, y)], -1)
    return torch.cat([(values * real).sum(1) / real.sum(1), real.sum(1), batch.cond], -1)


@dataclass(frozen=True)
class Target:
    """Events of one kind with conditions, exact draws, in units of order one.

    Args:
        space: the events.
        n_cond: number of conditions K.
        draw: (n, generator) -> batch of n events.
        features: of a batch (N, D), that two samples are compared in; those of clouds do not depend on the order.
    """

    space: Space
    n_cond: int
    draw: Callable[[int, torch.Generator], Batch]
    features: Features = flat


def mixture(n: int, rng: torch.Generator) -> Batch:
    """Four Gaussians of width 0.2 at the corners of a square, of shares 0.1 to 0.4; the condition means nothing."""
    which = torch.multinomial(torch.tensor([0.1, 0.2, 0.3, 0.4]), n, replacement=True, generator=rng)
    centre = torch.tensor([[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]])[which]
    return Batch(centre + 0.2 * _normal(n, 2, rng=rng), _uniform(n, 1, rng=rng))


def ring(n: int, rng: torch.Generator) -> Batch:
    """A ring of width 0.1 whose radius is 1 + 0.5 c at the condition c, uniform in (-1, 1)."""
    cond = _uniform(n, 1, rng=rng)
    angle = math.pi * _uniform(n, 1, rng=rng)
    radius = 1 + 0.5 * cond + 0.1 * _normal(n, 1, rng=rng)
    return Batch(radius * torch.cat([angle.cos(), angle.sin()], -1), cond)


def ramp(n: int, rng: torch.Generator) -> Batch:
    """Densities (1 + a x) / 2 on (-1, 1), times 1.7: first x with a = c, the condition, then y with a = c x."""
    cond = 0.95 * _uniform(n, 1, rng=rng)
    x = _ramp(cond, _uniform(n, 1, rng=rng))
    y = _ramp(cond * x, _uniform(n, 1, rng=rng))
    return Batch(1.7 * torch.cat([x, y], -1), cond)


def _ramp(slope: Tensor, u: Tensor) -> Tensor:
    """Quantiles of (1 + slope x) / 2 on (-1, 1) at `u` in (-1, 1)."""
    k = slope + 2 * u
    return k / (1 + (1 + slope * k).clamp(min=0).sqrt())


LAYERS = ((4, 2), (4, 2), (4, 2))


def cells(n: int, rng: torch.Generator) -> Batch:
    """Correlated Gaussian cells of 3 layers with 4 sectors and 2 rings; the means depend on condition and ring.

    A common term of the event, one of each layer, and white noise.
    """
    cond = _uniform(n, 1, rng=rng)
    profile = torch.tensor([0.6, 0.3, -0.4])[:, None, None] * torch.tensor([1.0, 0.5])
    x = cond[..., None, None] * profile + 0.5 * _normal(n, 1, 1, 1, rng=rng) + 0.4 * _normal(n, 3, 1, 1, rng=rng)
    return Batch((x + 0.6 * _normal(n, 3, 4, 2, rng=rng)).reshape(n, 24, 1), cond)


def arcs(n: int, rng: torch.Generator) -> Batch:
    """2 to 6 points each on a ring of radius 1.3 + 0.2 c and width 0.1, spread by 0.7 rad around a common direction."""
    cond = _uniform(n, 1, rng=rng)
    angle = math.pi * _uniform(n, 1, rng=rng) + 0.7 * _normal(n, 6, rng=rng)
    radius = 1.3 + 0.2 * cond + 0.1 * _normal(n, 6, rng=rng)
    points = radius[..., None] * torch.stack([angle.cos(), angle.sin()], -1)
    count = torch.randint(2, 7, (n, 1), generator=rng)
    mask = torch.arange(6) < count
    return Batch(points * mask[..., None], cond, mask=mask)


TARGETS: dict[str, Target] = {
    "mixture": Target(table(2), 1, mixture),
    "ring": Target(table(2), 1, ring),
    "ramp": Target(table(2), 1, ramp),
    "cells": Target(Space("grid", (24, 1), LAYERS), 1, cells),
    "arcs": Target(cloud(6, 2), 1, arcs, of_points),
}


def learn(method: Method, target: Target, steps: int = 1000, size: int = 512, lr: float = 2e-3, seed: int = 0) -> float:
    """Train all phases of `method` on fresh draws, `steps` optimiser steps each; returns the last phase's mean loss.

    AdamW with a rise and a cosine of the learning rate. The method is left in evaluation mode.
    """
    rng = torch.Generator().manual_seed(seed)
    recent: list[float] = []
    for phase in method.phases:
        method.train().begin_phase(phase, target.draw(8192, rng), rng)
        turns = method.turns(phase)
        optimisers = {turn: _optimiser(method, turn, lr) for turn in dict.fromkeys(turns)}
        recent = []
        for step, turn in enumerate(islice(cycle(turns), steps)):
            factor = min((step + 1) / (0.05 * steps + 1), 0.5 * (1 + math.cos(math.pi * step / steps)))
            optimiser = optimisers[turn]
            for group in optimiser.param_groups:
                group["lr"] = group["initial_lr"] * factor
            loss = torch.stack(list(method.losses(target.draw(size, rng), turn, rng).values())).sum()
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(method.parameters_of(turn), 1.0)
            optimiser.step()
            recent = [*recent[-99:], float(loss.detach())]
    method.eval()
    return sum(recent) / max(len(recent), 1)


def _optimiser(method: Method, turn: str, lr: float) -> torch.optim.AdamW:
    given = method.optimiser_of(turn)
    rate = lr * given.pop("lr_factor", 1.0)
    parameters = [{"params": method.parameters_of(turn), "initial_lr": rate}]
    return torch.optim.AdamW(parameters, **{"lr": rate, "weight_decay": 0.0, **given})


@dataclass(frozen=True)
class Distance:
    """How far a sample is from its target.

    Args:
        kpd, error: strict KPD of the features; 0 on average for a perfect sample.
        p_value: of the hypothesis that both are of one distribution, from permutations.
        w1, null: mean over the features of W1 in standard deviations, and what truth scores against truth.
    """

    kpd: float
    error: float
    p_value: float
    w1: float
    null: float


@torch.no_grad()
def generate(method: Method, batch: Batch, seed: int = 1) -> Batch:
    """A sample of `method` at the conditions, and for clouds the masks, of `batch`."""
    noise = draw_noise(method.noise_spec(len(batch)), torch.Generator().manual_seed(seed))
    return Batch(method.sample(batch.cond, noise, batch.mask), batch.cond, mask=batch.mask)


def distance(method: Method, target: Target, n: int = 10_000, seed: int = 1) -> Distance:
    """Distance of `n` generated events from `n` true ones at other conditions, the null from `n` more."""
    rng = torch.Generator().manual_seed(seed)
    truth, other, given = (target.draw(n, rng) for _ in range(3))
    reference, null, candidate = (
        target.features(batch).double().numpy() for batch in (truth, other, generate(method, given, seed))
    )
    found = kpd(reference, candidate, seed=seed)
    columns = range(reference.shape[1])
    near = [w1(reference[:, k], candidate[:, k], null=null[:, k], normalise=True) for k in columns]
    mean = [sum(values) / len(near) for values in ([s.value for s in near], [s.null for s in near])]
    return Distance(found.value, found.error, found.p_value, mean[0], mean[1])


def _normal(*shape: int, rng: torch.Generator) -> Tensor:
    return torch.randn(shape, generator=rng)


def _uniform(*shape: int, rng: torch.Generator) -> Tensor:
    """Uniform in (-1, 1)."""
    return 2 * torch.rand(shape, generator=rng) - 1
