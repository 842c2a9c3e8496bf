"""Is what is in a file fit for use? Errors that stop, warnings that name their cure; streamed, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from facsim.core.errors import FacsimError
from facsim.core.events import Array, Events, EventSource, chunks
from facsim.core.geometry import CylinderGeometry, FloatArray, Geometry
from facsim.core.schema import Schema
from facsim.core.showerfile import INCIDENT
from facsim.core.sources import batch_rows

PLAUSIBLE_RATIO = (0.002, 100.0)
"""Range for the median of deposited over incident energy, outside which units are suspected: silicon between absorbers
sees half a percent of a shower, and a wrong unit is a factor of a thousand."""
EMPTY_FRACTION = 0.01
FEWEST_EFFECTIVE = 1.0
"""Events, (sum w)^2 / sum w^2, below which weights are refused."""


@dataclass(frozen=True)
class CheckReport:
    """What was found in a sample.

    `energy_range` is the least and greatest incident energy (MeV), `ratio` the median of deposited over incident
    energy; both None without incident energies. `empty` counts showers without any energy.
    """

    name: str
    events: int
    energy_range: tuple[float, float] | None = None
    ratio: float | None = None
    empty: int = 0
    warnings: list[str] = field(default_factory=list)


def check_events(
    source: EventSource, name: str = "the sample", progress: Callable[[int], None] | None = None
) -> CheckReport:
    """Read all of `source` once.

    Args:
        source: the events.
        name: what to call the sample in messages, e.g. its path.
        progress: called with the number of events checked so far.

    Raises:
        FacsimError: no events, NaN or infinite values, negative cell energies, incident energies that are not
            positive, weights that add up to about zero, or a damaged file.
    """
    if not len(source):
        raise FacsimError(f"'{name}' holds no events.")
    energies: list[FloatArray] = []
    totals: list[FloatArray] = []
    first, weights = 0, np.zeros(2)
    weighted = source.read(0, 0).weight is not None
    for batch in chunks(source, batch_rows(source)):
        energy, total = _check_batch(batch, name, first)
        if batch.weight is not None:
            weights += batch.weight.sum(dtype=np.float64), np.square(batch.weight, dtype=np.float64).sum()
        energies.append(energy)
        totals.append(total)
        first += len(batch)
        if progress is not None:
            progress(first)
    if weighted:
        _check_weights(weights, name)
    particle = source.schema.geometry.particle if source.schema.geometry is not None else ""
    return _report(name, first, np.concatenate(energies), np.concatenate(totals), particle)


def _check_weights(sums: FloatArray, name: str) -> None:
    """Refuse weights that nearly cancel; `sums` are those of the weights and of their squares."""
    if not sums[0] > 0 or sums[0] ** 2 < (1 - 1e-9) * FEWEST_EFFECTIVE * sums[1]:
        raise FacsimError(
            f"the weights of '{name}' add up to {sums[0]:.4g}, about zero for weights of that size: expected a "
            "positive sum; are they the sWeights of the signal?"
        )


def _check_batch(batch: Events, name: str, first: int) -> tuple[FloatArray, FloatArray]:
    """Incident and deposited energies of a batch, empty where there are none; `first` is its place in the file."""
    for row in np.flatnonzero(~np.isfinite(batch.cond).all(axis=1))[:1]:
        feature = batch.schema.conditions[int(np.argmin(np.isfinite(batch.cond[row])))].name
        raise FacsimError(f"'{name}': '{feature}' of event {first + row} is not a finite number.")
    if batch.weight is not None and not np.isfinite(batch.weight).all():
        raise FacsimError(f"'{name}': the weights hold values that are not finite numbers.")
    energy = _incident(batch, name, first)
    per_event = batch.x.reshape(len(batch), -1)
    with np.errstate(invalid="ignore"):
        total = per_event.sum(axis=1, dtype=np.float64)
    for row in np.flatnonzero(~np.isfinite(total))[:1]:
        count = int((~np.isfinite(per_event)).any(axis=1).sum())
        raise FacsimError(
            f"'{name}' has NaN or infinite values in {count} of events {first} to {first + len(batch) - 1}, "
            f"the first in event {first + row}."
        )
    deposits = _deposits(batch)
    if deposits is None:
        return energy, np.empty(0)
    lowest = deposits.min(axis=1, initial=0.0)
    for row in np.flatnonzero(lowest < 0)[:1]:
        what = "cell energies" if batch.schema.representation == "grid" else "deposits"
        raise FacsimError(
            f"'{name}' has negative {what}, the first in event {first + row} ({lowest[row]:.4g} MeV): "
            "set noise-subtracted or unphysical ones to zero."
        )
    return energy, deposits.sum(axis=1, dtype=np.float64)


def _deposits(batch: Events) -> Array | None:
    """Energies in MeV of all cells, or of all points of a cloud, (N, M); None for other events."""
    if batch.schema.representation == "grid":
        return batch.x.reshape(len(batch), -1)
    names = [feature.name for feature in batch.schema.features if feature.unit == "MeV"]
    if batch.schema.representation != "cloud" or "energy" not in names:
        return None
    place = [feature.name for feature in batch.schema.features].index("energy")
    return batch.x[:, :, place]


def _incident(batch: Events, name: str, first: int) -> FloatArray:
    if INCIDENT not in [feature.name for feature in batch.schema.conditions]:
        return np.empty(0)
    energy = np.asarray(batch.condition(INCIDENT), dtype=np.float64)
    for row in np.flatnonzero(energy <= 0)[:1]:
        raise FacsimError(
            f"'{name}': the incident energy of event {first + row} is {energy[row]:.4g} MeV, not positive."
        )
    return energy


def _report(name: str, n: int, energies: FloatArray, totals: FloatArray, particle: str) -> CheckReport:
    warnings: list[str] = []
    span = (float(energies.min()), float(energies.max())) if len(energies) else None
    empty = int((totals == 0).sum())
    if empty > EMPTY_FRACTION * n:
        warnings.append(f"{empty} of the {n} showers in '{name}' have no energy at all.")
    ratio = None
    if len(energies) and len(totals) and empty < n:
        filled = totals > 0
        ratio = float(np.median(totals[filled] / energies[filled]))
        if not PLAUSIBLE_RATIO[0] <= ratio <= PLAUSIBLE_RATIO[1] and particle != "muon":
            warnings.append(_unit_warning(name, ratio))
    return CheckReport(name, n, span, ratio, empty, warnings)


def _unit_warning(name: str, ratio: float) -> str:
    factor = 1000.0 ** -round(np.log10(ratio) / 3)
    deeds = f"multiplying its cell energies by {factor:g} (or its incident energies by {1 / factor:g})"
    return (
        f"'{name}' deposits {ratio:.3g} of the incident energy (median), which is implausible: "
        f"are its units right? Both must be MeV; {deeds} would give {ratio * factor:.3g}."
    )


def check_alike(a: Schema, b: Schema, name_a: str, name_b: str) -> None:
    """Refuse to compare samples of different detectors.

    Raises:
        FacsimError: another representation, other features, or a read-out with other cells.
    """
    if a.representation != b.representation:
        raise FacsimError(f"'{name_a}' holds a {a.representation}, '{name_b}' a {b.representation}: not comparable.")
    if a.features != b.features:
        names = [[feature.name for feature in schema.features] for schema in (a, b)]
        raise FacsimError(f"'{name_a}' has the columns {names[0]}, '{name_b}' has {names[1]}.")
    if a.geometry is not None and b.geometry is not None and not a.geometry.same_cells(b.geometry):
        raise FacsimError(
            f"'{name_a}' and '{name_b}' have different geometries: {_difference(a.geometry, b.geometry)}."
        )


def _difference(a: Geometry, b: Geometry) -> str:
    if a.n_cells != b.n_cells:
        return f"{a.n_cells} cells ({a.name}) and {b.n_cells} cells ({b.name})"
    if a.n_layers != b.n_layers:
        return f"{a.n_layers} layers ({a.name}) and {b.n_layers} layers ({b.name})"
    if not (isinstance(a, CylinderGeometry) and isinstance(b, CylinderGeometry)):
        return f"cells at other places ({a.name} and {b.name})"
    for one, other in zip(a.layers, b.layers, strict=True):
        if (one.n_alpha, one.r_edges) != (other.n_alpha, other.r_edges):
            shapes = [f"{la.n_alpha} sectors, rings at {list(la.r_edges)} mm" for la in (one, other)]
            return f"layer {one.id} ({shapes[0]}) and layer {other.id} ({shapes[1]})"
    return "none"


def compare_reports(a: CheckReport, b: CheckReport) -> list[str]:
    """Warnings about two samples that are to be compared: other units, incident energies that do not overlap."""
    warnings = []
    if a.ratio and b.ratio:
        times = round(np.log10(b.ratio / a.ratio) / 3)
        if times:
            warnings.append(
                f"'{b.name}' deposits {b.ratio / a.ratio:.3g} times the share of the incident energy that '{a.name}' "
                f"does: its units are probably off by {1000.0**times:g}."
            )
    if a.energy_range and b.energy_range:
        low, high = max(a.energy_range[0], b.energy_range[0]), min(a.energy_range[1], b.energy_range[1])
        if low > high:
            spans = [f"{report.energy_range[0]:.4g} to {report.energy_range[1]:.4g}" for report in (a, b)]  # type: ignore[index]
            warnings.append(
                f"the incident energies do not overlap: {spans[0]} MeV in '{a.name}', {spans[1]} MeV in '{b.name}'."
            )
    return warnings
