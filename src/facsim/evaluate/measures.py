"""All numbers that compare one sample of showers with a reference, without their nulls."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from facsim.evaluate import families
from facsim.evaluate.sample import ShowerSample
from facsim.metrics.classifier import FEWEST_EVENTS, PROTOCOL, C2STResult, classifier_test
from facsim.metrics.correlation import correlation_distance
from facsim.metrics.equivalent import FEWEST as FEWEST_CANDIDATES
from facsim.metrics.equivalent import FEWEST_TRUTH, equivalent_size
from facsim.metrics.frechet import MIN_SAMPLES, fpd
from facsim.metrics.kernel import BATCH_SIZE, kpd
from facsim.metrics.protocols import CHALLENGE, STRICT
from facsim.metrics.score import Score
from facsim.metrics.triangular import separation_of_spectra
from facsim.physics.observables import OBSERVABLES

Key = tuple[str, str, str]
"""Name, protocol and region of a score."""

AUCS = ("auc_high", "auc_cells")
NETWORK = "auc_network"
WORST = "worst"
CONTROL_SIGMAS = 2.0
SEEN_SIGMAS = 3.0
PERMUTATIONS = 199
FEWEST_IN_REGION = 2 * FEWEST_EVENTS


class Binned(Protocol):
    """A sample of which a classifier saw the events `picked` (n,), and that knows which lie in a region."""

    @property
    def picked(self) -> NDArray[np.int64]: ...

    def inside(self, low: float, high: float) -> NDArray[np.bool_]: ...


@dataclass(frozen=True)
class Measured:
    """One number; fields as in `metrics.score.Score`, `counts` the events behind it."""

    value: float
    error: float
    counts: tuple[int, int]
    status: str = "ok"
    note: str = ""
    better: str = "lower"
    p_value: float = math.nan


@dataclass(frozen=True)
class Measures:
    """Numbers of one comparison by name, protocol and region; `curves` by score name: value of each layer or ring;
    `tests`: the classifier tests behind the AUCs."""

    numbers: dict[Key, Measured] = field(default_factory=dict)
    curves: dict[str, tuple[list[int], list[float]]] = field(default_factory=dict)
    tests: dict[str, C2STResult] = field(default_factory=dict)


@dataclass(frozen=True)
class Regions:
    """Bins of incident energy: names and edges in MeV; showers outside belong to the first or last bin."""

    edges: tuple[float, ...]

    @classmethod
    def quantiles(cls, e_inc: NDArray[np.float64], bins: int) -> Regions:
        """Up to `bins` bins of equal population; none when the energy takes one value only."""
        edges = np.unique(np.quantile(e_inc, np.linspace(0, 1, bins + 1)))
        return cls(tuple(float(edge) for edge in edges) if len(edges) > 2 else ())

    def bounds(self) -> Iterator[tuple[str, float, float]]:
        """Name, lower and upper bound (MeV) of each bin."""
        last = len(self.edges) - 2
        for k in range(len(self.edges) - 1):
            low = -math.inf if k == 0 else self.edges[k]
            yield f"E{k + 1}", low, math.inf if k == last else self.edges[k + 1]


def control_seen(control: Measured | None, null: Measured | None) -> bool:
    """Whether a test sees its positive control: 2 standard errors above truth against truth."""
    if control is None or null is None:
        return False
    return control.value - null.value >= CONTROL_SIGMAS * math.hypot(control.error, null.error)


def as_score(
    key: Key, number: Measured, null: Measured | None, seed: int, control: Measured | None = None, defect: str = ""
) -> Score:
    """A number beside its null. An AUC that is not clear of truth means nothing where its control, the known `defect`,
    is not seen either."""
    truth = null or Measured(math.nan, math.nan, (0, 0))
    status, note = number.status, number.note
    if key[0] in (*AUCS, NETWORK):
        clear = number.value - truth.value > SEEN_SIGMAS * math.hypot(number.error, truth.error)
        if not control_seen(control, null) and not clear:
            status = "underpowered"
        if control is not None:
            note = f"Positive control ({defect}): {control.value:.3f} ± {control.error:.3f}. {note}"
    name, protocol, region = key
    return Score(
        name,
        protocol,
        number.value,
        number.error,
        truth.value,
        truth.error,
        *number.counts,
        seed,
        region,
        status,
        number.better,
        note.strip(),
        number.p_value,
    )


def measure(a: ShowerSample, b: ShowerSample, regions: Regions, seed: int, community: bool = True) -> Measures:
    """Everything that is known about sample `b` against the reference `a`.

    `community`: whether the batched protocols of FPD and KPD are computed where there are enough showers.
    """
    found = Measures()
    found.tests.update(classifiers(a, b, seed))
    for name, result in found.tests.items():
        found.numbers.update(auc_numbers(name, result, a, b, regions))
    _observables(found, a, b, "all")
    _pooled(found, a, b, seed)
    _distances(found, a, b, seed, "all", np.ones(len(a), dtype=bool), np.ones(len(b), dtype=bool))
    batched_distances(found, a, b, seed, community)
    for region, low, high in regions.bounds():
        in_a, in_b = a.inside(low, high), b.inside(low, high)
        if min(in_a.sum(), in_b.sum()) < FEWEST_IN_REGION:
            continue
        _observables(found, a, b, region, in_a, in_b)
        _distances(found, a, b, seed, region, in_a, in_b)
    return found


def classifiers(a: ShowerSample, b: ShowerSample, seed: int) -> dict[str, C2STResult]:
    """The two classifier tests, on the subsets that classifiers see."""
    high = (a.features[a.picked], b.features[b.picked])
    return {
        name: classifier_test(x, y, seed, a.groups, b.groups, conditions=1)
        for name, (x, y) in (("auc_high", high), ("auc_cells", (a.cells, b.cells)))
    }


def auc_numbers(name: str, result: C2STResult, a: Binned, b: Binned, regions: Regions) -> dict[Key, Measured]:
    """AUC of one test over all energies, in each bin, and in the bin where it is largest."""
    counts = (len(result.scores_a), len(result.scores_b))
    note = f"{result.architecture}; trained on {result.n_train}; likelihood-ratio accuracy {result.accuracy:.3f}."
    found = {(name, PROTOCOL, "all"): Measured(result.auc, result.error, counts, note=note)}
    for region, low, high in regions.bounds():
        in_a, in_b = a.inside(low, high)[a.picked], b.inside(low, high)[b.picked]
        auc, error = result.region(in_a, in_b)
        counts = (int(in_a.sum()), int(in_b.sum()))
        if min(counts) >= FEWEST_IN_REGION:
            found[name, PROTOCOL, region] = Measured(auc, error, counts)
    binned = [(region, number) for (_, _, region), number in found.items() if region != "all"]
    if binned:
        region, worst = max(binned, key=lambda pair: pair[1].value)
        found[name, PROTOCOL, WORST] = Measured(worst.value, worst.error, worst.counts, note=f"largest in {region}.")
    return found


def _observables(
    found: Measures,
    a: ShowerSample,
    b: ShowerSample,
    region: str,
    in_a: NDArray[np.bool_] | None = None,
    in_b: NDArray[np.bool_] | None = None,
) -> None:
    """Separation power and W1 of every observable; bins of energy in the strict protocol only."""
    x = a.observations if in_a is None else a.observations.select(in_a)
    y = b.observations if in_b is None else b.observations.select(in_b)
    counts = (len(x), len(y))
    for observable in OBSERVABLES.values():
        scores = {("separation", STRICT): families.separation(observable, x, y, STRICT)}
        if region == "all":
            scores["separation", CHALLENGE] = families.separation(observable, x, y, CHALLENGE)
        scores["w1", STRICT] = families.wasserstein(observable, x, y)
        for (kind, protocol), family in scores.items():
            if family is None:
                continue
            name = f"{kind}/{observable.name}"
            found.numbers[name, protocol, region] = Measured(family.value, family.error, counts)
            if region == "all" and protocol == STRICT and observable.per != "shower":
                found.curves[name] = (family.indices, family.values)


def _pooled(found: Measures, a: ShowerSample, b: ShowerSample, seed: int) -> None:
    """Cell spectrum and correlations of layers."""
    x, y = a.observations, b.observations
    counts = (len(x), len(y))
    value, error = separation_of_spectra(x.cell_blocks, y.cell_blocks, STRICT, seed=seed)
    found.numbers["separation/cells", STRICT, "all"] = Measured(value, error, counts)
    if a.geometry.n_layers > 1:
        distance = correlation_distance(x.obs["e_layer"], y.obs["e_layer"], seed=seed, permutations=PERMUTATIONS)
        found.numbers["correlation/e_layer", STRICT, "all"] = Measured(*distance, counts, p_value=distance.p_value)
    if len(x) >= FEWEST_TRUTH and len(y) >= FEWEST_CANDIDATES:
        energies = [np.column_stack([s.obs["e_ratio"], s.obs["e_layer"]]) for s in (x, y)]
        size, error, cap = equivalent_size(energies[0], energies[1], seed=seed)
        note = "truth showers whose layer energies come as close to truth's" + (
            f"; at most {cap:.0f} can be told." if size >= cap else "."
        )
        found.numbers["equivalent_size/e_layer", STRICT, "all"] = Measured(
            size, error, counts, "capped" if size >= cap else "ok", note, "higher"
        )


def _distances(
    found: Measures,
    a: ShowerSample,
    b: ShowerSample,
    seed: int,
    region: str,
    in_a: NDArray[np.bool_],
    in_b: NDArray[np.bool_],
) -> None:
    """Strict FPD of all showers and strict KPD of the subsets."""
    x, y = (s.features if chosen.all() else s.features[chosen] for s, chosen in ((a, in_a), (b, in_b)))
    found.numbers["fpd", STRICT, region] = Measured(*fpd(x, y, STRICT, seed=seed), (len(x), len(y)))
    few_x, few_y = a.features[a.picked][in_a[a.picked]], b.features[b.picked][in_b[b.picked]]
    few = (len(few_x), len(few_y))
    if min(few) >= FEWEST_IN_REGION:
        distance = kpd(few_x, few_y, STRICT, seed=seed, permutations=PERMUTATIONS)
        found.numbers["kpd", STRICT, region] = Measured(*distance, few, p_value=distance.p_value)


def batched_distances(found: Measures, a: ShowerSample, b: ShowerSample, seed: int, community: bool) -> None:
    """The batched protocols of FPD and KPD, or why they were not computed."""
    counts = (len(a), len(b))
    for name, function, needed in (("fpd", fpd, MIN_SAMPLES), ("kpd", kpd, BATCH_SIZE)):
        for protocol, least in needed.items():
            number = Measured(math.nan, math.nan, counts, "not computed", "switched off by the option 'community'.")
            if min(counts) < least:
                note = f"this protocol is defined from {least} showers a sample; there are {min(counts)}."
                number = replace(number, note=note)
            elif community:
                number = Measured(*function(a.features, b.features, protocol, seed=seed), counts)
            found.numbers[name, protocol, "all"] = number
