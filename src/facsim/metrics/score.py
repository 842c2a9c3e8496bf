"""One result: a value with its error, what truth itself scores, and how many sigma lie between."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from facsim.core.errors import FacsimError


class Estimate(tuple[float, float]):
    """The pair (value, one-sigma error) that metrics return, with the p-value of the hypothesis that both are of
    one distribution; NaN where there is none."""

    p_value: float

    def __new__(cls, pair: Iterable[float], p_value: float = math.nan) -> Estimate:
        made = super().__new__(cls, pair)
        made.p_value = p_value
        return made

    @property
    def value(self) -> float:
        return self[0]

    @property
    def error(self) -> float:
        return self[1]


@dataclass(frozen=True)
class Score:
    """A number about one generated sample, and the same number between two disjoint truth samples.

    Args:
        name: what was measured, e.g. `fpd` or `separation/e_layer`.
        protocol: versioned definition, e.g. `calochallenge-2022`, `jetnet-0.2.5`, `strict`.
        value: the result, `error` its one-sigma error.
        null: the same quantity of truth against truth with equal sample sizes, `null_error` its error.
        n_reference: events of truth compared with, `n_generated`: events judged.
        seed: seed of every random draw behind the number.
        region: `all`, or the part of phase space (e.g. `E1`).
        status: `ok`, or why the number must not be used (e.g. `underpowered`, `failed`).
        better: `lower`, `higher`, or `null` when the best value is the null's.
        note: one sentence for the reader, or empty.
        p_value: of the hypothesis that both samples are of one distribution; NaN where the metric has none.
        details: further numbers by name, e.g. the value before extreme events were limited.
    """

    name: str
    protocol: str
    value: float
    error: float
    null: float = math.nan
    null_error: float = math.nan
    n_reference: int = 0
    n_generated: int = 0
    seed: int = 0
    region: str = "all"
    status: str = "ok"
    better: str = "lower"
    note: str = ""
    p_value: float = math.nan
    details: Mapping[str, float] = field(default_factory=dict)

    @property
    def z(self) -> float:
        """(value - null) / sqrt(error^2 + null_error^2); NaN when an ingredient is missing or both errors are 0."""
        sigma = math.hypot(self.error, self.null_error)
        return (self.value - self.null) / sigma if sigma > 0 else math.nan

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready mapping with `z`; numbers that are not finite become None."""
        return {key: _finite(value) for key, value in {**asdict(self), "z": self.z}.items()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Score:
        """Score from `to_dict`'s mapping (None becomes NaN); `z` is computed anew.

        Raises:
            FacsimError: a required key is missing.
        """
        missing = [name for name in ("name", "protocol", "value", "error") if name not in data]
        if missing:
            raise FacsimError(f"a score needs the keys {missing}; it has {sorted(data)}.")
        known: dict[str, Any] = {f.name: data[f.name] for f in fields(cls) if f.name in data}
        known |= {name: math.nan for name in _NUMBERS if name in known and known[name] is None}
        if "details" in known:
            known["details"] = {key: math.nan if value is None else value for key, value in known["details"].items()}
        return cls(**known)


_NUMBERS = ("value", "error", "null", "null_error", "p_value")


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, float) or hasattr(value, "dtype"):
        number = value.item() if hasattr(value, "item") else value
        return number if math.isfinite(number) else None
    return value
