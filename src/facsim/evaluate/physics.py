"""What a task says of its events: the quantities that its physicists look at, and the plots that they draw.

A `TaskPhysics` knows the detector and nothing of scores, nulls or classifiers; `physics_judge.PhysicsJudge` turns it
into a scorecard. Curves and images are data, drawn by the report.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from facsim.core.errors import FacsimError
from facsim.core.events import Events
from facsim.core.geometry import FloatArray
from facsim.evaluate.displays import Display
from facsim.evaluate.labelled import Sample
from facsim.evaluate.measures import Key, Measured
from facsim.metrics.classifier import C2STResult
from facsim.metrics.score import Score
from facsim.physics.quantity import Quantity

__all__ = ["ROLES", "Curve", "Image", "Physics", "Quantity", "TaskPhysics"]

ROLES = ("reference", "null", "generated")
"""Truth A, truth B, and the sample that is judged: what series of curves and images are named by."""
CONTROL_SCALE = 1.02
DIGITS = 6


@dataclass(frozen=True)
class Curve:
    """Points with errors of one quantity against another.

    Args:
        name: unique in a task. title: heading for a reader. x_label, y_label: mathtext, with units.
        series: role to x (n,), y (n,) and error (n,) or None.
        log_x, log_y: logarithmic axes. caption: what to look for. ratio: draw the ratio to the reference below.
        steps: draw as a histogram: x are then bin edges (n + 1,).
    """

    name: str
    title: str
    x_label: str
    y_label: str
    series: Mapping[str, tuple[ArrayLike, ArrayLike, ArrayLike | None]]
    log_x: bool = False
    log_y: bool = False
    caption: str = ""
    ratio: bool = False
    steps: bool = False

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; values that are not finite become None."""
        series = {
            role: {"x": _rounded(x), "y": _rounded(y), "error": None if error is None else _rounded(error)}
            for role, (x, y, error) in self.series.items()
        }
        return {**_plain(self, "series"), "series": series}


@dataclass(frozen=True)
class Image:
    """Pictures of one kind, one for each role, on a common colour scale.

    Args:
        name, title, x_label, y_label, caption: as of `Curve`. label: of the colour scale, with unit.
        images: role to values (rows, columns); the first row is drawn at the bottom.
        extent: left, right, bottom, top in the units of the axes. log: logarithmic colours.
        diverging: values of either sign about zero.
    """

    name: str
    title: str
    label: str
    images: Mapping[str, ArrayLike]
    extent: tuple[float, float, float, float]
    x_label: str = ""
    y_label: str = ""
    caption: str = ""
    log: bool = False
    diverging: bool = False

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; values that are not finite become None."""
        images = {role: [_rounded(row) for row in np.asarray(values)] for role, values in self.images.items()}
        return {**_plain(self, "images"), "images": images}


@dataclass(frozen=True)
class Physics:
    """What an application of a surrogate found: scores with their nulls, plots, and sentences."""

    scores: Sequence[Score] = ()
    curves: Sequence[Curve] = ()
    images: Sequence[Image] = ()
    notes: Sequence[str] = ()

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready mapping."""
        return {
            "format": "facsim-physics-1",
            "scores": [score.to_dict() for score in self.scores],
            "curves": [curve.to_dict() for curve in self.curves],
            "images": [image.to_dict() for image in self.images],
            "notes": list(self.notes),
        }


class TaskPhysics(ABC):
    """The physics of one task's events.

    Attributes:
        quantities: of one event, in the order of the columns of `observe`.
        region: condition by whose quantiles scores are also given; empty for none.
        noun: what events are called, in the plural.
        most: events of a sample that are judged, at most (a seeded subset).
        distances: whether FPD and KPD are those of `features`; else `scored` has them.
        distortion: what `distorted` does, in words.
    """

    quantities: ClassVar[tuple[Quantity, ...]]
    region: ClassVar[str] = ""
    noun: ClassVar[str] = "events"
    most: ClassVar[int] = 20_000
    distances: ClassVar[bool] = True
    distortion: ClassVar[str] = f"values x {CONTROL_SCALE}"

    @abstractmethod
    def observe(self, events: Events) -> FloatArray:
        """The quantities of each event, (N, D) float64, all finite for finite events."""

    def features(self, events: Events, values: FloatArray) -> FloatArray:
        """What classifiers and distances see beside the conditions, (N, D'): the `values` of `observe`, and what else
        tells events apart, such as marks of values that occur exactly."""
        return values

    def conditions(self, cond: NDArray[Any]) -> FloatArray:
        """The conditions (N, K) as classifiers see them, (N, K'): logarithms of what spans decades."""
        return np.asarray(cond, dtype=np.float64)

    def pixels(self, events: Events) -> FloatArray | None:
        """What the low-level classifier sees of each event, (N, P); None where the quantities are all there is."""
        return None

    def distorted(self, events: Events) -> Events:
        """Events with a small known defect, the positive control of classifier tests: all values 2 % larger."""
        return replace(events, x=(events.x * CONTROL_SCALE).astype(events.x.dtype))

    def measures(self, a: Events, b: Events, seed: int) -> dict[str, Measured]:
        """Further numbers of `b` against the truth `a`, by name; taken of truth against truth as well."""
        return {}

    def scored(self, a: Events, b: Events, seed: int) -> dict[Key, Measured]:
        """The same as `measures` in protocols and regions of the task's own, by name, protocol and region."""
        return {}

    def floors(self, a: Events, b: Events, seed: int) -> dict[Key, tuple[float, float]]:
        """What truth scores against itself when A and B are divided anew, mean and spread: for `derived`."""
        return {}

    def derived(self, found: Mapping[Key, Measured], floors: Mapping[Key, tuple[float, float]]) -> dict[Key, Measured]:
        """Further numbers made of those that were `found`, such as multiples of truth's own."""
        return {}

    def network_sample(self, events: Events) -> Sample | None:
        """What a classifier network sees of the events; None where there is no test with one."""
        return None

    def tested(self, result: C2STResult, a: Events, b: Events) -> dict[str, Measured]:
        """Further numbers of the classifier test of the quantities, by name; `a` and `b` are the events that it saw, in
        the order of the result's scores."""
        return {}

    def curves(self, samples: Mapping[str, Events]) -> list[Curve]:
        """Plots of the samples by role (`ROLES`)."""
        return []

    def images(self, samples: Mapping[str, Events]) -> list[Image]:
        """Pictures of the samples by role."""
        return []

    def displays(self, samples: Mapping[str, Events]) -> list[Display]:
        """Single events of the samples by role."""
        return []

    def check(self, events: Events) -> None:
        """Refuse events of another task.

        Raises:
            FacsimError: they are.
        """
        if len(events) and self.observe(events[:1]).shape != (1, len(self.quantities)):
            raise FacsimError(f"{type(self).__name__} gives other than its {len(self.quantities)} quantities.")


def _plain(item: Any, *left_out: str) -> dict[str, Any]:
    return {name: value for name, value in vars(item).items() if name not in left_out}


def _rounded(values: ArrayLike) -> list[float | None]:
    """Six significant digits: files stay small."""
    array = np.atleast_1d(np.asarray(values, dtype=np.float64))
    return [float(f"{value:.{DIGITS}g}") if np.isfinite(value) else None for value in array]
