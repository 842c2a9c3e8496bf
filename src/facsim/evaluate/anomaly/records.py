"""Results of metrics as JSON and back: dataclasses, tuples and arrays, with null for what is not finite."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, get_args, get_origin, get_type_hints

import numpy as np

from facsim.metrics.intervals import Interval
from facsim.metrics.score import Estimate


def plain(value: Any) -> Any:
    """JSON-ready content of `value`."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    number = value.item() if isinstance(value, np.generic) else value
    if isinstance(number, float):
        # whole thresholds are kept: -infinity lets all events pass
        return float(f"{number:.7g}") if math.isfinite(number) else None
    return number


def restored(kind: Any, data: Any) -> Any:
    """The inverse of `plain` for the type `kind`; what was not finite is NaN."""
    if isinstance(kind, type) and is_dataclass(kind):
        hints = get_type_hints(kind)
        return kind(**{field.name: restored(hints[field.name], data[field.name]) for field in fields(kind)})
    if kind in (Interval, Estimate):
        numbers = [math.nan if value is None else float(value) for value in data]
        return Interval(*numbers) if kind is Interval else Estimate(numbers)
    origin = get_origin(kind)
    if origin is np.ndarray:
        return np.array(data, dtype=np.float64)
    if origin is list:
        return [restored(get_args(kind)[0], item) for item in data]
    if origin is tuple:
        return tuple(restored(float, item) for item in data)
    return math.nan if data is None and kind is float else data
