"""Choosing among candidates by a learned ratio, on distributions whose ratio is known."""

from __future__ import annotations

import torch
from scipy import stats

from facsim.models.base import NoiseSpec
from facsim.models.selection import CHOICE, Selection, of_candidates


class _Exact(Selection):
    """The ratio of N(1, 1) to N(0, 1)."""

    def forward(self, summary: torch.Tensor) -> torch.Tensor:
        return summary[:, 0] - 0.5


def test_many_candidates_follow_the_true_distribution() -> None:
    rng = torch.Generator().manual_seed(1)
    n, k = 4000, 64
    drawn = torch.randn(n * k, 1, generator=rng)
    kept = _Exact(1).choose(drawn, torch.rand(n, k, generator=rng))
    assert torch.equal(kept // k, torch.arange(n))
    assert stats.kstest(drawn[kept, 0].numpy(), "norm", args=(1, 1)).pvalue > 0.01
    one = _Exact(1).choose(drawn[:n], torch.rand(n, 1, generator=rng))
    assert torch.equal(one, torch.arange(n))


def test_a_few_candidates_are_nearer_than_one() -> None:
    rng = torch.Generator().manual_seed(2)
    means = []
    for k in (1, 2, 4, 16):
        drawn = torch.randn(20_000 * k, 1, generator=rng)
        means.append(float(drawn[_Exact(1).choose(drawn, torch.rand(20_000, k, generator=rng))].mean()))
    assert means == sorted(means)
    assert abs(means[0]) < 0.03
    assert means[-1] > 0.85


def test_the_ratio_is_learned() -> None:
    torch.manual_seed(3)
    selection = Selection(2, width=32, dropout=0.0)
    true, drawn = torch.randn(20_000, 2) + torch.tensor([1.0, 0.0]), torch.randn(20_000, 2)
    selection.fit(true, drawn)
    optimiser = torch.optim.AdamW(selection.parameters(), lr=3e-3)
    for step in range(300):
        part = slice(step % 40 * 500, step % 40 * 500 + 500)
        optimiser.zero_grad()
        selection.loss(true[part], drawn[part]).backward()
        optimiser.step()
    at = torch.tensor([[-1.0, 0.0], [0.0, 1.0], [0.5, 0.0], [1.0, -1.0], [2.0, 0.0]])
    torch.testing.assert_close(selection(at), at[:, 0] - 0.5, atol=0.25, rtol=0)


def test_noise_of_candidates() -> None:
    specs = {"noise": NoiseSpec((5, 7, 1)), "pick": NoiseSpec((5,), "uniform")}
    assert of_candidates(specs, 5, None) == specs
    many = of_candidates(specs, 5, 3)
    assert many["noise"].shape == (5, 3, 7, 1)
    assert many["pick"] == NoiseSpec((5, 3), "uniform")
    assert many[CHOICE] == NoiseSpec((5, 3), "uniform")
