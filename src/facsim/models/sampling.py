"""Sampling a trained model from NumPy: conditions and a generator in, events out."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from facsim.core.events import Events, make_events
from facsim.core.schema import Schema
from facsim.models.base import EventModel, NoiseSpec

NUMBERS_AT_ONCE = 3 << 18
"""Numbers of events and their candidates that are sampled together at most: arrays of more leave a processor's cache,
and the system takes their memory back after every operation."""
NUMBERS_ON_DEVICE = 1 << 23
"""The same on a GPU, where the quantile functions hold some hundred bytes for each."""
NOISE_AT_ONCE = 1 << 27
"""Numbers of noise that are drawn at a time, half a gigabyte: events beyond get theirs when their turn comes."""


def draw_noise(model: EventModel, n: int, rng: np.random.Generator) -> dict[str, NDArray[np.float32]]:
    """The model's noise arrays for `n` events, float32, drawn from `rng` in the order of `noise_spec`."""
    return {name: _draw(spec, rng) for name, spec in model.noise_spec(n).items()}


def _draw(spec: NoiseSpec, rng: np.random.Generator) -> NDArray[np.float32]:
    if spec.distribution == "normal":
        return rng.standard_normal(spec.shape, dtype=np.float32)
    return rng.random(spec.shape, dtype=np.float32)


def _numbers(model: EventModel) -> int:
    """Numbers of an event and of its noise, whichever are more."""
    noise = sum(math.prod(spec.shape) for spec in model.noise_spec(1).values())
    return max(noise, math.prod(model.event_shape))


def generated_events(schema: Schema, x: NDArray[Any], cond: NDArray[Any], first: int = 0) -> Events:
    """What a model gave, as events: the last column of a cloud's points says which are there."""
    if schema.representation != "cloud":
        return make_events(schema, x, cond, first)
    present = x[:, :, -1] > 0.5
    return make_events(replace(schema, points=x.shape[1]), x[:, :, :-1], cond, first, mask=present)


class TorchSampler:
    """A trained model with the interface of a baseline.

    Args:
        model: the model; moved to `device` and set to evaluation mode.
        device: torch device name.
        name: how scores and figures call it.
    """

    resamples_truth = False

    def __init__(self, model: EventModel, device: str = "cpu", name: str = "surrogate") -> None:
        self.model = model.to(device).eval()
        self.device, self.name = device, name

    @property
    def memory_bytes(self) -> int:
        """Bytes of the weights."""
        return sum(t.numel() * t.element_size() for t in self.model.state_dict().values())

    def sample(self, cond: NDArray[Any], rng: np.random.Generator) -> NDArray[np.float32]:
        """Events (N, *event_shape), MeV for showers, at the conditions (N, K)."""
        block = max(1, NOISE_AT_ONCE // _numbers(self.model))
        blocks = [cond[first : first + block] for first in range(0, max(len(cond), 1), block)]
        events = [self._block(part, draw_noise(self.model, len(part), rng)) for part in blocks]
        return events[0] if len(events) == 1 else np.concatenate(events)

    def _block(self, cond: NDArray[Any], noise: dict[str, NDArray[np.float32]]) -> NDArray[np.float32]:
        most = NUMBERS_AT_ONCE if self.device == "cpu" else NUMBERS_ON_DEVICE
        step = max(1, most // _numbers(self.model))
        parts = [slice(first, first + step) for first in range(0, max(len(cond), 1), step)]
        events = [self._sample(cond[part], {name: values[part] for name, values in noise.items()}) for part in parts]
        return events[0] if len(events) == 1 else np.concatenate(events)

    def _sample(self, cond: NDArray[Any], noise: dict[str, NDArray[np.float32]]) -> NDArray[np.float32]:
        there = {name: torch.from_numpy(values).to(self.device) for name, values in noise.items()}
        with torch.inference_mode():
            x = self.model.sample(torch.as_tensor(cond, dtype=torch.float32, device=self.device), there)
        out: NDArray[np.float32] = x.float().cpu().numpy()
        return out
