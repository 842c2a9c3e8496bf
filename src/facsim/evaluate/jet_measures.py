"""All numbers that compare two samples of jets, by protocol, without their nulls. Explained in docs/metrics-jets.md."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from copy import copy
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.arrays import Array, as_type, namespace
from facsim.core.errors import FacsimError
from facsim.metrics.bootstrap_w1 import bootstrap_w1, grouped_w1
from facsim.metrics.clouds import coverage_mmd
from facsim.metrics.frechet import MIN_SAMPLES, fpd
from facsim.metrics.kernel import BATCH_SIZE, kpd
from facsim.metrics.outliers import outlier_fraction
from facsim.metrics.protocols import JETNET, STRICT
from facsim.metrics.score import Estimate
from facsim.metrics.triangular import separation_power
from facsim.metrics.wasserstein import wasserstein_1d
from facsim.physics.jet_arrays import particles
from facsim.physics.jet_observables import JET_OBSERVABLES, Jets
from facsim.physics.jets import W1EFP_COLUMNS
from facsim.physics.observables import strict_bins

PROTOCOLS = (JETNET, STRICT)
FEATURES = ("eta", "phi", "pt")
PERMUTATIONS = 199

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class JetOptions:
    """Sizes of the resampled numbers; the defaults are jetnet's.

    Args:
        w1_samples, w1_batches: jets of a batch and batches of W1M, W1P and W1EFP in `jetnet-0.2.5`.
        fpd, kpd: further arguments of `metrics.frechet.fpd` and `metrics.kernel.kpd` in `jetnet-0.2.5`; None leaves
            the score out.
        observables: compare every observable of `physics.jet_observables` by itself, in `strict`.
        cloud: compute coverage and MMD, which take about a minute of one core.
        cloud_samples, cloud_batches: jets of a batch and batches of coverage and MMD.
    """

    w1_samples: int = 50_000
    w1_batches: int = 5
    fpd: Mapping[str, Any] | None = field(default_factory=dict)
    kpd: Mapping[str, Any] | None = field(default_factory=dict)
    observables: bool = True
    cloud: bool = True
    cloud_samples: int = 100
    cloud_batches: int = 10


@dataclass(frozen=True)
class JetNumber:
    """One number; `better`, `p_value`, `note` as in `metrics.score.Score`. A number that is not computed has a note."""

    name: str
    value: float
    error: float
    better: str = "lower"
    p_value: float = math.nan
    note: str = ""


class JetSample(Jets):
    """`Jets` whose shared quantities are float64 on the host, as metrics take them.

    Raises:
        FacsimError: wrong shapes, numbers that are not finite, negative pT.
    """

    def __init__(self, jets: Array, mask: Array | None = None) -> None:
        xp = namespace(jets)
        found = particles(jets.detach() if hasattr(jets, "detach") else jets, mask, positive=True)
        super().__init__(as_type(xp.stack(list(found), 2), xp.float64))
        self.flat: FloatArray = on_host(self.particles)

    def __getitem__(self, rows: NDArray[Any] | slice) -> JetSample:
        """Some of the jets, with what is known of them."""
        part = copy(self)
        known = {name: value for name, value in vars(self).items() if name not in ("mask", "features")}
        vars(part).update({name: value[rows] for name, value in known.items()})
        if "features" in vars(self):
            part.features = {name: value[rows] for name, value in self.features.items()}
        return part

    def constituents(self, protocol: str) -> tuple[FloatArray, NDArray[np.int64]]:
        """Features (K, 3) of all particles and the number in each jet (N,): of pT > 0, for jetnet not all zero."""
        kept = self.flat.any(axis=2) if protocol == JETNET else self.flat[:, :, 2] > 0
        return self.flat[kept], kept.sum(axis=1)


def on_host(array: Array) -> FloatArray:
    """As a numpy array of float64."""
    return np.asarray(array.cpu() if hasattr(array, "cpu") else array, dtype=np.float64)


def measure_jets(a: JetSample, b: JetSample, protocol: str, options: JetOptions, seed: int) -> Iterator[JetNumber]:
    """Numbers of sample `b` against the reference `a`.

    Raises:
        FacsimError: unknown protocol, or a sample that is too small.
    """
    if protocol not in PROTOCOLS:
        raise FacsimError(f"unknown protocol '{protocol}' of jets: use some of {list(PROTOCOLS)}.")
    x, y = on_host(a.efps), on_host(b.efps)
    for name, function in (("fpd", fpd), ("kpd", kpd)):
        if getattr(options, name) is not None:
            yield _distance(name, function, x, y, protocol, getattr(options, name), seed)
    yield from _w1(a, b, protocol, options, seed)
    if protocol == STRICT:
        if options.observables:
            yield from _observables(a, b, seed)
        far = outlier_fraction(x, y)
        yield JetNumber("outliers", far, float(np.sqrt(far * (1 - far) / len(y))))
    if options.cloud:
        cloud = coverage_mmd(
            a.particles,
            b.particles,
            protocol,
            num_eval_samples=options.cloud_samples,
            num_batches=options.cloud_batches,
            seed=seed,
        )
        yield JetNumber("coverage", cloud.coverage, cloud.coverage_error, "null")
        yield JetNumber("mmd", cloud.mmd, cloud.mmd_error)


def _distance(
    name: str,
    function: Callable[..., Estimate],
    x: FloatArray,
    y: FloatArray,
    protocol: str,
    given: Mapping[str, Any],
    seed: int,
) -> JetNumber:
    """FPD or KPD; why not, where the protocol asks for more jets than there are."""
    if protocol == STRICT:
        found = function(x, y, protocol, seed=seed, permutations=PERMUTATIONS)
        return JetNumber(name, *found, p_value=found.p_value)
    size, least = ("min_samples", MIN_SAMPLES[protocol]) if name == "fpd" else ("batch_size", BATCH_SIZE[protocol])
    if size not in given and min(len(x), len(y)) < least:
        note = f"defined from {least} jets a sample; JetOptions({name}={{'{size}': ...}}) sets another size."
        return JetNumber(name, math.nan, math.nan, note=note)
    return JetNumber(name, *function(x, y, protocol, seed=seed, **given))


def _w1(a: JetSample, b: JetSample, protocol: str, options: JetOptions, seed: int) -> Iterator[JetNumber]:
    """W1 of masses (jetnet), of particles' features and of five polynomials, with the mean of the latter two."""
    draw = _jetnet_w1(options, seed)
    if protocol == JETNET:
        mass = draw(*(on_host(s.features["mass"])[:, None] for s in (a, b)))[:, 0]
        yield JetNumber("w1m", float(mass.mean()), float(mass.std()))
    (x, of_x), (y, of_y) = a.constituents(protocol), b.constituents(protocol)
    columns = list(W1EFP_COLUMNS)
    polynomials = on_host(a.efps)[:, columns], on_host(b.efps)[:, columns]
    for name, parts, samples, counts in (
        ("w1p", FEATURES, (x, y), (of_x, of_y)),
        ("w1efp", tuple(str(column) for column in columns), polynomials, (None, None)),
    ):
        if protocol == JETNET:
            draws = draw(*samples, *counts)
            values, errors, of_mean = draws.mean(axis=0), draws.std(axis=0), float(draws.mean(axis=1).std())
        else:
            unit = np.std(samples[0], axis=0)
            unit[unit == 0] = 1.0
            values, draws = grouped_w1(samples[0] / unit, samples[1] / unit, *counts, seed=seed)
            errors, of_mean = draws.std(axis=0, ddof=1), float(draws.mean(axis=1).std(ddof=1))
        yield JetNumber(name, float(values.mean()), of_mean)
        for part, value, error in zip(parts, values, errors, strict=True):
            yield JetNumber(f"{name}/{part}", float(value), float(error))


def _jetnet_w1(options: JetOptions, seed: int) -> Callable[..., FloatArray]:
    return partial(bootstrap_w1, num_eval_samples=options.w1_samples, num_batches=options.w1_batches, seed=seed)


def _observables(a: JetSample, b: JetSample, seed: int) -> Iterator[JetNumber]:
    for name, observable in JET_OBSERVABLES.items():
        x, y = on_host(observable.values(a)), on_host(observable.values(b))
        yield JetNumber(f"w1/{name}", *wasserstein_1d(x, y, normalise=True))
        yield JetNumber(f"separation/{name}", *separation_power(x, y, strict_bins(x), STRICT, seed=seed))
