"""What is wrong with a configuration, in one sentence with the full path of the key."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError


def nearest(name: str, known: Iterable[str], prefix: str = "") -> str:
    """`: did you mean ...?` when one of `known` is close to `name`, else nothing."""
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f": did you mean '{prefix}{near[0]}'?" if near else ""


def sentence(error: ValidationError, model: type[BaseModel], above: tuple[str, ...], where: str) -> str:
    """The first of pydantic's complaints as one sentence with the full path of the key."""
    first, *others = sorted(error.errors(include_url=False), key=lambda e: e["type"] != "extra_forbidden")
    keys = [str(part) for part in first["loc"] if "[" not in str(part)]  # without pydantic's names of types
    path = ".".join([*above, *keys])
    more = f" ({len(others)} more problem{'s' * (len(others) > 1)} after this one)" if others else ""
    if first["type"] == "extra_forbidden":
        prefix = ".".join([*above, *keys[:-1], ""]).lstrip(".")
        hint = nearest(keys[-1], _fields(model, keys[:-1]), prefix)
        return f"unknown key '{path}' in {where}{hint or '.'}{more}"
    if first["type"] == "missing":
        return f"the key '{path}' is missing in {where}.{more}"
    message = (
        first["msg"]
        .removeprefix("Value error, ")
        .partition(" or instance of ")[0]
        .replace("a valid dictionary", "a mapping of keys to values")
    )
    at = f"'{path}' in {where}: " if path else f"{where}: "
    got = f", not {first['input']!r}" if path and first["type"] != "value_error" else ""
    text = f"{at}{message[0].lower()}{message[1:]}{got}"
    return f"{text}{'' if text.endswith(('.', '?')) else '.'}{more}"


def _fields(model: type[BaseModel], keys: Iterable[str]) -> list[str]:
    """Names of the fields of the section that `keys` lead to; none when it is not a section."""
    for key in keys:
        info = model.model_fields.get(key)
        inner = next(_models(info.annotation), None) if info else None
        if inner is None:
            return []
        model = inner
    return list(model.model_fields)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if get_origin(annotation) in (Union, UnionType, list, Annotated):
        for part in get_args(annotation):
            yield from _models(part)
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
