"""What a demonstration found, as `results.json` holds it: times, comparison, goals, what became of particles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.evaluate.full_fast import Observed, compare, distributions, goal, mean_profiles, quotient
from facsim.pipeline.geant4_fast import Fates, Stopwatch
from facsim.pipeline.geant4_model import HookModel
from facsim.provenance import hardware, versions
from facsim.simulate.hook.calls import Calls
from facsim.simulate.hook.guard import WHY
from facsim.simulate.hook.world import DISTANCE, FRONT, front_thickness

FORMAT = "facsim-geant4-demo-1"
SPEED, RESPONSE, RESOLUTION = 50.0, 0.01, 0.05
PARTS = {
    "front": "Geant4 up to the calorimeter",
    "guard": "guard and conversion of photons",
    "surrogate": "surrogate",
    "placement": "placement into the read-out",
    "rest": "Geant4 for what is left",
    "hand_over": "files between the processes",
}
FATES = {
    "electrons": "electrons and positrons to the surrogate",
    "photons": "photons converted to pairs",
    "pair": "of these, electrons of pairs to the surrogate",
    "pair_out": "of these, electrons of pairs out of range, back to Geant4",
    **{reason: f"back to Geant4: {why}" for reason, why in WHY.items()},
}


@dataclass(frozen=True)
class Costs:
    """CPU time that was spent.

    Args:
        full_ms: of every full event and, of that, in Geant4 (N, 2).
        watches: of this process for each chunk of fast events, by first event.
        calls: of the worker processes. events: fast ones. chunk: of them at a time.
        started_ms: loading of the surrogate and its first batch.
    """

    full_ms: NDArray[np.float64]
    watches: dict[int, Stopwatch]
    calls: Calls
    events: int
    chunk: int
    started_ms: float

    def fast_parts(self) -> dict[str, float]:
        """ms of a fast event by what it went to."""
        total = {what: sum(self.calls.cpu_ms.get(what, {}).values()) for what in ("front", "rest")}
        for part in PARTS.keys() - total.keys():
            total[part] = sum(watch.ms[part] for watch in self.watches.values())
        return {part: total[part] / self.events for part in PARTS}

    def fast(self) -> tuple[float, float | None]:
        """ms of a fast event, and the error from the spread of whole chunks, None of fewer than two."""
        whole = [first for first in self.watches if first + self.chunk <= self.events]
        each = [self._chunk(first) / self.chunk for first in whole]
        error = float(np.std(each, ddof=1) / np.sqrt(len(each))) if len(each) > 1 else None
        return sum(self.fast_parts().values()), error

    def _chunk(self, first: int) -> float:
        spent = self.calls.cpu_ms
        workers = sum(spent.get(what, {}).get(first, 0.0) for what in ("front", "rest"))
        return workers + sum(self.watches[first].ms.values())

    def to_dict(self) -> dict[str, Any]:
        """Times of both, their ratio, and start-up."""
        mean = self.full_ms.mean(axis=0)
        error = self.full_ms.std(axis=0, ddof=1) / np.sqrt(len(self.full_ms))
        fast, fast_error = self.fast()
        ratio = quotient((float(mean[0]), float(error[0])), (fast, fast_error or 0.0))
        return {
            "full_ms": float(mean[0]),
            "full_error": float(error[0]),
            "full_parts": {"geant4": float(mean[1]), "scoring": float(mean[0] - mean[1])},
            "fast_ms": fast,
            "fast_error": fast_error,
            "fast_parts": self.fast_parts(),
            "ratio": ratio[0],
            "ratio_error": ratio[1],
            "ratio_without_scoring": float(mean[1]) / fast,
            "started_ms": {"geant4": self.calls.started_ms, "surrogate": self.started_ms},
        }


def gather(
    settings: dict[str, Any], model: HookModel, costs: Costs, fates: Fates, full: Observed, fast: Observed
) -> dict[str, Any]:
    """The results, ready for JSON."""
    calls, times = costs.calls, costs.to_dict()
    rows = compare(full, fast, calls.energy)
    named = {row["name"]: row for row in rows}
    response, resolution = named["response"], named["resolution"]
    goals = [
        goal("speed", "times faster than full simulation", times["ratio"], times["ratio_error"], SPEED, True),
        goal("response", "mean response", response["ratio"] - 1, response["ratio_error"], RESPONSE, False),
        goal("resolution", "resolution", resolution["ratio"] - 1, resolution["ratio_error"], RESOLUTION, False),
    ]
    if times["fast_error"] is None:  # too few events for any error that a verdict could rest on
        goals = [{**item, "verdict": "open"} for item in goals]
    return {
        "format": FORMAT,
        "settings": settings,
        "events": {"full": len(full), "fast": len(fast)},
        "front": {"material": FRONT, "mm": front_thickness(calls.material), "distance_mm": DISTANCE},
        "detector": calls.detector.model_dump(mode="json"),
        "geant4": {"version": calls.version, "data": calls.data.provenance()},
        "model": {
            "name": model.name,
            "candidates": model.candidates,
            "range_GeV": [model.guard.low / 1e3, model.guard.high / 1e3],
        },
        "times": times,
        "goals": goals,
        "comparison": rows,
        "profiles": mean_profiles(full, fast, model.geometry),
        "distributions": distributions(full, fast),
        "particles": [
            {
                "fate": fate,
                "label": label,
                "per_event": fates.number[fate] / len(fast),
                "MeV_per_event": fates.energy[fate] / len(fast),
            }
            for fate, label in FATES.items()
        ],
        "hardware": hardware(),
        "versions": versions(),
    }
