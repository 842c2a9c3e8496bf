"""Parts by range of a condition: ranges, windows, order, and priors of different covariance."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from facsim.core.errors import FacsimError
from facsim.models.choices import Choice
from facsim.models.methods import method_options
from facsim.models.nets.bins import FEWEST, ConditionBins
from facsim.models.nets.prior import LARGEST_IN_BINS, BinnedPrior, build_prior
from facsim.models.space import Space, table


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 6), st.integers(0, 50), st.integers(0, 10_000))
def test_every_event_goes_through_the_part_of_its_range_and_keeps_its_place(bins: int, n: int, seed: int) -> None:
    rng = torch.Generator().manual_seed(seed)
    ranges = ConditionBins(bins)
    ranges.fit(torch.rand(200, generator=rng))
    values = 1.4 * torch.rand(n, generator=rng) - 0.2
    out = ranges.by_range(values, [lambda x, k=k: 10 * k + x for k in range(bins)], values)  # type: ignore[misc]
    torch.testing.assert_close(out, values + 10 * (values[:, None] > ranges.edges).sum(1))


def test_ranges_hold_equally_many_and_windows_lie_about_them() -> None:
    values = torch.rand(4 * FEWEST, generator=torch.Generator().manual_seed(1))
    ranges = ConditionBins(4)
    ranges.fit(values)
    windows = list(ranges.windows(values))
    index = (values[:, None] > ranges.edges).sum(1)
    assert torch.bincount(index).tolist() == [FEWEST] * 4
    for k, rows in enumerate(windows):
        assert (index[rows] == k).all()


@pytest.mark.parametrize("n", [1, 3, 100, FEWEST + 1])
def test_few_events_serve_all_ranges(n: int) -> None:
    ranges = ConditionBins(4)
    values = torch.arange(n).float()
    ranges.fit(values)
    windows = list(ranges.windows(values))
    for rows in windows:
        assert len(rows) == min(n, FEWEST)
        assert rows.max() < n
    fitted: list[int] = []
    parts = [torch.nn.Linear(1, 1) for _ in windows]
    ranges.fit_parts(values, parts, lambda part, rows: fitted.append(len(rows)))
    assert len(fitted) == len({tuple(rows.tolist()) for rows in windows})
    if n <= FEWEST:  # all are as the first, which alone was fitted
        assert all(torch.equal(part.weight, parts[0].weight) for part in parts)


def test_priors_have_the_covariance_of_their_range() -> None:
    rng = torch.Generator().manual_seed(2)
    n = 8 * FEWEST
    cond = torch.rand(n, 2, generator=rng)
    sign = torch.where(cond[:, 0] > 0.5, 1.0, -1.0)
    x = torch.randn(n, 2, generator=rng)
    x[:, 1] = 0.8 * sign * x[:, 0] + 0.6 * x[:, 1]
    prior = BinnedPrior(table(2), 2)
    prior.fit(x, cond)
    drawn = prior(torch.randn(n, 2, generator=rng), cond)
    for side in (sign > 0, sign < 0):
        torch.testing.assert_close(drawn[side].T.cov(), x[side].T.cov(), atol=0.05, rtol=0)
    layered = prior(torch.randn(n, 2, generator=rng), cond[:, None].expand(-1, 3, -1))
    torch.testing.assert_close(layered[sign > 0].T.cov(), drawn[sign > 0].T.cov(), atol=0.05, rtol=0)


def test_large_events_share_one_covariance_and_other_priors_take_no_ranges() -> None:
    large = Space("grid", (LARGEST_IN_BINS + 1, 1))
    prior = build_prior("gaussian", large, 4)
    assert isinstance(prior, BinnedPrior)
    assert len(prior.of) == 1
    with pytest.raises(FacsimError, match=r"prior_bins are of the prior 'gaussian', and there is none in 'white'"):
        method_options(Choice(name="flow-matching", prior_bins=2))
