"""What the TPC's physicists look at in local responses: moments, their profiles, amplitudes and occupancies."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.core.events import Events
from facsim.evaluate.measures import Measured
from facsim.evaluate.physics import Curve, Image, TaskPhysics
from facsim.evaluate.profiles import Deviation, bin_edges, compare, profile
from facsim.evaluate.tpc_plots import CURVES, cell_spectrum, profile_curves, response_images, sum_spectrum
from facsim.physics.tpc import BUCKETS, INNER_ROWS
from facsim.physics.tpc_observables import MOMENTS, TPC_QUANTITIES, log_amplitudes, tpc_observables
from facsim.physics.tpc_window import CROSSING, DIP, DRIFT, PAD, PT, ROW, as_images, is_tpc

FloatArray = NDArray[np.float64]

PROFILED = (*MOMENTS, "log_sum", "hits")
SIGNED = ("mean_pad", "mean_time", "cov")
"""Quantities of either sign: their profiles are compared in units of the reference's width."""


class TPCPhysics(TaskPhysics):
    """Local responses of the TPC (`physics.tpc_window`)."""

    quantities = TPC_QUANTITIES
    region = "drift_length"
    noun = "responses"

    def observe(self, events: Events) -> FloatArray:
        return tpc_observables(events.x)

    def conditions(self, cond: NDArray[Any]) -> FloatArray:
        """Angles and drift length of order one, the places inside pad and time bucket, row type, log10 pT: as many as
        the events have."""
        return tpc_conditions(cond)

    def pixels(self, events: Events) -> FloatArray:
        return log_amplitudes(events.x)

    def measures(self, a: Events, b: Events, seed: int) -> dict[str, Measured]:
        """`profile_mean/...`, `profile_width/...`: mean over bins and conditions of the relative deviation of a
        quantity's mean and width (in units of the width for quantities of either sign); `profile_chi2/...`: chi2 over
        its number of terms; `occupancy`: mean over cells of the difference in how often they are above threshold."""
        counts = (len(a), len(b))
        of_a, of_b = self.observe(a), self.observe(b)
        found: dict[str, Measured] = {"occupancy": _occupancy(a, b)}
        names = [quantity.name for quantity in TPC_QUANTITIES]
        for name in PROFILED:
            k = names.index(name)
            pairs = list(_deviations(a, b, of_a[:, k], of_b[:, k], name in SIGNED))
            if not pairs:
                continue
            for kind in ("mean", "width"):
                values, errors = np.array([getattr(one, kind) for _, one in pairs]).T
                # Profiles against different conditions are made of the same events.
                worst = pairs[int(np.argmax(values))][0]
                found[f"profile_{kind}/{name}"] = Measured(
                    float(values.mean()), float(errors.mean()), counts, note=f"largest against {worst}."
                )
            terms = sum(one.bins for _, one in pairs)
            chi2 = sum(one.chi2 for _, one in pairs) / terms
            error = math.sqrt(2 * len(pairs) / terms)
            found[f"profile_chi2/{name}"] = Measured(chi2, error, counts)
        return found

    def curves(self, samples: Mapping[str, Events]) -> list[Curve]:
        observed = {role: self.observe(events) for role, events in samples.items()}
        views = {role: condition_views(events) for role, events in samples.items()}
        curves = [curve for spec in CURVES for curve in profile_curves(spec, observed, views)]
        return [sum_spectrum(observed), cell_spectrum(samples), *curves]

    def images(self, samples: Mapping[str, Events]) -> list[Image]:
        return response_images(samples)

    def check(self, events: Events) -> None:
        if not is_tpc(events.schema):
            raise FacsimError("these events are no TPC responses of 8 pads x 16 time buckets.")


def tpc_conditions(cond: NDArray[Any]) -> FloatArray:
    """Conditions (N, K) as numbers of order one that say what a response depends on, (N, K')."""
    values = np.asarray(cond, dtype=np.float64)
    width = values.shape[1]
    columns = [values[:, CROSSING] / 20, values[:, DIP] / 60]
    if width > DRIFT:
        columns += [values[:, DRIFT] / BUCKETS, values[:, DRIFT] % 1]
    if width > PAD:
        columns.append(values[:, PAD] % 1)
    if width > ROW:
        columns.append((values[:, ROW] >= INNER_ROWS).astype(np.float64))
    if width > PT:
        columns.append(np.log10(values[:, PT]))
    return np.column_stack(columns)


def condition_views(events: Events) -> dict[str, FloatArray]:
    """What profiles are taken against, by name: the conditions that there are, and the places inside pad and bucket."""
    cond = np.asarray(events.cond, dtype=np.float64)
    names = [feature.name for feature in events.schema.conditions]
    found = {name: cond[:, k] for k, name in enumerate(names) if name not in ("pad_row", "pad_coordinate")}
    if "drift_length" in names:
        found["drift_fraction"] = cond[:, DRIFT] % 1
    if "pad_coordinate" in names:
        found["pad_fraction"] = cond[:, PAD] % 1
    return found


def _deviations(
    a: Events, b: Events, values: FloatArray, other: FloatArray, signed: bool
) -> Iterator[tuple[str, Deviation]]:
    views = condition_views(b)
    for name, condition in condition_views(a).items():
        edges = bin_edges(condition)
        if edges is None:
            continue
        of_a, of_b = profile(condition, values, edges), profile(views[name], other, edges)
        with np.errstate(invalid="ignore"):
            scale = np.maximum(of_a.width if signed else np.abs(of_a.mean), 1e-12)
        deviation = compare(of_a, of_b, scale)
        if deviation is not None:
            yield name, deviation


def _occupancy(a: Events, b: Events) -> Measured:
    """Mean over cells of the absolute difference of the fraction of responses that have them above threshold."""
    p, q = ((as_images(one.x) > 0).mean(axis=0) for one in (a, b))
    variance = p * (1 - p) / len(a) + q * (1 - q) / len(b)
    # Neighbouring cells light up together: as if one in four were independent.
    error = 2 * math.sqrt(float(variance.sum())) / p.size
    return Measured(float(np.abs(p - q).mean()), error, (len(a), len(b)))
