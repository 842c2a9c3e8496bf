"""Detectors by name, from YAML files and from mappings; what is wrong with one, in one sentence."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from facsim.core.errors import FacsimError
from facsim.simulate.detector import Detector


def preset_names() -> list[str]:
    """Names of the detectors that come with facsim."""
    return sorted(p.name.removesuffix(".yaml") for p in _presets().iterdir() if p.name.endswith(".yaml"))


def _presets() -> Any:
    return files("facsim.simulate") / "presets"


def load_detector(source: str | Path | Mapping[str, Any] | Detector) -> Detector:
    """A detector from the name of a preset, a YAML file, a mapping, or itself.

    Raises:
        FacsimError: no such preset or file, not YAML, an unknown key, or an impossible detector.
    """
    if isinstance(source, Detector):
        return source
    if isinstance(source, Mapping):
        return _validated(source, "detector")
    if str(source) in preset_names():
        return _validated(yaml.safe_load((_presets() / f"{source}.yaml").read_text(encoding="utf-8")), str(source))
    path = Path(source)
    if path.suffix not in {".yaml", ".yml"}:
        near = difflib.get_close_matches(str(source), preset_names(), n=1)
        hint = f"did you mean '{near[0]}'" if near else f"expected one of {preset_names()} or a YAML file"
        raise FacsimError(f"unknown detector '{source}': {hint}{'?' if near else '.'}")
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FacsimError(f"cannot read the detector '{path}': {error.strerror}.") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise FacsimError(f"the detector '{path}' is not valid YAML: {' '.join(str(error).split())}.") from None
    return _validated(data, str(path))


def _validated(data: Any, where: str) -> Detector:
    try:
        return Detector.model_validate(data)
    except ValidationError as error:
        raise one_sentence(error, where, Detector) from None


def one_sentence(error: ValidationError, where: str, model: type[BaseModel]) -> FacsimError:
    """The first problem of a failed validation of `model` as one sentence that names the key's path."""
    first = min(error.errors(include_url=False), key=lambda e: e["type"] != "extra_forbidden")
    keys = [str(part) for part in first["loc"]]
    path = ".".join(keys)
    if first["type"] == "extra_forbidden":
        near = difflib.get_close_matches(keys[-1], _fields(model, keys[:-1]), n=1)
        return FacsimError(f"{where}: unknown key '{path}'{f', did you mean {near[0]}?' if near else '.'}")
    if first["type"] == "missing":
        return FacsimError(f"{where}: the key '{path}' is missing.")
    message = first["msg"].removeprefix("Value error, ").rstrip(".")
    message = message.partition(" or instance of ")[0].replace("a valid dictionary", "a mapping of keys to values")
    end = "" if message.endswith("?") else "."
    if first["type"] == "value_error":
        return FacsimError(f"{where}: {f'{path}: ' if path else ''}{message}{end}")
    got = f"'{path}' is {first['input']!r}: " if path else ""
    return FacsimError(f"{where}: {got}{message[0].lower()}{message[1:]}{end}")


def _fields(model: type[BaseModel], keys: list[str]) -> list[str]:
    """Keys of the section that `keys` lead to; none when it is not a section."""
    for key in keys:
        if key in model.model_fields:
            inner = _section(model.model_fields[key].annotation)
            if inner is None:
                return []
            model = inner
    return list(model.model_fields)


def _section(annotation: Any) -> type[BaseModel] | None:
    """The section named somewhere in a field's annotation."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _section(part)) is not None), None)
