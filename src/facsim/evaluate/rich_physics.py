"""Physics of RICH particle identification: efficiencies, misidentification and separation, truth against surrogate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.core.events import Events
from facsim.core.geometry import FloatArray, IntArray
from facsim.evaluate.measures import Measured
from facsim.evaluate.physics import Curve, Image, TaskPhysics
from facsim.evaluate.rich_curves import binned_aucs, rich_curves, separation_maps
from facsim.evaluate.rich_samples import PidTracks, of_events
from facsim.metrics.auc import value_auc
from facsim.metrics.classifier import C2STResult
from facsim.metrics.efficiency import binned_efficiency
from facsim.physics.quantity import Quantity
from facsim.physics.rich_observables import (
    QUANTITIES,
    Selection,
    cell_name,
    cell_numbers,
    dll_quantities,
    ties,
)

FEWEST = 100.0
"""Effective tracks, (sum w)^2 / sum w^2, that a bin needs in either sample."""
NEGLIGIBLE = 1e-3
"""Difference of AUCs that joins their errors, which vanish where kaons and pions are told apart perfectly."""
FEWEST_IN_CELL = 50.0
"""The same of the cells of the classifier test, which sees fewer tracks."""
CONTROL_SCALE = 1.15
TIES = (("k", "p"), ("p", "bt"))
"""Equal where neither kaon nor proton, or no proton, gives light."""
BINS = 5
"""Of momentum, equally populated by the reference."""


class RichPhysics(TaskPhysics):
    """Tables with the five DLLs `RichDLL*`, the conditions `P` (MeV), `eta`, `nTracks` or `nSPDHits`, and where there
    are several species `is_e`, `is_mu`, ... Weights may have either sign."""

    quantities: ClassVar[tuple[Quantity, ...]] = QUANTITIES
    region: ClassVar[str] = "P"
    noun: ClassVar[str] = "tracks"
    distortion: ClassVar[str] = f"DLLs x {CONTROL_SCALE}"

    def check(self, events: Events) -> None:
        of_events(events)

    def observe(self, events: Events) -> FloatArray:
        return dll_quantities(of_events(events).dlls)

    def features(self, events: Events, values: FloatArray) -> FloatArray:
        """The quantities, and marks of tracks whose DLLs are equal: classifiers take the smooth dependence on the
        conditions out of each column, and an exact value with it."""
        dlls = of_events(events).dlls
        return np.column_stack([values, *(ties(dlls, *pair) for pair in TIES)])

    def conditions(self, cond: NDArray[Any]) -> FloatArray:
        found = np.array(cond, dtype=np.float64)
        if len(found) and not (found[:, 0] > 0).all():
            raise FacsimError("the first condition of RICH tracks is their momentum P (MeV), and must be positive.")
        found[:, 0] = np.log10(found[:, 0])
        return found

    def distorted(self, events: Events) -> Events:
        """All DLLs 15 % larger, as with more light than there is."""
        return replace(events, x=(events.x * CONTROL_SCALE).astype(events.x.dtype))

    def measures(self, a: Events, b: Events, seed: int) -> dict[str, Measured]:
        x, y = of_events(a), of_events(b)
        found: dict[str, Measured] = {}
        for selection in x.selections():
            error = _efficiency_error(x, y, selection)
            if error is not None:
                found[f"{selection.role}_error/{selection.name}"] = error
        for first, second in TIES:
            found[f"share_error/{first}={second}"] = _share_error(x, y, first, second)
        return found | _separation(x, y)

    def tested(self, result: C2STResult, a: Events, b: Events) -> dict[str, Measured]:
        """AUC of the classifier test in 27 cells of momentum, eta and number of tracks: the largest, and the mean
        square of (AUC - 0.5) / error."""
        x, y = of_events(a), of_events(b)
        cells = [cell_numbers(s.momentum, s.eta, s.n_tracks) for s in (x, y)]
        found = [(*result.region(*inside), number, inside) for number, inside in _cells(cells, (x, y))]
        found = [one for one in found if np.isfinite(one[0])]
        if not found:
            return {}
        auc, error, number, inside = max(found, key=lambda one: one[0])
        note = f"largest of {len(found)} cells, at {cell_name(number)}."
        pulls = np.array(
            [(value - 0.5) / max(sigma, _error_of_chance(x[in_x], y[in_y])) for value, sigma, _, (in_x, in_y) in found]
        )
        square = f"mean of ((AUC - 0.5) / error)^2 over {len(found)} cells; at most about 1 for truth."
        return {
            "auc_cells27": Measured(auc, error, (int(inside[0].sum()), int(inside[1].sum())), note=note),
            "auc_cells27_chi2": _mean_square(pulls, (len(x), len(y)), square),
        }

    def curves(self, samples: Mapping[str, Events]) -> list[Curve]:
        return rich_curves({role: of_events(events) for role, events in samples.items()})

    def images(self, samples: Mapping[str, Events]) -> list[Image]:
        return separation_maps({role: of_events(events) for role, events in samples.items()}, FEWEST)


def _cells(
    cells: list[IntArray], samples: tuple[PidTracks, PidTracks]
) -> Iterator[tuple[int, list[NDArray[np.bool_]]]]:
    """Cells with enough tracks in both samples, and where these are."""
    for number in range(int(max(numbers.max(initial=-1) for numbers in cells)) + 1):
        inside = [numbers == number for numbers in cells]
        if min(s[part].effective for s, part in zip(samples, inside, strict=True)) >= FEWEST_IN_CELL:
            yield number, inside


def _error_of_chance(x: PidTracks, y: PidTracks) -> float:
    """Error of the AUC of two samples of one distribution; DeLong's vanishes for samples that are disjoint."""
    return float(np.sqrt((1 / x.effective + 1 / y.effective) / 12))


def _efficiency_error(x: PidTracks, y: PidTracks, selection: Selection) -> Measured | None:
    """Largest difference of the efficiency over bins of momentum that the reference populates equally."""
    parts = [sample.of(selection.species) for sample in (x, y)]
    if min(len(part) for part in parts) < FEWEST:
        return None
    edges = np.unique(np.quantile(parts[0].momentum, np.linspace(0, 1, BINS + 1)))
    edges[0], edges[-1] = min(edges[0], parts[1].momentum.min()), np.inf
    binned = [
        binned_efficiency(s.dll(selection.hypothesis) > selection.cut, s.momentum, edges, s.weight) for s in parts
    ]
    usable = np.flatnonzero(np.minimum(binned[0].events, binned[1].events) >= FEWEST)
    if not len(usable):
        return None
    off = np.abs(binned[1].value - binned[0].value)
    worst = int(usable[off[usable].argmax()])
    where = f"from {1e-3 * edges[worst]:.3g} GeV" + (
        f" to {1e-3 * edges[worst + 1]:.3g} GeV" if worst < BINS - 1 else ""
    )
    note = (
        f"{binned[0].value[worst]:.4f} in truth, {binned[1].value[worst]:.4f} here, {where}: "
        f"the worst of {len(usable)} bins."
    )
    error = float(np.hypot(binned[0].error[worst], binned[1].error[worst]))
    return Measured(float(off[worst]), error, (len(parts[0]), len(parts[1])), note=note)


def _share_error(x: PidTracks, y: PidTracks, first: str, second: str) -> Measured:
    """Difference of the shares of tracks whose DLLs of two hypotheses are equal."""
    edges = (0.0, np.inf)
    shares = [binned_efficiency(ties(s.dlls, first, second), s.momentum, edges, s.weight) for s in (x, y)]
    values, errors = [float(s.value[0]) for s in shares], [float(s.error[0]) for s in shares]
    note = f"{values[0]:.4f} of tracks in truth, {values[1]:.4f} here."
    return Measured(abs(values[1] - values[0]), float(np.hypot(errors[0], errors[1])), (len(x), len(y)), note=note)


def _separation(x: PidTracks, y: PidTracks) -> dict[str, Measured]:
    """Difference of the AUC of kaons against pions by their DLL: over all tracks, and in bins of momentum and
    pseudorapidity the largest one, and the mean square of the differences over their errors."""
    if not {"k", "pi"} <= set(x.species):
        return {}
    parts = [(sample.of("pi"), sample.of("k")) for sample in (x, y)]
    if min(tracks.effective for pair in parts for tracks in pair) < FEWEST:
        return {}
    aucs = [value_auc(pions.dll("k"), kaons.dll("k"), pions.weight, kaons.weight) for pions, kaons in parts]
    n, m = (len(pions) + len(kaons) for pions, kaons in parts)
    note = f"AUC {aucs[0].value:.4f} in truth, {aucs[1].value:.4f} here."
    off = abs(aucs[1].value - aucs[0].value)
    found = {"separation_error/k-pi": Measured(off, float(np.hypot(aucs[0].error, aucs[1].error)), (n, m), note=note)}
    (of_x, error_x), (of_y, error_y) = (binned_aucs(sample, FEWEST) for sample in (x, y))
    differences, errors = np.abs(of_y - of_x), np.hypot(np.hypot(error_x, error_y), NEGLIGIBLE)
    usable = np.isfinite(differences)
    bins = int(usable.sum())
    if bins:
        worst = int(np.where(usable, differences, -1.0).argmax())
        note = f"AUC {of_x.flat[worst]:.4f} in truth, {of_y.flat[worst]:.4f} here, the worst of {bins} bins."
        found["separation_worst/k-pi"] = Measured(
            float(differences.flat[worst]), float(errors.flat[worst]), (n, m), note=note
        )
        note = f"mean of (difference / error)^2 of the AUC over {bins} bins; about 1 for truth."
        pulls = differences[usable] / errors[usable]
        found["separation_chi2/k-pi"] = _mean_square(pulls, (n, m), note)
    return found


def _mean_square(pulls: FloatArray, counts: tuple[int, int], note: str) -> Measured:
    """Chi squared over its degrees of freedom, with the error of a non-central one."""
    n, chi2 = len(pulls), float(np.sum(pulls**2))
    return Measured(chi2 / n, float(np.sqrt(2 * n + 4 * max(chi2 - n, 0.0))) / n, counts, note=note)
