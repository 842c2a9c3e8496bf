"""Options of the same model with smaller networks, and a student that begins with all else of its teacher."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import torch

from facsim.core.errors import FacsimError
from facsim.models.autoregressive import Autoregressive
from facsim.models.base import EventModel, Method
from facsim.models.nets import NETWORKS, Network

METHOD_OPTIONS = {"method": "method", "layer_method": "layers", "pattern_method": "pattern"}
"""Attributes of models that are methods, and the options that name these."""
WIDTHS = ("width", "widths")
Json = dict[str, Any]


def methods_of(model: EventModel) -> dict[str, Method]:
    """The generative methods of `model` by attribute."""
    found = {name: getattr(model, name, None) for name in METHOD_OPTIONS}
    return {name: method for name, method in found.items() if isinstance(method, Method)}


def smaller_options(model: EventModel, factor: float, network: Json | None = None) -> Json:
    """Options of `model` with widths of its methods' networks times `factor`, or with the `network` given.

    Raises:
        FacsimError: a method without a network whose width is an option.
    """
    options: Json = model.options.model_dump()
    for name, method in methods_of(model).items():
        key = METHOD_OPTIONS[name]
        options[key] = _smaller(dict(options[key]), method, factor, network)
    return options


def _smaller(choice: Json, method: Method, factor: float, network: Json | None) -> Json:
    nets = [module for module in method.modules() if isinstance(module, Network)]
    if network is None and not nets:
        if not isinstance(method, Autoregressive):
            raise FacsimError(
                f"the method '{choice['name']}' has no network whose width is an option: give the student's with "
                "--set network='{name: ..., width: ...}'."
            )
        return {**choice, "width": _scaled(method.options.width, factor, 1)}
    wanted = network or _smaller_network(choice.get("network"), nets[0], factor)
    teacher = choice.get("teacher")
    if isinstance(teacher, Mapping) and teacher.get("network") is not None:
        return {**choice, "teacher": {**teacher, "network": wanted}}
    return {**choice, "network": wanted}


def _smaller_network(given: Any, net: Network, factor: float) -> Json:
    name = next(key for key, kind in NETWORKS.items() if type(net) is kind)
    known = {key: p.default for key, p in inspect.signature(type(net).__init__).parameters.items()}
    own = {key: value for key, value in given.items() if key != "name"} if isinstance(given, Mapping) else {}
    whole = {**known, **own}
    heads = whole["heads"] if isinstance(whole.get("heads"), int) else 1
    sizes = {key: whole[key] for key in WIDTHS if key in whole}
    if not sizes:
        raise FacsimError(
            f"the network '{name}' has no option for its width: give the student's with --set network=..."
        )
    scaled = {
        key: _scaled(value, factor, heads) if isinstance(value, int) else [_scaled(n, factor, heads) for n in value]
        for key, value in sizes.items()
    }
    return {"name": name, **own, **scaled}


def _scaled(width: int, factor: float, multiple: int) -> int:
    return max(multiple, round(width * factor / multiple) * multiple)


@torch.no_grad()
def begin_as(student: EventModel, teacher: EventModel) -> frozenset[str]:
    """Give `student` all arrays of `teacher` that have its names and shapes; return the names of the others."""
    known, own = teacher.state_dict(), student.state_dict()
    same = {name for name, array in own.items() if name in known and known[name].shape == array.shape}
    student.load_state_dict({**own, **{name: known[name] for name in same}})
    return frozenset(own) - same


def phases_with(model: EventModel, names: frozenset[str]) -> tuple[str, ...]:
    """The phases of `model` that train any of the parameters `names`."""
    wanted = {id(parameter) for name, parameter in model.named_parameters() if name in names}
    return tuple(
        phase
        for phase in model.phases
        if any(id(p) in wanted for turn in model.turns(phase) for p in model.parameters_of(turn))
    )
