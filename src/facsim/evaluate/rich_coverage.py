"""How often efficiencies of a surrogate agree with truth's within the uncertainties that are announced for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from facsim.metrics.efficiency_ratio import EfficiencyRatio
from facsim.metrics.protocols import STRICT
from facsim.metrics.score import Score

NOMINAL = 0.6827
"""Share of a normal distribution within one standard deviation."""
KINDS = ("statistical", "classifier", "ensemble")
WORDS = {
    "statistical": "statistical errors alone",
    "classifier": "statistical errors and the shift by the classifier's weights",
    "ensemble": "statistical errors and the spread of the ensemble",
}


@dataclass(frozen=True)
class Bins:
    """Of one selection: ratios in all (one bin) and in bins of momentum, surrogate and truth again over truth."""

    integrated: EfficiencyRatio
    binned: EfficiencyRatio
    null: EfficiencyRatio
    null_binned: EfficiencyRatio


@dataclass(frozen=True)
class Row:
    """One bin of one selection: whether it is of tracks inside of the training domain, efficiency of the surrogate less
    that of truth, its statistical error, and by kind the uncertainty of the model, NaN where there is none."""

    inside: bool
    difference: float
    statistical: float
    classifier: float
    ensemble: float

    def sigma(self, kind: str) -> float:
        """Standard deviation that `kind` announces."""
        model = 0.0 if kind == "statistical" else float(getattr(self, kind))
        return float(np.hypot(self.statistical, model))


@dataclass(frozen=True)
class Coverage:
    """Shares of rows within one standard deviation."""

    rows: Sequence[Row]

    def scores(self, seed: int) -> list[Score]:
        """`coverage/<kind>/inside` and `/outside`, where there are rows; the null is that of exact errors."""
        found = []
        for kind in KINDS:
            for name, inside in (("inside", True), ("outside", False)):
                rows = [row for row in self.rows if row.inside == inside and np.isfinite(row.sigma(kind))]
                if rows:
                    found.append(_score(f"coverage/{kind}/{name}", kind, rows, seed))
        return found


def _score(name: str, kind: str, rows: Sequence[Row], seed: int) -> Score:
    pulls = np.array([row.difference / row.sigma(kind) for row in rows])
    n, share = len(rows), float(np.mean(np.abs(pulls) <= 1))
    error, null_error = (float(np.sqrt(p * (1 - p) / n)) for p in ((n * share + 1) / (n + 2), NOMINAL))
    square = float(np.mean(pulls**2))
    details = {"mean_square_pull": square}
    note = f"{n} bins, with {WORDS[kind]}; mean square pull {square:.2f}."
    return Score(name, STRICT, share, error, NOMINAL, null_error, n, n, seed, better="null", note=note, details=details)
