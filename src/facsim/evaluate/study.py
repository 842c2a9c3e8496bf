"""Which metric sees what: every metric on samples with known differences, against truth compared with truth."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.core.rng import generator
from facsim.evaluate.study_metrics import measure_all
from facsim.evaluate.study_sources import FEWEST_EVENTS, TRUTH, Published, Study

FORMAT = "facsim-study-2"
FEWEST_REPEATS = 3
ROUNDING = 1e-12
Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class StudySettings:
    """Size of a study: events a sample (of showers and jets no more than there are), repeats, seed."""

    events: int = 2000
    repeats: int = 10
    seed: int = 1

    def __post_init__(self) -> None:
        if self.repeats < FEWEST_REPEATS or self.events < FEWEST_EVENTS:
            raise FacsimError(
                f"a study needs at least {FEWEST_REPEATS} repeats of {FEWEST_EVENTS} events, "
                f"not {self.repeats} of {self.events}."
            )


def run_study(study: Study, settings: StudySettings, progress: Progress | None = None) -> dict[str, Any]:
    """Compare a reference in every repeat with truth (the null) and with each alternative.

    Returns:
        JSON-ready: what was studied, and one row for each metric and alternative. Its significance is
        |mean - mean of the null| over the null's standard deviation, as in arXiv 2211.10295, and None where the null
        does not vary.
    """
    names = [TRUTH, *study.alternatives]
    found: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    done = 0
    for repeat in range(settings.repeats):
        samples = study.draw(generator(settings.seed, study.kind, repeat))
        _, reference = next(samples)
        for name, sample in samples:
            values = measure_all(reference, sample, settings.seed + repeat, study.conditions, study.more)
            found[name].append(values)
            done += 1
            if progress is not None:
                progress(done / (len(names) * settings.repeats), name)
    return {
        "format": FORMAT,
        "kind": study.kind,
        "title": study.title,
        "events": study.events,
        "repeats": settings.repeats,
        "seed": settings.seed,
        "alternatives": list(study.alternatives),
        "rows": list(_rows(found, study)),
    }


def _rows(found: dict[str, list[dict[str, float]]], study: Study) -> Iterator[dict[str, Any]]:
    for metric in found[TRUTH][0]:
        null = np.array([values[metric] for values in found[TRUTH]])
        for position, name in enumerate(study.alternatives):
            values = np.array([each[metric] for each in found[name]])
            yield {
                "metric": metric,
                "alternative": name,
                "value": float(values.mean()),
                "error": float(values.std(ddof=1)),
                "null": float(null.mean()),
                "null_error": float(null.std(ddof=1)),
                "significance": significance(values, null),
                "published": _number(study.published, metric, position),
                "published_value": _number(study.published_values, metric, position),
            }


def significance(values: NDArray[np.float64], null: NDArray[np.float64]) -> float | None:
    """|mean of the values - mean of the null| over the null's standard deviation; None where that is 0."""
    spread = float(null.std(ddof=1))
    if not spread > ROUNDING * float(np.abs(null).max()):
        return None
    return float(abs(values.mean() - null.mean()) / spread)


def _number(published: Published, metric: str, position: int) -> float | None:
    value = published[metric][position] if metric in published else np.nan
    return None if np.isnan(value) else float(value)
