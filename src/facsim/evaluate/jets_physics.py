"""Physics of jets as clouds of particles: JetNet's protocol and the strict one, per kind, truth against surrogate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.core.events import Events
from facsim.core.geometry import FloatArray
from facsim.core.rng import generator
from facsim.evaluate.displays import Display
from facsim.evaluate.jet_measures import JetNumber, JetOptions, JetSample, measure_jets, on_host
from facsim.evaluate.jets_plots import Drawn, jet_curves, jet_displays, jet_images
from facsim.evaluate.labelled import Sample, as_sample
from facsim.evaluate.measures import Key, Measured
from facsim.evaluate.physics import Curve, Image, TaskPhysics
from facsim.metrics.protocols import JETNET, STRICT
from facsim.physics.jet_observables import JET_OBSERVABLES
from facsim.physics.jet_schema import KIND, is_jets, kinds_of
from facsim.physics.quantity import Quantity

FEWEST = 100
"""Jets of a kind in either sample for scores of its own."""
CONTROL_SCALE = 1.05
LEADING = 30
"""Particles that the classifier test of trees sees."""
FEWEST_CLOUDS, CLOUD_BATCHES = 2000, 3
"""Jets for coverage and MMD, which take seconds a batch, and batches of 100 jets."""
FPND_KINDS, FPND_PARTICLES = ("g", "q", "t"), 30
CONNECTED = slice(1, 21)
"""Columns of the energy flow polynomials that are no products of others, without the sum of pT."""
SMALLEST = 1e-12
KEPT = 4
"""Samples whose observables are kept: A, B, the distorted B, and the one that is judged."""
RATIOS: Mapping[str, str] = {"fpd": "at most 3", "w1m": "at most 1.5", "w1p": "at most 1.5", "w1efp": "at most 1.5"}
"""Scores in `jetnet-0.2.5` that are also given as a multiple of truth's own, and the goal for a surrogate."""
SPLITS = 6
"""Times that truth is divided anew for its own value."""


class JetsPhysics(TaskPhysics):
    """Clouds of particles (etarel, phirel, ptrel) with the conditions pT and eta of the jet and, of several kinds,
    `is_g`, `is_t`, ...; other conditions are welcome, none is needed."""

    quantities: ClassVar[tuple[Quantity, ...]] = tuple(
        Quantity(line.name, line.label) for line in JET_OBSERVABLES.values()
    )
    region: ClassVar[str] = "pt"
    noun: ClassVar[str] = "jets"
    distortion: ClassVar[str] = f"angles x {CONTROL_SCALE}"
    most: ClassVar[int] = 50_000
    distances: ClassVar[bool] = False

    def __init__(self) -> None:
        self._known: list[tuple[NDArray[Any], JetSample]] = []

    def check(self, events: Events) -> None:
        if not is_jets(events.schema) or events.schema.given:
            names = [feature.name for feature in events.schema.features]
            raise FacsimError(
                f"jets are clouds of particles with etarel, phirel and ptrel alone, not {names}"
                + (" given the particles of another jet." if events.schema.given else ".")
            )
        if events.weight is not None:
            raise FacsimError("scores of jets take no event weights; remove them, or give unweighted jets.")

    def jets(self, events: Events) -> JetSample:
        """The jets of events, with what is computed of them kept for the next question."""
        for x, jets in self._known:
            if x is events.x:
                return jets
        jets = JetSample(events.x, events.mask)
        self._known = [(events.x, jets), *self._known[: KEPT - 1]]
        return jets

    def observe(self, events: Events) -> FloatArray:
        jets = self.jets(events)
        return np.column_stack([on_host(line.values(jets)) for line in JET_OBSERVABLES.values()])

    def features(self, events: Events, values: FloatArray) -> FloatArray:
        """The quantities, and logarithms of the connected energy flow polynomials."""
        polynomials = on_host(self.jets(events).efps)[:, CONNECTED]
        return np.hstack([values, np.log(np.maximum(polynomials, SMALLEST))])

    def pixels(self, events: Events) -> FloatArray:
        """The hardest particles, (N, 3 `LEADING`)."""
        flat = self.jets(events).flat
        order = np.argsort(-flat[:, :, 2], axis=1, kind="stable")[:, :LEADING]
        found = np.zeros((len(flat), LEADING, 3))
        found[:, : order.shape[1]] = np.take_along_axis(flat, order[:, :, None], axis=1)
        return found.reshape(len(flat), -1)

    def network_sample(self, events: Events) -> Sample:
        flat = self.jets(events).flat
        mask = flat[:, :, 2] > 0
        logarithm = np.log(np.where(mask, flat[:, :, 2], 1.0))
        x = np.concatenate([flat[:, :, :2], logarithm[:, :, None]], axis=2)
        return replace(as_sample(events), x=x.astype(np.float32), mask=mask)

    def distorted(self, events: Events) -> Events:
        """All particles 5 % farther from the axis, jets so much heavier: 2 % drown in the width of their spectra."""
        x = events.x.copy()
        x[:, :, :2] *= CONTROL_SCALE
        return replace(events, x=x)

    def scored(self, a: Events, b: Events, seed: int) -> dict[Key, Measured]:
        """JetNet's protocol and the strict one over all jets, and over those of each kind."""
        found: dict[Key, Measured] = {}
        kinds = kinds_of(a.schema)
        alone = kinds[0] if len(kinds) == 1 else ""
        for region, x, y in self._kinds(a, b):
            options = JetOptions(cloud=False, observables=region != "all")
            clouds = region == "all" and min(len(x), len(y)) >= FEWEST_CLOUDS
            strict = replace(options, cloud=clouds, cloud_batches=CLOUD_BATCHES)
            for protocol in (JETNET, STRICT):
                for number in measure_jets(x, y, protocol, strict if protocol == STRICT else options, seed):
                    found[number.name, protocol, region] = _measured(number, (len(x), len(y)))
            kind = alone if region == "all" else region
            if kind in FPND_KINDS and y.flat.shape[1] == FPND_PARTICLES:
                found["fpnd", JETNET, region] = _fpnd(y, kind)
        return found

    def floors(self, a: Events, b: Events, seed: int) -> dict[Key, tuple[float, float]]:
        """What truth scores against itself in `jetnet-0.2.5` when it is divided anew: mean and spread of each of
        `RATIOS`, by kind."""
        found = {}
        for region, x, y in self._kinds(a, b):
            pooled = JetSample(np.concatenate([x.flat, y.flat]))
            pooled.efps = np.concatenate([on_host(x.efps), on_host(y.efps)])
            pooled.features = {k: np.concatenate([on_host(x.features[k]), on_host(y.features[k])]) for k in x.features}
            rows: dict[str, list[float]] = {}
            for k in range(SPLITS):
                order = generator(seed, "floor", region, str(k)).permutation(len(pooled))
                parts = pooled[order[: len(x)]], pooled[order[len(x) :]]
                for number in measure_jets(*parts, JETNET, JetOptions(cloud=False, kpd=None), seed + k):
                    if number.name in RATIOS and np.isfinite(number.value):
                        rows.setdefault(number.name, []).append(number.value)
            for name, values in rows.items():
                found[name, JETNET, region] = (float(np.mean(values)), float(np.std(values, ddof=1)))
        return found

    def derived(self, found: Mapping[Key, Measured], floors: Mapping[Key, tuple[float, float]]) -> dict[Key, Measured]:
        """Scores as multiples of truth's own, and with its spread in their errors."""
        ratios = {}
        for key, (mean, spread) in floors.items():
            number = found.get(key)
            if number is None or not np.isfinite(number.value) or not mean > 0:
                continue
            # the spread of batches that are drawn from the same jets does not cover what other jets would give
            ratios[key] = replace(number, error=float(np.hypot(number.error, spread)))
            value = number.value / mean
            error = float(np.hypot(number.error, value * spread / SPLITS**0.5)) / mean
            note = f"truth's own: {mean:.3g} ± {spread:.2g} in {SPLITS} divisions; the goal is {RATIOS[key[0]]}."
            ratios[f"{key[0]}/multiple", key[1], key[2]] = replace(number, value=value, error=error, note=note)
        return ratios

    def curves(self, samples: Mapping[str, Events]) -> list[Curve]:
        return [curve for drawn in self._drawn(samples) for curve in jet_curves(drawn)]

    def images(self, samples: Mapping[str, Events]) -> list[Image]:
        return [image for drawn in self._drawn(samples) for image in jet_images(drawn)]

    def displays(self, samples: Mapping[str, Events]) -> list[Display]:
        return [display for drawn in self._drawn(samples) for display in jet_displays(drawn)]

    def _kinds(self, a: Events, b: Events) -> Iterator[tuple[str, JetSample, JetSample]]:
        """All jets, and those of each kind where there are several."""
        x, y = self.jets(a), self.jets(b)
        yield "all", x, y
        for kind, rows in _rows(a).items():
            others = b.condition(KIND + kind) > 0.5
            if min(rows.sum(), others.sum()) >= FEWEST:
                yield kind, x[rows], y[others]

    def _drawn(self, samples: Mapping[str, Events]) -> list[Drawn]:
        rows = {role: _rows(events) for role, events in samples.items()}
        found = []
        for kind in rows["reference"] or ("",):
            chosen = {
                role: rows[role][kind] if kind else np.ones(len(events), bool) for role, events in samples.items()
            }
            if kind and min(part.sum() for part in chosen.values()) < FEWEST:
                continue
            jets = {role: self.jets(events)[chosen[role]] for role, events in samples.items()}
            known = [f.name for f in samples["reference"].schema.conditions]
            pt = {role: events.condition("pt")[chosen[role]] for role, events in samples.items() if "pt" in known}
            found.append(Drawn(kind, jets, pt))
        return found


def _rows(events: Events) -> dict[str, NDArray[np.bool_]]:
    """Where the jets of each kind are, of several kinds."""
    names = [f.name.removeprefix(KIND) for f in events.schema.conditions if f.name.startswith(KIND)]
    return {name: np.asarray(events.condition(KIND + name) > 0.5) for name in names}


def _measured(number: JetNumber, counts: tuple[int, int]) -> Measured:
    if np.isfinite(number.value):
        return Measured(number.value, number.error, counts, better=number.better, p_value=number.p_value)
    note = number.note or "This has no value where the reference does not vary."
    return Measured(number.value, number.error, counts, "not computed" if number.note else "failed", note)


def _fpnd(jets: JetSample, kind: str) -> Measured:
    """Distance of jets to the original JetNet's, where its weights are installed."""
    from facsim.evaluate.fpnd import fpnd  # noqa: PLC0415  torch is heavy

    try:
        found = fpnd(jets.flat.astype(np.float32), kind)
    except FacsimError as problem:
        return Measured(float("nan"), float("nan"), (0, len(jets)), "not computed", str(problem))
    note = f"to the {kind} jets of the original JetNet, not to this truth; truth's own is how far the two are apart."
    return Measured(found.value, found.error, (found.n_reference, found.n_generated), note=note)
