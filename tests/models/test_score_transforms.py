"""What students learn: functions that rise, in closed form, and outliers made of background."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from facsim.core.errors import FacsimError
from facsim.core.image import regular_image
from facsim.models.image_turns import round_axis, turned
from facsim.models.outliers import mixed
from facsim.models.score_transforms import TRANSFORMS, Rank, Rarity


def drawn(n: int = 4000) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(1).exponential(size=n)).float()


@pytest.mark.parametrize("name", sorted(TRANSFORMS))
def test_transforms_rise(name: str) -> None:
    transform = TRANSFORMS[name]()
    transform.fit(drawn())
    found = transform(torch.linspace(0.05, 30, 200))
    assert bool((found.diff() > (-1e-9 if name == "quantised" else 0)).all())
    restored = TRANSFORMS[name]()
    restored.load_state_dict(transform.state_dict())
    assert torch.equal(restored(drawn()), transform(drawn()))


def test_the_rank_of_exponential_scores_is_the_score() -> None:
    """-ln of the share above x is x for an exponential of mean 1, beyond the last event too."""
    rank = Rank()
    rank.fit(drawn(200_000))
    x = torch.tensor([0.1, 1.0, 4.0, 8.0])
    assert rank(x).numpy() == pytest.approx(x.numpy(), rel=0.03, abs=0.02)
    assert float(rank(torch.tensor(18.0))) == pytest.approx(18, abs=4)
    rank.fit(drawn(100), weight=None)
    weighted = Rank()
    weighted.fit(torch.cat([drawn(100), torch.full((50,), 99.0)]), torch.cat([torch.ones(100), torch.zeros(50)]))
    assert weighted(torch.tensor([0.5, 2.0])).numpy() == pytest.approx(rank(torch.tensor([0.5, 2.0])).numpy(), abs=0.05)


def test_logarithms_square_roots_and_steps() -> None:
    scores = torch.tensor([0.0, math.e, math.e**2, math.e**20])
    found = {}
    for name in ("log", "sqrt", "quantised"):
        transform = TRANSFORMS[name]()
        transform.fit(scores[:3])
        found[name] = transform(scores).tolist()
    assert found["log"] == pytest.approx([1, 1, 2, 20])
    assert found["sqrt"][2] == pytest.approx(math.e)
    assert found["quantised"] == pytest.approx([0, 0, 32, 256 - 1 / 256], abs=1 / 256)
    assert all((256 * value).is_integer() for value in found["quantised"])


def test_scores_without_logarithm_or_root_are_refused() -> None:
    for name in ("log", "quantised", "sqrt"):
        with pytest.raises(FacsimError, match="choose the transform 'rank' or 'none'"):
            TRANSFORMS[name]().fit(torch.tensor([-1.0, 2.0]))


def test_with_a_tail_of_one_each_power_of_ten_counts_alike() -> None:
    scores, rarity = drawn(100_000), Rarity(1.0)
    rarity.fit(scores)
    weight = rarity(scores)
    assert float(weight.mean()) == pytest.approx(1, rel=1e-4)
    sums = [float(weight[(scores > low) & (scores <= low + math.log(10))].sum()) for low in (0, 2.303, 4.605)]
    assert sums == pytest.approx([np.mean(sums)] * 3, rel=0.1)
    plain = Rarity(0.0)
    plain.fit(scores)
    assert bool((plain(scores) == 1).all())


def test_mixed_events_are_new_and_made_of_background() -> None:
    rng = np.random.default_rng(2)
    x = torch.from_numpy(rng.exponential(size=(300, 40, 2)) * (rng.random((300, 40, 2)) < 0.2)).float()
    made = mixed(x, torch.Generator().manual_seed(1))
    assert torch.equal(made, mixed(x, torch.Generator().manual_seed(1)))
    assert not torch.equal(made, mixed(x, torch.Generator().manual_seed(2)))
    assert bool((made >= 0).all())
    assert bool((made != x).flatten(1).any(1).float().mean() > 0.97)
    hits = (made > 0).flatten(1).sum(1).float() / (x > 0).flatten(1).sum(1)
    assert 0.3 < float((hits > 1).float().mean()) < 0.8
    assert float((hits < 1).float().mean()) > 0.15
    assert mixed(x[:1]).shape == (1, 40, 2)


def test_only_round_images_are_turned_and_energies_stay() -> None:
    whole = regular_image("round", (-math.pi, math.pi, 8), (-2, 2, 6), units=("rad", ""))
    part = regular_image("part", (0, 1, 8), (-2, 2, 6), units=("rad", ""))
    across = regular_image("across", (-2, 2, 6), (-math.pi, math.pi, 8), units=("", "rad"))
    assert [round_axis(geometry) for geometry in (whole, part, across)] == [0, None, 1]
    x, rng = torch.rand(3, 48, 2), torch.Generator().manual_seed(3)
    assert torch.equal(turned(x, part, rng), x)
    sets = [tuple(turned(x, whole, rng)[0, :, 0].tolist()) for _ in range(60)]
    assert len(set(sets)) == 16
    assert all(sorted(one) == sorted(sets[0]) for one in sets)
    column = x.reshape(3, 6, 8, 2).sum(2).sort(1).values
    assert torch.allclose(turned(x, across, rng).reshape(3, 6, 8, 2).sum(2).sort(1).values, column, atol=1e-5)
