"""What is studied: a Gaussian toy, jets, showers. Each gives a reference, a second truth sample, and distorted ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from facsim.core.errors import FacsimError
from facsim.core.events import Events, EventSource
from facsim.core.sources import MemorySource
from facsim.data.jetnet import is_jets
from facsim.evaluate.jet_toys import (
    JET_DISTORTIONS,
    PUBLISHED_JETS,
    PUBLISHED_VALUES,
    JetArray,
    distorted,
    relative_mass,
)
from facsim.evaluate.study_metrics import OTHER_DISTANCES, Measure, Sample
from facsim.evaluate.toys import PUBLISHED, TOY_TRUTH, TOYS, distortions_of, hottest_layer
from facsim.physics.calo import collect
from facsim.physics.jets import efps

FEWEST_EVENTS = 50
TRUTH = "truth"
Published = Mapping[str, tuple[float, ...]]


@dataclass(frozen=True)
class Study:
    """Samples with known differences.

    Attributes:
        kind: `toy`, `jets` or `showers`, the branch of the seed.
        title: what the events are.
        events: of a sample.
        alternatives: names of the differences, in the order of `published`.
        draw: with a generator, the names and samples of one repeat: the reference, then `truth`, then the alternatives.
        conditions: how many of the first features are known before simulation.
        more: metrics beside those that every study has.
        published: significances of others by metric, and `published_values` their values.
    """

    kind: str
    title: str
    events: int
    alternatives: tuple[str, ...]
    draw: Callable[[np.random.Generator], Iterator[tuple[str, Sample]]]
    conditions: int = 0
    more: Mapping[str, Measure] = field(default_factory=dict)
    published: Published = field(default_factory=dict)
    published_values: Published = field(default_factory=dict)


def toy_study(events: int) -> Study:
    """The Gaussian toy of arXiv 2211.10295; every repeat has fresh samples."""

    def draw(rng: np.random.Generator) -> Iterator[tuple[str, Sample]]:
        yield "reference", Sample(TOY_TRUTH(events, rng))
        for name, toy in {TRUTH: TOY_TRUTH, **TOYS}.items():
            yield name, Sample(toy(events, rng))

    title = "Gaussian toy of arXiv 2211.10295"
    return Study("toy", title, events, tuple(TOYS), draw, more=OTHER_DISTANCES, published=PUBLISHED)


def source_study(source: EventSource, events: int, name: str = "") -> Study:
    """Jets or showers of a source, as its schema says, distorted; read into memory no further than needed.

    Raises:
        FacsimError: too few events, or events that are neither JetNet's jets nor showers on a cylinder.
    """
    if is_jets(source.schema):
        study, parts = _jet_study, 3
    elif source.schema.geometry is not None:
        study, parts = _shower_study, 2
    else:
        raise FacsimError(
            f"a study of metrics needs showers with a geometry or jets in JetNet's form, "
            f"not a {source.schema.representation} of {[feature.name for feature in source.schema.features]}."
        )
    n = min(events, len(source) // parts)
    if n < FEWEST_EVENTS:
        raise FacsimError(f"a study of these events needs at least {parts * FEWEST_EVENTS} of them, not {len(source)}.")
    return study(source.read(0, parts * n), n, name)


def _jet_study(events: Events, n: int, name: str) -> Study:
    """A third is the reference; of the rest, particles of one half are distorted, or a half is drawn by mass."""
    jets = events.x.astype(np.float64)

    def draw(rng: np.random.Generator) -> Iterator[tuple[str, Sample]]:
        shuffled = jets[rng.permutation(len(jets))]
        reference, pool = shuffled[:n], shuffled[n:]
        yield "reference", _of_jets(reference)
        yield TRUTH, _of_jets(pool[:n])
        for alternative in JET_DISTORTIONS:
            yield alternative, _of_jets(distorted(alternative, pool, n, rng))

    title = f"Distorted {name} jets".replace("  ", " ")
    return Study(
        "jets",
        title,
        n,
        JET_DISTORTIONS,
        draw,
        more=OTHER_DISTANCES,
        published=PUBLISHED_JETS,
        published_values=PUBLISHED_VALUES,
    )


def _of_jets(jets: JetArray) -> Sample:
    return Sample(efps(jets), {"mass": relative_mass(jets)})


def _shower_study(events: Events, n: int, name: str) -> Study:
    """A half is the reference; the other half is distorted. See `_of_showers`."""
    layer = hottest_layer(events)
    distortions = distortions_of(events.schema)

    def draw(rng: np.random.Generator) -> Iterator[tuple[str, Sample]]:
        order = rng.permutation(len(events))
        second = events[np.sort(order[n:])]
        yield "reference", _of_showers(events[np.sort(order[:n])], layer)
        yield TRUTH, _of_showers(second, layer)
        for alternative, distort in distortions.items():
            yield alternative, _of_showers(distort(second, rng), layer)

    return Study("showers", f"Distorted showers{name and ' of ' + name}", n, tuple(distortions), draw, conditions=1)


def _of_showers(events: Events, layer: int) -> Sample:
    """The high-level vector and the response; one by one: response, mean radius (mm), share of one layer's energy."""
    obs = (seen := collect(MemorySource(events), max(len(events), 1))).obs
    total = np.maximum(obs["e_total"], np.finfo(np.float32).tiny)
    observables = {
        "response": obs["e_ratio"],
        "radius": (obs["e_layer"] * obs["ec_r"]).sum(axis=1) / total,
        "peak_layer": obs["e_layer"][:, layer] / total,
    }
    return Sample(np.column_stack([seen.features, obs["e_ratio"]]).astype(np.float64), observables)
