"""Copies of training events among tables with atoms, images and clouds are found; equal discrete values are none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from facsim.core.errors import FacsimError
from facsim.core.events import Events, make_events
from facsim.core.image import ImageGeometry
from facsim.core.schema import Feature, Schema
from facsim.core.sources import MemorySource
from facsim.evaluate.event_memory import PROTOCOL, EventMemory, keys_of
from facsim.evaluate.physics_judge import PhysicsJudge
from facsim.evaluate.rich_physics import RichPhysics
from facsim.evaluate.scorecard import ScorecardOptions
from facsim.simulate.neighbours import Nearest
from facsim.simulate.rich import RichSimulation

Draw = Callable[[int, int], Events]
IMAGE = ImageGeometry("pads", tuple(range(9)), tuple(range(17)), ("pad", "time bucket"))


def rich(n: int, seed: int) -> Events:
    simulation = RichSimulation(events=1, species=("k", "pi"))
    drawn = simulation.generate(n, np.random.default_rng(seed))
    return make_events(simulation.schema_of(), drawn.x.astype(np.float32), drawn.cond, seed * 100_000)


def atoms(n: int, seed: int) -> Events:
    """Half of the events are discrete, from many combinations of which some are rare."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 3))
    discrete = rng.random(n) < 0.5
    x[discrete] = rng.poisson(6.0, (int(discrete.sum()), 3))
    schema = Schema("table", (Feature("a"), Feature("b"), Feature("c")), (Feature("p", "GeV"),))
    return make_events(schema, x.astype(np.float32), rng.uniform(1, 2, (n, 1)), seed * 100_000)


def images(n: int, seed: int) -> Events:
    """Blobs of whole numbers in 8 x 16 cells, many of them empty."""
    rng = np.random.default_rng(seed)
    centre = rng.uniform([2, 4], [6, 12], (n, 2))
    rows, columns = np.mgrid[:8, :16]
    distance = (rows - centre[:, 0, None, None]) ** 2 + (columns - centre[:, 1, None, None]) ** 2 / 2
    mean = rng.gamma(2.0, 20.0, (n, 1, 1)) * np.exp(-distance)
    x = rng.poisson(np.where(rng.random((n, 1, 1)) < 0.1, 0.0, mean)).astype(np.float32)
    schema = Schema("grid", (Feature("charge", "ADC"),), (Feature("p", "GeV"),), IMAGE)
    return make_events(schema, x.reshape(n, -1, 1), rng.uniform(1, 2, (n, 1)), seed * 100_000)


def clouds(n: int, seed: int) -> Events:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 12, 3)).astype(np.float32)
    x[..., 2] = np.exp(x[..., 2])
    mask = np.arange(12) < rng.integers(1, 13, (n, 1))
    schema = Schema("cloud", (Feature("eta"), Feature("phi", "rad"), Feature("pt", "GeV")), (Feature("p", "GeV"),))
    x = np.where(mask[..., None], x, 0)
    return make_events(schema, x, rng.uniform(1, 2, (n, 1)), seed * 100_000, mask=mask)


def memory(draw: Draw, train: int = 2500) -> EventMemory:
    sources = [MemorySource(draw(n, seed)) for n, seed in ((train, 1), (1500, 2), (800, 3))]
    return EventMemory(*sources, seed=1, most=500)


def turned(events: Events) -> Events:
    """The points of each cloud in another order, with more padding."""
    rng = np.random.default_rng(9)
    x, mask = np.zeros((len(events), 20, 3), np.float32), np.zeros((len(events), 20), bool)
    for k in range(len(events)):
        places = rng.choice(20, 12, replace=False)
        assert events.mask is not None
        x[k, places], mask[k, places] = events.x[k], events.mask[k]
    return replace(events, x=x, mask=mask)


@pytest.mark.parametrize("draw", [rich, atoms, images, clouds])
def test_fresh_truth_passes_and_copies_are_caught(draw: Draw) -> None:
    check = memory(draw)
    fresh = {score.name: score for score in check.scores(MemorySource(draw(800, 4)))}
    assert fresh["memorisation"].status == "ok"
    assert fresh["memorisation"].protocol == PROTOCOL
    for name in ("memorisation/copies", "memorisation/exact", "memorisation/close", "duplicates"):
        assert abs(fresh[name].z) < 4, name
    copies = draw(2500, 1)[np.random.default_rng(5).integers(0, 2500, 800)]
    if draw is clouds:
        copies = turned(copies)
    found = {score.name: score for score in check.scores(MemorySource(copies), "tracks", resamples_truth=True)}
    assert found["memorisation"].status == "failed"
    assert "a positive control" in found["memorisation"].note
    assert max(found["memorisation/copies"].z, found["memorisation/exact"].z) > 8


def test_a_tenth_of_slightly_smeared_copies_is_caught() -> None:
    mixed = rich(800, 4)
    x = mixed.x.copy()
    x[:80] = rich(2500, 1).x[:80] * 1.00001
    first = memory(rich).scores(MemorySource(replace(mixed, x=x)))[0]
    assert first.status == "failed"


def test_scaled_images_are_copies() -> None:
    copies = images(2500, 1)[np.arange(800)]
    found = {s.name: s for s in memory(images).scores(MemorySource(replace(copies, x=copies.x * 1.3)))}
    assert found["memorisation/exact"].value < 0.2
    assert found["memorisation"].status == "failed"


def test_equal_discrete_values_are_no_copies() -> None:
    def dice(n: int, seed: int) -> Events:
        x = np.random.default_rng(seed).integers(0, 5, (n, 2)).astype(np.float32)
        return make_events(Schema("table", (Feature("a"), Feature("b"))), x, np.zeros((n, 0)), seed * 100_000)

    check = memory(dice)
    for events in (dice(800, 4), dice(2500, 1)[np.arange(800)]):
        found = {score.name: score for score in check.scores(MemorySource(events))}
        assert found["memorisation/exact"].value == found["memorisation/copies"].value == 0
        assert found["memorisation"].status == "underpowered"
        assert "most values are discrete" in found["memorisation"].note


def test_too_smooth_is_no_copy() -> None:
    narrow = clouds(800, 4)
    found = memory(clouds).scores(MemorySource(replace(narrow, x=narrow.x * 0.5)))
    assert found[0].status == "ok"


def test_keys_know_no_order_and_no_padding() -> None:
    events = clouds(50, 1)
    first = keys_of(MemorySource(events))
    assert len(np.unique(first)) == 50
    np.testing.assert_array_equal(first, keys_of(MemorySource(turned(events))))
    changed = events.x.copy()
    changed[0, 0, 0] += 1e-3
    assert (keys_of(MemorySource(replace(events, x=changed))) != first).sum() == 1
    signed = atoms(20, 1)
    zeros = replace(signed, x=np.zeros_like(signed.x))
    np.testing.assert_array_equal(keys_of(MemorySource(zeros)), keys_of(MemorySource(replace(zeros, x=-zeros.x))))


def test_nothing_to_compare_with_is_told() -> None:
    full, empty = MemorySource(atoms(60, 1)), MemorySource(atoms(0, 1))
    with pytest.raises(FacsimError, match="the training sample is empty"):
        EventMemory(empty, full, full, seed=1)


def test_the_judge_of_a_task_catches_the_nearest_training_events() -> None:
    """The classifier cannot: the baseline hands out truth."""
    train, a, b = (MemorySource(rich(n, seed)) for n, seed in ((2500, 1), (1200, 2), (1200, 3)))
    judge = PhysicsJudge(RichPhysics(), a, b, train, seed=1, options=ScorecardOptions(1, 800, 500))
    baseline = Nearest.fit(train, 1)
    cond = b.read(0, 1200).cond
    drawn = baseline.sample(cond, np.random.default_rng(1))
    copied = make_events(a.schema, drawn.x, cond, 900_000)
    card, _ = judge.judge("nearest", MemorySource(copied), kind="baseline", resamples_truth=True)
    assert card.score("auc_high").value < 0.6
    assert card.score("memorisation").status == "failed"
    assert card.score("memorisation/exact").null < 0.1
    assert card.validity["shared_with_truth"] == 0
    card, _ = judge.judge("truth", MemorySource(rich(1200, 4)))
    assert card.score("memorisation").status == "ok"
    mixed = rich(1200, 2)
    mixed.x[::2] = b.read(0, 1200).x[::2]
    card, _ = judge.judge("truth itself", MemorySource(mixed))
    assert card.validity["shared_with_truth"] == 1200
    assert card.score("auc_high").status in ("suspicious", "underpowered")
    assert "are tracks of truth itself" in card.notes[0]
    without = PhysicsJudge(RichPhysics(), a, b, seed=1, options=ScorecardOptions(1, 300, 500))
    card, _ = without.judge("truth", MemorySource(rich(1200, 4)))
    assert any("no memorisation check" in note for note in card.notes)
    less = replace(a.schema, conditions=a.schema.conditions[:3])
    other = replace(rich(100, 5), schema=less, cond=rich(100, 5).cond[:, :3])
    with pytest.raises(FacsimError, match=r"the generated sample \['P', 'eta', 'nTracks'\]"):
        judge.take(MemorySource(other), "generated")
