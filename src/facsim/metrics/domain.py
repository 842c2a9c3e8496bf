"""Where a model was trained: ranges of its conditions, and how near training conditions lie to new ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from facsim.core.errors import FacsimError
from facsim.core.ranges import bounds, single
from facsim.metrics._samples import FloatArray
from facsim.metrics.protocols import STRICT
from facsim.metrics.score import Score

FORMAT = "facsim-domain-1"
KEPT = 1000
NEAREST = 5
LEVEL = 0.999
"""Share of training conditions that count as inside."""
DIGITS = 5
FEWEST = 20
LONG = 10.0
"""Ratio of extreme values from which a positive condition is seen on a logarithmic scale."""
Action = Literal["ignore", "warn", "flag", "refuse"]


def outside_score(name: str, outside: NDArray[np.bool_], seed: int) -> Score:
    """The share of conditions outside of a domain, (N,) as `ConditionDomain.outside` says; of training, 0.001 are."""
    n = len(outside)
    share = float(outside.mean())
    error = float(np.sqrt(max(share * (1 - share), 1 / n) / n))
    return Score(f"outside/{name}", STRICT, share, error, 1 - LEVEL, 0.0, n, n, seed, better="lower")


@dataclass(frozen=True)
class ConditionDomain:
    """The part of the space of conditions (N, K) in which a model was trained.

    A condition is inside if each of its values lies within the range of training, or beyond it by no more than
    `core.ranges` allows, and its distance to the fifth nearest of a thousand training conditions is one that all but a
    thousandth of training conditions have; what lies beyond the range is as far as the range's end. Distances are in
    standard deviations of each column, of its logarithm where positive values span more than a decade; of a column with
    one value the range says all. Ranges alone would call inside what lies between: a slow track at large
    pseudorapidity, say. A thousand conditions take some twenty kilobytes of a model's card.

    Attributes:
        names: of the conditions (K).
        low, high: ranges (K,).
        logarithmic: columns seen by their logarithm (K,).
        centre, scale: of the scaled columns (K,).
        points: training conditions as scaled, (M, K); none where only ranges are known.
        radius: greatest distance that counts as inside.
    """

    names: tuple[str, ...]
    low: FloatArray
    high: FloatArray
    logarithmic: NDArray[np.bool_]
    centre: FloatArray
    scale: FloatArray
    points: FloatArray
    radius: float

    @classmethod
    def fit(cls, cond: NDArray[Any], names: Sequence[str], seed: int, kept: int = KEPT) -> ConditionDomain:
        """The domain of training conditions (N, K), whatever their weights.

        Raises:
            FacsimError: fewer than 20 conditions, some not finite, or another number of names than columns.
        """
        values = np.asarray(cond, dtype=np.float64)
        if values.ndim != 2 or values.shape[1] != len(names) or len(values) < FEWEST or not np.isfinite(values).all():
            raise FacsimError(
                f"a domain needs at least {FEWEST} finite conditions of {len(names)} columns {list(names)}, not "
                f"{values.shape}."
            )
        low, high = values.min(axis=0), values.max(axis=0)
        logarithmic = (low > 0) & (high > LONG * low)
        columns = np.where(logarithmic, np.log(np.where(logarithmic, values, 1.0)), values)
        spread = columns.std(axis=0)
        constant = spread <= 1e-9 * np.maximum(np.abs(columns).max(axis=0), 1e-300)
        centre, scale = columns.mean(axis=0), np.where(constant, 0.0, 1 / np.where(constant, 1.0, spread))
        scaled = (columns - centre) * scale
        order = np.random.default_rng(seed).permutation(len(scaled))
        n = min(kept, len(scaled) // 2)
        points = np.round(scaled[order[:n]], DIGITS)
        made = cls(tuple(names), low, high, logarithmic, centre, scale, points, np.inf)
        others = made.distance(values[order[n : n + 20 * kept]])
        return replace(made, radius=float(np.quantile(others, LEVEL)))

    @classmethod
    def of_ranges(cls, ranges: Sequence[Mapping[str, Any]]) -> ConditionDomain:
        """The domain of which only ranges are known: rows with `name`, `min` and `max`, as in a card.

        Raises:
            KeyError, TypeError, ValueError: they are none.
        """
        low, high = (np.array([float(row[end]) for row in ranges]) for end in ("min", "max"))
        k = len(ranges)
        names = tuple(str(row["name"]) for row in ranges)
        return cls(names, low, high, np.zeros(k, dtype=bool), np.zeros(k), np.zeros(k), np.zeros((0, k)), np.inf)

    def distance(self, cond: NDArray[Any]) -> FloatArray:
        """Distance of conditions (N, K) to the fifth nearest training condition, in standard deviations: (N,)."""
        values = self._checked(cond)
        with np.errstate(divide="ignore", invalid="ignore"):
            columns = np.where(self.logarithmic, np.log(np.maximum(values, 1e-300)), values)
        scaled = (columns - self.centre) * self.scale
        k = min(NEAREST, len(self.points))
        found = cKDTree(self.points).query(scaled, k=[k])[0][:, 0]
        return np.asarray(found, dtype=np.float64)

    def outside(self, cond: NDArray[Any]) -> NDArray[np.bool_]:
        """Whether each condition of (N, K) lies outside of the domain, (N,)."""
        values = self._checked(cond)
        low, high = bounds(self.low, self.high)
        found = np.any((single(values) < low) | (single(values) > high), axis=1)
        if len(self.points):
            found = found | (self.distance(np.clip(values, self.low, self.high)) > self.radius)
        return np.asarray(found)

    def guard(self, cond: NDArray[Any], action: Action, what: str = "model") -> tuple[NDArray[np.bool_], str]:
        """Which conditions of (N, K) lie outside, (N,), and one sentence on them, empty where there are none.

        Args:
            action: `refuse` raises where there are some, `ignore` does not look; the caller warns or flags.
            what: name of the model in the sentence.

        Raises:
            FacsimError: some are outside and `action` is `refuse`, or it is none of the four.
        """
        if action not in get_args(Action):
            raise FacsimError(
                f"what to do outside of the domain is 'ignore', 'warn', 'flag' or 'refuse', not {action!r}."
            )
        if action == "ignore" or not len(cond):
            return np.zeros(len(cond), dtype=bool), ""
        found = self.outside(cond)
        if not found.any():
            return found, ""
        first = np.asarray(cond, dtype=np.float64)[int(found.argmax())]
        values = ", ".join(f"{name} = {value:.6g}" for name, value in zip(self.names, first, strict=True))
        ranges = ", ".join(f"{n} {a:.6g} to {b:.6g}" for n, a, b in zip(self.names, self.low, self.high, strict=True))
        text = (
            f"{int(found.sum())} of {len(found)} conditions lie outside of the training domain of the {what}, the "
            f"first at {values}; it was trained on {ranges}" + ", and not on all combinations" * (len(self.names) > 1)
        )
        if action == "refuse":
            raise FacsimError(f"{text}: leave them out, or choose to be warned instead (outside='warn').")
        return found, text + "."

    def _checked(self, cond: NDArray[Any]) -> FloatArray:
        values = np.asarray(cond, dtype=np.float64)
        if values.ndim != 2 or values.shape[1] != len(self.names) or not np.isfinite(values).all():
            raise FacsimError(f"expected finite conditions (N, {len(self.names)}): {list(self.names)}.")
        return values

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready mapping."""
        arrays = ("low", "high", "logarithmic", "centre", "scale", "points")
        plain = {name: getattr(self, name).tolist() for name in arrays}
        return {"format": FORMAT, "names": list(self.names), **plain, "radius": self.radius}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ConditionDomain:
        """What `to_dict` gave.

        Raises:
            FacsimError: it is of another format.
        """
        if data.get("format") != FORMAT:
            raise FacsimError(f"expected a domain of format '{FORMAT}', not {data.get('format')!r}.")
        arrays = {name: np.asarray(data[name]) for name in ("low", "high", "logarithmic", "centre", "scale", "points")}
        return cls(tuple(data["names"]), radius=float(data["radius"]), **arrays)
