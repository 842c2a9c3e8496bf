"""Calibration of reconstructed jets: a factor of pT by pT and |eta|, fitted to generator jets and their partners."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from facsim.core.errors import FacsimError
from facsim.core.geometry import FloatArray

REFERENCE_PT = 100.0
TERMS = 4
FEWEST = 50


@dataclass(frozen=True)
class JetCalibration:
    """Factor c0 + c1 l + c2 l^2 + c3 l^3 of a jet's pT, with l = ln(pT / 100 GeV).

    Args:
        eta: upper edges of steps in |eta|; beyond the last as below it.
        coefficients: c0 to c3 by step.
        pt: range of pT (GeV) of the fit; outside, the factor is that at its edge.

    Raises:
        FacsimError: other numbers of coefficients than steps or terms, or a range that is none.
    """

    eta: tuple[float, ...]
    coefficients: tuple[tuple[float, ...], ...]
    pt: tuple[float, float]

    def __post_init__(self) -> None:
        sizes = [len(row) for row in self.coefficients]
        if not self.eta or sizes != [TERMS] * len(self.eta):
            raise FacsimError(
                f"a calibration in {len(self.eta)} steps of |eta| needs {TERMS} coefficients for each, not {sizes}."
            )
        if not 0 < self.pt[0] <= self.pt[1]:
            raise FacsimError(f"the range of pT of a calibration must be positive and increase, not {self.pt}.")

    def factor(self, pt: FloatArray, eta: FloatArray) -> FloatArray:
        """Factors (N,) of jets with reconstructed pT (N,), GeV, and eta (N,)."""
        step = np.minimum(np.searchsorted(self.eta, np.abs(eta), side="right"), len(self.eta) - 1)
        return np.asarray((_terms(np.clip(pt, *self.pt)) * np.array(self.coefficients)[step]).sum(axis=1))


def fit_calibration(
    true_pt: FloatArray, pt: FloatArray, eta: FloatArray, edges: tuple[float, ...], bins: FloatArray
) -> JetCalibration:
    """Calibration that makes the mean of pT over true pT 1, in bins of true pT and steps of |eta|.

    In each bin the factor is the inverse of the mean ratio, at the mean measured pT: averages at given true pT do not
    depend on the spectrum. Least squares through these points.

    Args:
        true_pt, pt: (N,) GeV. eta: (N,), measured.
        edges: upper edges of the steps in |eta|. bins: (B + 1,) edges in true pT, GeV.

    Raises:
        FacsimError: fewer than four bins of a step have enough jets.
    """
    step, column = np.searchsorted(edges, np.abs(eta), side="right"), np.searchsorted(bins, true_pt, side="right") - 1
    rows, reach = [], [np.inf, 0.0]
    for k in range(len(edges)):
        points = []
        for b in range(len(bins) - 1):
            here = (step == k) & (column == b)
            if here.sum() >= FEWEST:
                ratio = pt[here] / true_pt[here]
                points.append((pt[here].mean(), 1 / ratio.mean(), np.sqrt(here.sum()) / ratio.std()))
        if len(points) < TERMS:
            raise FacsimError(
                f"the calibration of jets below |eta| = {edges[k]} needs {TERMS} bins of pT with {FEWEST} jets each, "
                f"and there are {len(points)}: simulate more jets, or take wider bins."
            )
        at, value, weight = np.array(points).T
        fit = np.linalg.lstsq(_terms(at) * weight[:, None], value * weight, rcond=None)[0]
        rows.append(tuple(round(float(c), 5) for c in fit))
        reach = [min(reach[0], at.min()), max(reach[1], at.max())]
    return JetCalibration(edges, tuple(rows), (round(float(reach[0]), 1), round(float(reach[1]), 1)))


def _terms(pt: FloatArray) -> FloatArray:
    return np.asarray(np.log(pt / REFERENCE_PT)[:, None] ** np.arange(TERMS))
