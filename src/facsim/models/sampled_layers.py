"""The layers that sampling a model goes through: what makes a sample cheaper is a change of these."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from facsim.models.base import EventModel, draw_noise, sampling_mode

LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
"""Modules with a matrix of weights each."""
See = Callable[[str, Tensor], None]


def sampled_layers(model: EventModel, cond: Tensor) -> dict[str, nn.Module]:
    """The `LAYERS` that `model` goes through to sample at conditions (N, K), by name.

    Critics, encoders and the networks of teachers are none of these.
    """
    named: dict[str, nn.Module] = {name: module for name, module in model.named_modules() if isinstance(module, LAYERS)}
    seen: set[str] = set()
    with watched(named, lambda name, _: seen.add(name)):
        sample_once(model, cond)
    return {name: module for name, module in named.items() if name in seen}


def sample_once(model: EventModel, cond: Tensor, seed: int = 0) -> Tensor:
    """Events at conditions (N, K), without gradients."""
    noise = draw_noise(model.noise_spec(len(cond)), torch.Generator().manual_seed(seed))
    with torch.no_grad(), sampling_mode(model):
        return model.sample(cond, noise)


@contextmanager
def watched(layers: dict[str, nn.Module], see: See) -> Iterator[None]:
    """Meanwhile tell `see` the name of each of `layers` that is called, and what goes in."""

    def hook(name: str) -> Callable[[nn.Module, Any], None]:
        return lambda _, given: see(name, given[0])

    handles = [layer.register_forward_pre_hook(hook(name)) for name, layer in layers.items()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
