"""Tracks of other decays: truth, truth again and a surrogate at the same conditions, and what the two give."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from facsim.core.geometry import FloatArray
from facsim.core.rng import generator, integer_seed
from facsim.evaluate.ensemble import SurrogateEnsemble, ensemble_prediction
from facsim.evaluate.reweighting import Labelled, density_ratios
from facsim.evaluate.rich_coverage import Bins, Row
from facsim.evaluate.tasks import Sampler
from facsim.metrics.domain import ConditionDomain
from facsim.metrics.efficiency import binned_efficiency
from facsim.metrics.efficiency_ratio import EfficiencyRatio, bin_numbers, efficiency_ratio
from facsim.physics.rich import HYPOTHESES
from facsim.physics.rich_observables import MOMENTUM_EDGES, SELECTIONS, Selection, dll_quantities, ties
from facsim.simulate.rich import RichSimulation, SpeciesName
from facsim.simulate.rich_kinematics import species_of

BEYOND = (2.5, 1.0, 3.0)
"""Factors of momentum, pseudorapidity and occupancy of the sample `beyond`."""
EDGES = (*MOMENTUM_EDGES[:-1], np.inf)
FEWEST = 100.0
"""Effective tracks of a bin that counts for the coverage."""


class StabilitySettings(BaseModel):
    """Options of the section `apply`.

    Args:
        events: tracks of each species and kinematics.
        samples: where to go: `b-zero` and `b-plus` are decays, `beyond` are calibration tracks of 2.5 times the
            momentum in events with three times the tracks.
        members: run directories of further trainings of the same surrogate, by other seeds: the ensemble.
        outside: what to do with tracks outside of the training domain: `flag` counts them, `refuse` stops.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    events: int = Field(20_000, ge=1000)
    samples: tuple[Literal["calibration", "b-zero", "b-plus", "beyond"], ...] = ("b-zero", "b-plus", "beyond")
    members: tuple[str, ...] = ()
    outside: Literal["flag", "refuse"] = "flag"


@dataclass(frozen=True)
class Transfer:
    """Tracks of one species and sample: conditions (N, K) of the surrogate, which lie outside of the training domain,
    ratios by selection, and rows for the coverage."""

    sample: str
    species: str
    cond: FloatArray
    outside: NDArray[np.bool_]
    bins: dict[Selection, Bins]
    rows: list[Row]


@dataclass(frozen=True)
class Tracks:
    """DLLs of the tracks of one species at the same conditions: truth, truth again, the surrogate, other trainings of
    it; and what events of the surrogate weigh by a classifier that saw both where truth is known."""

    truth: FloatArray
    again: FloatArray
    surrogate: FloatArray
    members: list[FloatArray]
    ratio: FloatArray


def transfer(
    truth: RichSimulation,
    sampler: Sampler,
    domain: ConditionDomain,
    sample: str,
    settings: StabilitySettings,
    seed: int,
) -> list[Transfer]:
    """One for each species that the surrogate has and the tracks of `sample` can be of.

    Args:
        truth: what the surrogate was trained on. sampler: the surrogate. domain: of its training.
        sample: a name of kinematics, or `beyond`. settings: of the application. seed: of all random numbers.

    Raises:
        FacsimError: tracks outside of the domain that shall be refused, or members that are no runs.
    """
    kinematics = "calibration" if sample == "beyond" else sample
    ensemble = SurrogateEnsemble.load(settings.members).members if settings.members else []
    found = []
    for species in (name for name in truth.species if name in species_of(kinematics)):
        single = _single(truth, species, kinematics)
        rng = generator(seed, "stability", sample, species)
        drawn = single.generate(settings.events, rng)
        cond, x = drawn.cond, drawn.x
        if sample == "beyond":
            cond = cond * np.array(BEYOND)
            x = single.respond(cond, rng)
        wide = _columns(truth, species, cond)
        outside, _ = domain.guard(wide, settings.outside, "surrogate")
        made = np.asarray(sampler(wide, rng), dtype=np.float64)
        ratio = _ratios(truth, species, sampler, wide, made, integer_seed(seed, "reweighting", sample, species))
        others = [np.asarray(member.sample(wide, rng), dtype=np.float64) for member in ensemble]
        tracks = Tracks(_rounded(x), _rounded(single.respond(cond, rng)), made, others, ratio)
        found.append(_compared(sample, species, wide, outside, tracks))
    return found


def _single(truth: RichSimulation, species: SpeciesName, kinematics: str, background: float = 0.0) -> RichSimulation:
    return RichSimulation.model_validate(
        {
            "events": 1,
            "species": [species],
            "kinematics": kinematics,
            "occupancy": truth.occupancy,
            "background": background,
        }
    )


def _rounded(x: NDArray[Any]) -> FloatArray:
    """As files keep them, so that cuts fall alike."""
    return np.asarray(np.asarray(x, dtype=np.float32), dtype=np.float64)


def _columns(truth: RichSimulation, species: str, cond: FloatArray) -> FloatArray:
    """Conditions as the surrogate has them: with a column for each species where it has several."""
    if len(truth.species) == 1:
        return cond
    return np.column_stack([cond, *(np.full(len(cond), float(name == species)) for name in truth.species)])


def _features(cond: FloatArray, dlls: FloatArray) -> FloatArray:
    """What the classifier sees."""
    kinematic = np.column_stack([np.log(cond[:, 0]), cond[:, 1:3]])
    marks = [ties(dlls, "k", "p"), ties(dlls, "p", "bt")]
    return np.column_stack([kinematic, dll_quantities(dlls), *marks])


def _ratios(
    truth: RichSimulation, species: SpeciesName, sampler: Sampler, cond: FloatArray, made: FloatArray, seed: int
) -> FloatArray:
    """p_truth / p_surrogate at the surrogate's tracks, from calibration tracks with the background of the training."""
    rng = generator(seed, "calibration")
    known = _single(truth, species, "calibration", truth.background).generate(len(cond), rng)
    wide = _columns(truth, species, known.cond)
    again = np.asarray(sampler(wide, rng), dtype=np.float64)
    reference = Labelled(_features(known.cond, _rounded(known.x)), known.weight)
    generated = Labelled(_features(known.cond, again), known.weight)
    return density_ratios(reference, generated, Labelled(_features(cond, made)), seed)


def _compared(sample: str, species: str, cond: FloatArray, outside: NDArray[np.bool_], tracks: Tracks) -> Transfer:
    place = bin_numbers(cond[:, 0], EDGES)
    zeros = np.zeros(len(cond), dtype=np.int64)
    bins, rows = {}, []
    for selection in (s for s in SELECTIONS if s.species == species):
        passed, again, made = (_passed(x, selection) for x in (tracks.truth, tracks.again, tracks.surrogate))

        def ratio(other: NDArray[np.bool_], where: NDArray[np.int64], n: int, base: Any = passed) -> EfficiencyRatio:
            return efficiency_ratio(base, other, where, where, n, paired=True)

        n = len(EDGES) - 1
        bins[selection] = Bins(
            ratio(made, zeros, 1), ratio(made, place, n), ratio(again, zeros, 1), ratio(again, place, n)
        )
        rows += list(_rows(selection, cond[:, 0], outside, tracks))
    return Transfer(sample, species, cond, outside, bins, rows)


def _passed(dlls: FloatArray, selection: Selection) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = dlls[:, HYPOTHESES.index(selection.hypothesis)] > selection.cut
    return found


def _rows(selection: Selection, momentum: FloatArray, outside: NDArray[np.bool_], tracks: Tracks) -> Iterator[Row]:
    """Bins of momentum with enough tracks, of those inside and of those outside of the domain."""
    for inside in (True, False):
        part = outside != inside
        by = momentum[part]

        def binned(dlls: FloatArray, weight: FloatArray | None = None, rows: Any = part, by: Any = by) -> Any:
            return binned_efficiency(_passed(dlls[rows], selection), by, EDGES, weight)

        truth, made = binned(tracks.truth), binned(tracks.surrogate)
        moved = binned(tracks.surrogate, tracks.ratio[part])
        spread = np.full(len(truth.value), np.nan)
        if tracks.members:
            each = [binned(x) for x in tracks.members]
            spread = ensemble_prediction(np.stack([b.value for b in each]), np.stack([b.error for b in each])).model
        for k in np.flatnonzero(np.minimum(truth.events, made.events) >= FEWEST):
            least = 1 / (truth.events[k] + 2)
            error = float(np.hypot(max(truth.error[k], least), max(made.error[k], least)))
            shift = float(moved.value[k] - made.value[k])
            yield Row(inside, float(made.value[k] - truth.value[k]), error, shift, float(spread[k]))
