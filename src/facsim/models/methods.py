"""The table of generative methods, and building one by name.

To add a method: a subclass of `Method` in a file of this folder and a line here.
"""

from __future__ import annotations

from typing import Any

from facsim.core.errors import FacsimError
from facsim.models.autoregressive import Autoregressive
from facsim.models.base import Method, MethodOptions
from facsim.models.choices import Choice, checked, known
from facsim.models.diffusion import Diffusion
from facsim.models.distilled import Distilled
from facsim.models.flow import Flow
from facsim.models.flow_matching import FlowMatching
from facsim.models.gan import GAN
from facsim.models.nets import check_network
from facsim.models.space import Space
from facsim.models.vae import VAE
from facsim.models.vq import VectorQuantised

METHODS: dict[str, type[Method]] = {
    "autoregressive": Autoregressive,
    "diffusion": Diffusion,
    "distilled": Distilled,
    "flow": Flow,
    "flow-matching": FlowMatching,
    "gan": GAN,
    "vae": VAE,
    "vq": VectorQuantised,
}


def method_options(choice: Choice, where: str = "method") -> MethodOptions:
    """The checked options of the method of `choice`.

    Raises:
        FacsimError: unknown method, network or option, or a bad value.
    """
    known(choice.name, METHODS, "method")
    options = checked(METHODS[choice.name].Options, choice.options, where)
    if options.network is not None:
        check_network(options.network)
    return options


def checked_method(choice: Choice) -> Choice:
    """`choice` as it is: a validator of pydantic for options that name a method.

    Raises:
        ValueError: as `method_options`.
    """
    try:
        method_options(choice)
    except FacsimError as error:
        raise ValueError(str(error)) from None
    return choice


def with_steps(choice: Choice, steps: int | None) -> Choice:
    """The method of `choice` with `steps` in place of its own, where it has steps and some are given."""
    if steps is None or "steps" not in METHODS[choice.name].Options.model_fields:
        return choice
    return Choice(name=choice.name, **{**choice.options, "steps": steps})


def method_phases(choice: Choice) -> tuple[str, ...]:
    """The phases of the method of `choice`."""
    return METHODS[choice.name].phases_of(method_options(choice))


def build_method(choice: Choice, space: Space, n_cond: int, **defaults: Any) -> Method:
    """The method of `choice` for events of `space`; `defaults` are for options that are not given.

    Raises:
        FacsimError: unknown names or options, or a method that does not take such events.
    """
    known(choice.name, METHODS, "method")
    kind = METHODS[choice.name]
    if space.representation not in kind.representations:
        raise FacsimError(
            f"the method '{choice.name}' takes events that are a {' or a '.join(kind.representations)}, not a "
            f"{space.representation}."
        )
    return kind(space, n_cond, method_options(choice.with_defaults(**defaults)))
