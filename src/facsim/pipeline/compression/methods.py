"""The table of methods that make a trained surrogate cheaper. To add one: a file of this folder and a line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from facsim.core.errors import FacsimError
from facsim.models.base import EventModel
from facsim.models.choices import checked, known
from facsim.pipeline.compression import distil, half, int8, prune, steps
from facsim.pipeline.compression.job import Job, Options


@dataclass(frozen=True)
class Method:
    """A way to compress.

    Attributes:
        does: what becomes of the model, in a sentence.
        options: class of its options. make: does it. unfit: why it cannot be done to a model, or None.
        onnx: whether the result is a graph alone.
    """

    make: Callable[[Job, Any], None]
    options: type[Options]
    unfit: Callable[[EventModel], str | None]
    onnx: bool = False

    @property
    def does(self) -> str:
        """What it does, in a sentence."""
        return (self.make.__doc__ or "").strip()


METHODS: dict[str, Method] = {
    "fp16": Method(half.fp16, half.HalfOptions, half.without_layers),
    "bf16": Method(half.bf16, half.HalfOptions, half.without_layers),
    "int8-dynamic": Method(int8.int8_dynamic, int8.Int8Options, int8.without_graph, onnx=True),
    "int8-static": Method(int8.int8_static, int8.StaticOptions, int8.without_graph, onnx=True),
    "sparse": Method(prune.sparse, prune.SparseOptions, prune.without_layers),
    "narrow": Method(prune.narrow, prune.NarrowOptions, prune.without_units),
    "distil": Method(distil.distil, distil.DistilOptions, distil.without_method),
    "few-steps": Method(steps.few_steps, steps.FewStepsOptions, steps.without_steps),
    "distil-steps": Method(steps.distil_steps, steps.DistilStepsOptions, steps.without_flow),
}


@dataclass(frozen=True)
class Asked:
    """A method with its options, and the name of what it gives: the method and the options that are not the default."""

    name: str
    method: Method
    options: Options

    @property
    def label(self) -> str:
        """Name of the folder and of the row in the table, such as `narrow-share=0.75`."""
        changed = self.options.model_dump(exclude_defaults=True)
        return "-".join([self.name, *(f"{key}={_short(value)}" for key, value in changed.items())])


def asked(names: Sequence[str], settings: Sequence[str]) -> list[Asked]:
    """The methods `names`, which may have options of their own, `narrow:share=0.75,tune=0`.

    Further options come from `settings`: `key=value` of all that have the key, or `method.key=value`.

    Raises:
        FacsimError: an unknown method or option, or a value that an option does not take.
    """
    if not names:
        raise FacsimError(f"say how to compress, with --method: one or more of {sorted(METHODS)}.")
    parts = [(text, *text.partition(":")[::2]) for text in names]
    for _, name, _ in parts:
        known(name, METHODS, "method of compression")
    shared: dict[str, dict[str, Any]] = {name: {} for _, name, _ in parts}
    for text in settings:
        path, equals, value = text.partition("=")
        method, _, key = path.strip().rpartition(".")
        takers = [name for name in shared if method in ("", name) and key in METHODS[name].options.model_fields]
        if not takers or not equals:
            raise FacsimError(f"'--set {text}' sets no option of these methods, which have {_options_of(shared)}.")
        for name in takers:
            shared[name][key] = _value(value, f"--set {text}")
    found = []
    for text, name, own in parts:
        pairs = [pair.partition("=") for pair in own.split(",") if pair]
        options = {**shared[name], **{key.strip(): _value(value, f"--method {text}") for key, _, value in pairs}}
        found.append(Asked(name, METHODS[name], checked(METHODS[name].options, options, name)))
    labels = [one.label for one in found]
    if len(set(labels)) < len(labels):
        raise FacsimError(f"each method may be asked for once with the same options, not {labels}.")
    return found


def fitting(model: EventModel) -> list[str]:
    """Methods that fit `model`."""
    return [name for name, method in METHODS.items() if method.unfit(model) is None]


def check_fit(ones: Sequence[Asked], model: EventModel) -> None:
    """Refuse methods that do not fit `model`.

    Raises:
        FacsimError: there is one.
    """
    for one in ones:
        if (why := one.method.unfit(model)) is not None:
            raise FacsimError(f"'{one.name}' does not fit this model: {why}; what fits: {fitting(model)}.")


def listed() -> dict[str, Any]:
    """All methods: what each does, and its options with defaults and meaning."""
    return {
        name: {
            "does": method.does,
            "options": {
                key: {"default": known_field.default, "meaning": known_field.description or ""}
                for key, known_field in method.options.model_fields.items()
            },
        }
        for name, method in METHODS.items()
    }


def _options_of(names: Mapping[str, Any]) -> str:
    return "; ".join(f"{name}: {sorted(METHODS[name].options.model_fields) or 'none'}" for name in names)


def _value(text: str, setting: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        raise FacsimError(f"'{setting}' is no YAML behind the equals sign.") from None


def _short(value: Any) -> str:
    if isinstance(value, Mapping):
        return "+".join(f"{key}:{_short(one)}" for key, one in value.items())
    return "x".join(map(_short, value)) if isinstance(value, list | tuple) else str(value)
