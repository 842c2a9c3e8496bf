"""The histograms, profiles and matrices of all samples, brought together observable by observable."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from facsim.core.errors import FacsimError
from facsim.report.histograms import FloatArray, Histogram, read_uhi, readable_factor
from facsim.report.rundata import Json, Sample


@dataclass(frozen=True)
class Observable:
    """One observable in truth A (`reference`), truth B (`null`) and every generated sample."""

    name: str
    label: str
    unit: str
    layer: int | None
    log_x: bool
    log_y: bool
    reference: Histogram
    null: Histogram | None
    generated: dict[str, Histogram] = field(default_factory=dict)
    region: str = "all"

    def readable(self) -> Observable:
        """The same with bins merged where truth has too few entries, or steps, for them."""
        factor = readable_factor(self.reference)
        null = None if self.null is None else self.null.merged(factor)
        generated = {name: part.merged(factor) for name, part in self.generated.items()}
        return replace(self, reference=self.reference.merged(factor), null=null, generated=generated)

    @property
    def key(self) -> str:
        """Unique within a report."""
        parts = [self.name, *([] if self.layer is None else [str(self.layer)])]
        return "-".join([*parts, *([] if self.region == "all" else [self.region])])

    @property
    def axis_label(self) -> str:
        """Label with layer and unit, unless the label already has them."""
        known = self.layer is None or str(self.layer) in self.label
        label = self.label if known else f"{self.label}, layer {self.layer}"
        return f"{label} [{self.unit}]" if self.unit and "[" not in label else label


@dataclass(frozen=True)
class Profile:
    """A mean profile in truth and samples: each a pair (values, errors) over `centres`."""

    name: str
    label: str
    unit: str
    centres: FloatArray
    reference: tuple[FloatArray, FloatArray]
    null: tuple[FloatArray, FloatArray] | None
    generated: dict[str, tuple[FloatArray, FloatArray]] = field(default_factory=dict)


def collect_observables(samples: Iterable[Sample], problems: list[str], region: str = "all") -> list[Observable]:
    """Observables of `region` in file order; a sample whose bins differ from the first one's is left out."""
    found: dict[tuple[str, int | None], Observable] = {}
    for sample in samples:
        for item in (sample.histograms or {}).get("items", []):
            if item.get("region", "all") != region:
                continue
            try:
                _add(found, sample.name, item)
            except (FacsimError, KeyError) as error:
                problems.append(f"hists/{sample.name}.json, observable '{item.get('observable')}': {error}")
    return list(found.values())


def _add(found: dict[tuple[str, int | None], Observable], name: str, item: Json) -> None:
    key = (str(item["observable"]), item.get("layer"))
    if key not in found:
        found[key] = Observable(
            key[0],
            str(item.get("label", key[0])),
            str(item.get("unit", "")),
            key[1],
            bool(item.get("log_x", False)),
            bool(item.get("log_y", False)),
            read_uhi(item["reference"]),
            read_uhi(item["null"]) if item.get("null") else None,
            region=str(item.get("region", "all")),
        )
    generated = read_uhi(item["generated"])
    if np.array_equal(generated.edges, found[key].reference.edges):
        found[key].generated[name] = generated


def spread(items: list[Observable], most: int) -> list[Observable]:
    """At most `most` layers of each observable, evenly spread; observables without a layer are all kept."""
    layers: dict[str, list[int]] = {}
    for item in items:
        if item.layer is not None:
            layers.setdefault(item.name, []).append(item.layer)
    chosen = {
        name: {all_[round((len(all_) - 1) * place)] for place in (np.linspace(0, 1, most) if most > 1 else [0.5])}
        for name, all_ in layers.items()
    }
    return [item for item in items if item.layer is None or item.layer in chosen[item.name]]


def collect_profiles(samples: Iterable[Sample]) -> list[Profile]:
    """Profiles by name, in file order."""
    found: dict[str, Profile] = {}
    for sample in samples:
        for item in (sample.histograms or {}).get("profiles", []):
            name = str(item["name"])
            if name not in found:
                found[name] = Profile(
                    name,
                    str(item.get("label", name)),
                    str(item.get("unit", "")),
                    np.asarray(item["centres"], dtype=np.float64),
                    _pair(item, "reference"),
                    _pair(item, "null") if item.get("null") else None,
                )
            found[name].generated[sample.name] = _pair(item, "generated")
    return list(found.values())


def _pair(item: Json, role: str) -> tuple[FloatArray, FloatArray]:
    values = np.asarray(item[role], dtype=np.float64)
    return values, np.asarray(item.get(f"{role}_error", np.zeros_like(values)), dtype=np.float64)


def collect_arrays(samples: Iterable[Sample], entry: str) -> dict[str, FloatArray]:
    """`correlations` or `mean_shower` of truth A (`reference`), truth B (`null`) and each sample by name."""
    found: dict[str, FloatArray] = {}
    for sample in samples:
        data: Any = (sample.histograms or {}).get(entry) or {}
        for role in ("reference", "null"):
            if role not in found and data.get(role) is not None:
                found[role] = _array(data[role])
        if data.get("generated") is not None:
            found[sample.name] = _array(data["generated"])
    return found


def _array(values: Any) -> FloatArray:
    """Floating array, JSON null becomes NaN."""
    return np.asarray(np.array(values, dtype=object), dtype=np.float64)
