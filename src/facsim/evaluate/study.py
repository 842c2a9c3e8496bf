"""Which metric sees what: every metric on samples with known differences, against truth compared with truth."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.core.events import Events, EventSource
from facsim.core.rng import generator
from facsim.core.sources import MemorySource
from facsim.evaluate.toys import DISTORTIONS, PUBLISHED, TOY_TRUTH, TOYS
from facsim.metrics.classifier import classifier_test
from facsim.metrics.energy import energy_distance
from facsim.metrics.frechet import fpd
from facsim.metrics.kernel import kpd
from facsim.metrics.neighbours import prdc
from facsim.metrics.wasserstein import sliced_wasserstein, wasserstein_1d
from facsim.physics.calo import collect

FORMAT = "facsim-study-1"
FEWEST_REPEATS = 3
FEWEST_EVENTS = 50
Features = NDArray[np.float64]
Progress = Callable[[float, str], None]


def measure_all(x: Features, y: Features, seed: int, conditions: int = 0) -> dict[str, float]:
    """Every metric of features (N, D) and (M, D) by name; `w1`: mean over the features, in standard deviations."""
    near = prdc(x, y)
    return {
        "w1": float(np.nanmean([wasserstein_1d(a, b, normalise=True)[0] for a, b in zip(x.T, y.T, strict=True)])),
        "sliced_w1": sliced_wasserstein(x, y, seed=seed)[0],
        "fpd": fpd(x, y, seed=seed)[0],
        "kpd": kpd(x, y, seed=seed)[0],
        "energy": energy_distance(x, y, seed=seed)[0],
        "precision": near.precision,
        "recall": near.recall,
        "density": near.density,
        "coverage": near.coverage,
        "c2st": classifier_test(x, y, seed, conditions=conditions).auc,
    }


@dataclass(frozen=True)
class StudySettings:
    """Size of a study: events a sample (of the toy; showers are halved), repeats, seed."""

    events: int = 2000
    repeats: int = 10
    seed: int = 1

    def __post_init__(self) -> None:
        if self.repeats < FEWEST_REPEATS or self.events < FEWEST_EVENTS:
            raise FacsimError(
                f"a study needs at least {FEWEST_REPEATS} repeats of {FEWEST_EVENTS} events, "
                f"not {self.repeats} of {self.events}."
            )


def study_toys(settings: StudySettings, progress: Progress | None = None) -> dict[str, Any]:
    """The Gaussian toy of arXiv 2211.10295, with the paper's significances beside facsim's.

    In every repeat two fresh truth samples are compared (the null), and a third with each alternative.
    """
    found = _Values(["truth", *TOYS], progress, settings.repeats)
    for repeat in range(settings.repeats):
        rng = generator(settings.seed, "toy", repeat)
        truth = TOY_TRUTH(settings.events, rng)
        for name in found.names:
            draw = TOYS.get(name, TOY_TRUTH)
            found.add(name, measure_all(truth, draw(settings.events, rng), settings.seed + repeat))
    published = {metric: dict(zip(TOYS, values, strict=True)) for metric, values in PUBLISHED.items()}
    return found.result("Gaussian toy of arXiv 2211.10295", settings.events, settings, published)


def study_showers(source: EventSource, settings: StudySettings, progress: Progress | None = None) -> dict[str, Any]:
    """Distorted showers of one truth sample, on the high-level features and the response.

    In every repeat the sample is halved at random; one half is compared with the other as it is (the null) and
    distorted. The sample is read into memory.

    Raises:
        FacsimError: fewer than 100 showers, or not showers on a cylinder.
    """
    if len(source) < 2 * FEWEST_EVENTS:
        raise FacsimError(f"a study of showers needs at least {2 * FEWEST_EVENTS} of them, not {len(source)}.")
    events, half = source.read(0, len(source)), len(source) // 2
    found = _Values(["truth", *DISTORTIONS], progress, settings.repeats)
    for repeat in range(settings.repeats):
        rng = generator(settings.seed, "showers", repeat)
        order = rng.permutation(len(events))
        first, second = events[np.sort(order[:half])], events[np.sort(order[half : 2 * half])]
        truth = _features(first)
        for name in found.names:
            other = second if name == "truth" else DISTORTIONS[name](second, rng)
            found.add(name, measure_all(truth, _features(other), settings.seed + repeat, conditions=1))
    return found.result("Distorted showers", half, settings, {})


def _features(events: Events) -> Features:
    observations = collect(MemorySource(events), max(len(events), 1))
    return np.column_stack([observations.features, observations.obs["e_ratio"]]).astype(np.float64)


class _Values:
    """What was measured so far: by alternative and metric, one value a repeat."""

    def __init__(self, names: list[str], progress: Progress | None, repeats: int) -> None:
        self.names = names
        self._found: dict[str, list[dict[str, float]]] = {name: [] for name in names}
        self._progress, self._total = progress, len(names) * repeats

    def add(self, name: str, values: dict[str, float]) -> None:
        self._found[name].append(values)
        if self._progress is not None:
            self._progress(sum(map(len, self._found.values())) / self._total, name)

    def result(
        self, title: str, events: int, settings: StudySettings, published: dict[str, dict[str, float]]
    ) -> dict[str, Any]:
        """JSON-ready: one row for each metric and alternative."""
        head = {"format": FORMAT, "title": title, "events": events, "repeats": settings.repeats, "seed": settings.seed}
        return {**head, "alternatives": self.names[1:], "rows": list(self._rows(published))}

    def _rows(self, published: dict[str, dict[str, float]]) -> Iterator[dict[str, Any]]:
        for metric in self._found["truth"][0]:
            null = np.array([values[metric] for values in self._found["truth"]])
            spread = float(null.std(ddof=1))
            for name in self.names[1:]:
                values = np.array([each[metric] for each in self._found[name]])
                paper = published.get(metric, {}).get(name, np.nan)
                yield {
                    "metric": metric,
                    "alternative": name,
                    "value": float(values.mean()),
                    "error": float(values.std(ddof=1)),
                    "null": float(null.mean()),
                    "null_error": spread,
                    "significance": abs(float(values.mean() - null.mean())) / spread if spread > 0 else None,
                    "published": None if np.isnan(paper) else float(paper),
                }
