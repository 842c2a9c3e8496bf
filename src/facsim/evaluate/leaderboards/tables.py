"""The published tables: one csv file a challenge, read as one `Entry` a number."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

from facsim.core.errors import FacsimError

Better = Literal["lower", "higher", "truth"]
TRUTHS = ("GEANT4", "Geant4", "Truth")
KEYS = ("dataset", "model", "protocol", "source", "note")


@dataclass(frozen=True)
class Metric:
    """A column of the tables.

    Args:
        name: as in the csv files; a suffix `_e3` says that the number was multiplied by 1000.
        label: for people.
        unit: empty when it has none.
        better: `lower`, `higher`, or `truth` where the best value is what truth scores against truth.
        log: better drawn on a logarithmic axis, linear around 0 where values are negative.
        cost: a time, a size or a number of operations, in place of a quality.
        note: what a reader must know.
    """

    name: str
    label: str
    unit: str = ""
    better: Better = "lower"
    log: bool = False
    cost: bool = False
    note: str = ""


@dataclass(frozen=True)
class Entry:
    """One published number.

    Args:
        board: the csv file: `calochallenge`, `cms_hgcal` or `jetnet`.
        dataset: as the boards are named, e.g. `ds2`.
        model: name of the submission; see `is_truth`.
        metric: a key of `METRICS`.
        value: as published, in the metric's unit.
        error: as published, else NaN.
        protocol: a key of `PROTOCOLS`; numbers of different protocols do not compare.
        source: arXiv number, or repository and commit.
        note: what is special about this row.
    """

    board: str
    dataset: str
    model: str
    metric: str
    value: float
    error: float
    protocol: str
    source: str
    note: str = ""

    @property
    def is_truth(self) -> bool:
        """Whether this is truth against truth: the floor."""
        return self.model in TRUTHS

    @property
    def second_hand(self) -> bool:
        """Whether the source is a transcription by somebody else: check the paper before quoting."""
        return "second-hand" in self.source


PROTOCOLS: Mapping[str, str] = {
    "calochallenge-2022": (
        "The CaloChallenge's evaluation: its own showers and networks (AUC: mean of 10 trainings), FPD and KPD with at "
        "least 10 000 showers a batch, histograms that ignore what lies outside, times on its machines."
    ),
    "cms-hgcal": (
        "The CMS HGCal challenge's script. Its AUC is taken on predictions rounded to 0 or 1, so it is the balanced "
        "accuracy; classes are not balanced, so it depends on the number of showers; the last epoch counts, not the "
        "best. Its mean separation power counts features of layers twice. A few outliers can dominate FPD."
    ),
    "mpgan-2106.11535": "W1 of 10 000 jets a batch; FPND, coverage and MMD as in arXiv 2106.11535.",
    "fpd-2211.10295": "FPD and KPD of energy flow polynomials and W1 as in arXiv 2211.10295.",
    "igapt-2312.04757": "FPD, KPD and W1 as in arXiv 2312.04757.",
    "jetfuel-2026": (
        "A later collection of tables of several papers: second-hand, and with different numbers of jets (W1: 10 000 "
        "or 50 000; coverage and MMD: 100 or 1000) and different conditioning. Operations: forward multiply-adds."
    ),
}
"""Name to what it means."""

_TIME = "Milliseconds per shower on the challenge's machines; the unit is inferred."
_HALF = "Mean over layers; histograms ignore what lies outside their range, and counting noise grows with 1/N."
_OBSERVABLES = {
    "e_layer": "layer energy", "e_ratio": "total energy", "cells": "cell energy", "ec_x": "centre in x",
    "ec_y": "centre in y", "ec_r": "centre in r", "width_x": "width in x", "width_y": "width in y",
    "width_r": "width in r", "sparsity": "sparsity",
}  # fmt: skip

METRICS: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("params", "parameters", log=True, cost=True),
        Metric("auc_low", "AUC, cells"),
        Metric("auc_high", "AUC, high-level features"),
        Metric("auc_resnet", "AUC, convolutional network"),
        Metric("auc", "AUC as published", note="Balanced accuracy of rounded predictions; depends on sample sizes."),
        Metric("fpd_e3", "FPD x 1000", log=True),
        Metric("kpd_e3", "KPD x 1000", log=True),
        Metric("kpd_e6", "KPD x 1e6", log=True),
        Metric(
            "logpost", "log-posterior", better="higher", note="Of one classifier of all submissions: it cannot be "
            "extended to a new model.",
        ),
        Metric("logpost_resnet", "log-posterior, convolutional network", better="higher"),
        *(
            Metric(f"{device}_b{batch}_ms", f"time, {device.upper()}, batch {words}", "ms", "lower", True, True, _TIME)
            for device in ("cpu", "gpu")
            for batch, words in (("1", "1"), ("100", "100"), ("10k", "10 000"))
        ),
        Metric("precision", "precision", better="truth"),
        Metric("recall", "recall", better="truth"),
        Metric("density", "density", better="truth", log=True),
        Metric("coverage", "coverage", better="truth"),
        *(
            Metric(f"sep_{name}_e3", f"separation x 1000, {words}", log=True, note=_HALF)
            for name, words in _OBSERVABLES.items()
        ),
        Metric("showers", "showers judged", better="higher", log=True, cost=True),
        Metric("sep_all", "mean separation power", log=True),
        Metric("ks_all", "mean Kolmogorov-Smirnov distance", log=True),
        Metric("sep_occupancy", "separation, occupancy", log=True),
        *(
            Metric(
                f"b{batch}_ms", f"time, batch {batch}", "ms", "lower", True, True,
                "From the raw records, sampling only; no hardware is named.",
            )
            for batch in (1, 10, 100)
        ),
        Metric("w1m_e3", "W1 of jet mass x 1000"),
        Metric("w1p_e3", "W1 of particle features x 1000"),
        Metric("w1pt_e3", "W1 of particle pT x 1000"),
        Metric("w1efp_e5", "W1 of energy flow polynomials x 1e5"),
        Metric("fpnd", "FPND", log=True),
        Metric("cov", "coverage (COV)", better="higher"),
        Metric("mmd", "minimum matching distance"),
        Metric("us_per_jet", "time per jet", "us", "lower", True, True, "On the device that the row names."),
        Metric("gflop_per_jet", "operations per jet", "GFLOP", "lower", True, True),
    )
}  # fmt: skip
"""Name to column."""


@cache
def entries(table: str) -> tuple[Entry, ...]:
    """All numbers of a csv file, in its order.

    Raises:
        FacsimError: a column that `METRICS` does not know, an unknown protocol, no source, or a cell that is no number.
    """
    with (files(__package__) / f"{table}.csv").open(encoding="utf-8") as handle:
        lines = csv.DictReader(line for line in handle if not line.startswith("#"))
        return tuple(entry for line in lines for entry in _entries(table, line))


def _entries(table: str, line: Mapping[str, str]) -> list[Entry]:
    dataset, model, protocol, source, note = (line[key] for key in KEYS)
    if protocol not in PROTOCOLS or not source:
        raise FacsimError(f"{table}.csv, {dataset}, {model}: expected a source and a protocol of {sorted(PROTOCOLS)}.")
    found = []
    for name, text in line.items():
        if name in KEYS or name.endswith("_error") or not text:
            continue
        if name not in METRICS:
            raise FacsimError(f"{table}.csv has a column '{name}' that METRICS does not know: add a line there.")
        try:
            value, error = float(text), float(line.get(f"{name}_error") or math.nan)
        except ValueError:
            raise FacsimError(f"{table}.csv, {dataset}, {model}: '{text}' in column '{name}' is no number.") from None
        found.append(Entry(table, dataset, model, name, value, error, protocol, source, note))
    return found
