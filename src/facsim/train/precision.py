"""Networks in half precision and compiled, while a model trains.

Only networks are touched: densities, quantile functions and losses stay in single precision, where rounding would
change the physics. In evaluation mode networks are in single precision too, so that a model is judged as it is used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from facsim.core.errors import FacsimError
from facsim.models.nets import Network
from facsim.models.nets.classifiers import ClassifierNetwork

PRECISIONS: dict[str, torch.dtype] = {"32": torch.float32, "bf16": torch.bfloat16, "16": torch.float16}


def choose_precision(name: str, device: torch.device, model: nn.Module) -> torch.dtype:
    """The type of matrix products; `auto` is bfloat16 for networks on GPUs that have it, else single precision."""
    if name == "auto":
        half = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
        name = "bf16" if half and networks_of(model) else "32"
    return PRECISIONS[name]


def networks_of(model: nn.Module) -> list[nn.Module]:
    """The outermost networks of `model`."""
    if isinstance(model, Network | ClassifierNetwork):
        return [model]
    return [network for child in model.children() for network in networks_of(child)]


@contextmanager
def training_networks(model: nn.Module, dtype: torch.dtype, compiled: bool) -> Iterator[None]:
    """Let the networks of `model` compute in `dtype` when in training mode, compiled by `torch.compile` if asked.

    Afterwards they are as before.

    Raises:
        FacsimError: half precision or compilation is asked of a model without networks of facsim.
    """
    half = dtype != torch.float32
    networks = networks_of(model) if half or compiled else []
    if (half or compiled) and not networks:
        raise FacsimError(
            "train.precision and train.compile act on networks of facsim (`facsim.models.nets`), and this model has "
            "none: --set train.precision=32 train.compile=false."
        )
    for network in networks:
        if half:
            setattr(network, "forward", _in_precision(network, dtype))  # noqa: B010  mypy forbids assigning methods
        if compiled:
            network.compile()
    try:
        yield
    finally:
        for network in networks:
            network.__dict__.pop("forward", None)
            network._compiled_call_impl = None


def _in_precision(network: nn.Module, dtype: torch.dtype) -> Callable[..., Tensor]:
    plain: Callable[..., Tensor] = network.forward

    def forward(*args: Any, **kwargs: Any) -> Tensor:
        if not network.training:
            return plain(*args, **kwargs)
        device = next(a for a in args if isinstance(a, Tensor)).device.type
        with torch.autocast(device, dtype):
            return plain(*args, **kwargs).float()

    return forward
