"""What a generative model is: losses by phase, and a sampler whose noise is an argument with a description.

Three things are chosen independently: a method (`Method`: loss and sampler), the networks it uses (`nets.NETWORKS`) and
the events it describes (`Space`). An `EventModel` is what a run trains: physical units in and out, built from methods.
A `Predictor` (`models.predictor`) is trained by the same loop and says something of events instead of making them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from facsim.core.errors import FacsimError
from facsim.core.schema import Representation, Schema
from facsim.models.choices import Choice
from facsim.models.space import Space

Distribution = Literal["normal", "uniform"]
_DRAW: dict[Distribution, Callable[..., Tensor]] = {"normal": torch.randn, "uniform": torch.rand}


@dataclass(frozen=True)
class NoiseSpec:
    """One named noise array: its shape (first axis is the batch) and distribution.

    `normal` is N(0, 1), `uniform` is U(0, 1).
    """

    shape: tuple[int, ...]
    distribution: Distribution = "normal"


@dataclass(frozen=True)
class Batch:
    """Training examples on one device.

    Args:
        x: events as in `Events`: (N, F), (N, V, C) or (N, P, F).
        cond: conditions (N, K); methods on grids also take conditions of each layer, (N, L, K).
        weight: of the events (N,), of mean one over all training events and possibly negative, or None.
        mask: real points of clouds (N, P), or None.
        importance: positive factors of the loss for each element of `x`, of mean one, or None. They may depend on the
            condition only, which leaves the optimum as it is and lowers the noise of gradients where data are noise.
    """

    x: Tensor
    cond: Tensor
    weight: Tensor | None = None
    mask: Tensor | None = None
    importance: Tensor | None = None

    def __len__(self) -> int:
        return len(self.x)


Hint = Callable[[Tensor, Batch], Tensor]
"""Events (N, ...) like those of a batch, at its conditions, to numbers (N, D)."""


class Trainable(nn.Module, ABC):
    """What the training loop needs of anything that is trained.

    `phases` are trained in order; a phase is a cycle of `turns` (one, unless adversaries alternate): each optimiser
    step minimises the losses of one turn over its parameters, with an optimiser of its own.

    `weights` says which event weights the losses accept: `signed` ones where the loss is a sum over events, so that its
    expectation is that of the weighted distribution, and nothing makes it fall without end (arXiv 1905.11719).
    """

    phases: tuple[str, ...] = ("flow",)
    weights: Literal["none", "positive", "signed"] = "positive"

    @abstractmethod
    def losses(self, batch: Batch, turn: str, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        """Losses of `turn` by name; their sum is minimised. Scalars."""

    def turns(self, phase: str) -> tuple[str, ...]:
        """What the optimiser steps of `phase` minimise, one after the other and round again."""
        return (phase,)

    def parameters_of(self, turn: str) -> list[nn.Parameter]:
        """Parameters trained in `turn`; all of them unless a method says otherwise."""
        return list(self.parameters())

    def optimiser_of(self, turn: str) -> dict[str, Any]:
        """Arguments of AdamW in `turn` that differ from the defaults, such as `betas`; `lr_factor` scales the rate."""
        return {}

    def averaged(self, phase: str) -> list[nn.Parameter]:
        """Parameters of which an average is kept at the end of `phase`: those of all turns."""
        kept = {id(p): p for turn in dict.fromkeys(self.turns(phase)) for p in self.parameters_of(turn)}
        return list(kept.values())

    def begin_phase(self, phase: str, batch: Batch, generator: torch.Generator) -> None:
        """What precedes the gradient steps of `phase`: closed-form fits, a student that starts from its teacher."""


class GenerativeModel(Trainable):
    """Base of all generative methods.

    A method owns loss and sampler; a network knows neither; a transform owns units and ranges.
    """

    @abstractmethod
    def sample(self, cond: Tensor, noise: Mapping[str, Tensor]) -> Tensor:
        """Events at the conditions `cond` (N, K), a deterministic function of `noise`."""

    @abstractmethod
    def noise_spec(self, n: int) -> dict[str, NoiseSpec]:
        """The noise that `sample` needs for `n` events."""


class MethodOptions(BaseModel):
    """Options that every method has.

    Args:
        network: name in `nets.NETWORKS` and its options; left out, the representation's default.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    network: Choice | None = None


class Method(GenerativeModel):
    """A generative method on events of any `Space`: what the table `METHODS` lists.

    It works in latent units of order one. The events' conditions and, for clouds, their masks are given; a point
    outside the mask neither influences others nor matters in a sample.

    Args:
        space: the events.
        n_cond: number K of conditions.
        options: an instance of the class's `Options`.
    """

    Options: ClassVar[type[MethodOptions]] = MethodOptions
    representations: ClassVar[tuple[Representation, ...]] = ("table", "grid", "cloud")
    exports: bool = True
    """Whether the sampler can be one ONNX graph; options may decide."""
    steered: str | None = None
    """The turn in which samples are differentiable functions of what it trains, where it is not the last of the last
    phase; empty where there is none."""

    def __init__(self, space: Space, n_cond: int, options: MethodOptions) -> None:
        super().__init__()
        self.space, self.n_cond = space, n_cond

    @classmethod
    def phases_of(cls, options: Any) -> tuple[str, ...]:
        """The phases of a model with these `options`."""
        return cls.phases

    def know(self, intervals: Tensor) -> None:
        """Be told, before the first phase, of `intervals` (F, A, 2) of latents that stand for one value each.

        They are of each channel, in order, with a low end above the high one where there are fewer than A. Densities
        jump at their ends and mean nothing within; methods that cannot use that need not.
        """

    @abstractmethod
    def sample(self, cond: Tensor, noise: Mapping[str, Tensor], mask: Tensor | None = None) -> Tensor:
        """Events `(N, *space.shape)` at the conditions (N, K), real where `mask` (N, P) is, as functions of `noise`."""

    def watch(self, hint: Hint, n: int) -> bool:
        """Show `hint`, `n` further numbers of an event, to what judges events in training; False where nothing does.

        Called before training, once.
        """
        return False

    def draw(self, batch: Batch, generator: torch.Generator | None) -> Tensor:
        """Events at the conditions and with the mask of `batch`, differentiable; points outside of it are zero."""
        noise = {
            name: _DRAW[spec.distribution](spec.shape, generator=generator, device=batch.cond.device)
            for name, spec in self.noise_spec(len(batch)).items()
        }
        x = self.sample(batch.cond, noise, batch.mask)
        return x if batch.mask is None else x * batch.mask[..., None]


class RunModel(Trainable):
    """What the table `MODELS` lists and a run directory holds: built from the schema of the events and options.

    Args:
        schema: of the events.
        options: an instance of the class's `Options`.
    """

    Options: ClassVar[type[BaseModel]]
    training_only: ClassVar[tuple[str, ...]] = ()
    """Beginnings of names of arrays that only training reads, so that weights on disk may lack them."""
    refitted: ClassVar[tuple[str, ...]] = ()
    """Beginnings of names of arrays whose closed-form fits a training from another model's weights makes anew, given
    events enough; networks go on from the weights."""
    compressed: Mapping[str, Any] = {}
    """How it differs from what its options build (`models.compressed`)."""
    schema: Schema
    options: Any

    def __init__(self, schema: Schema, options: Any) -> None:
        super().__init__()
        self.schema, self.options = schema, options

    @classmethod
    def phases_of(cls, options: Any) -> tuple[str, ...]:
        """The phases of a model with these `options`, known before it is built."""
        return cls.phases

    def end_phase(self, phase: str, batch: Batch, generator: torch.Generator) -> None:
        """What follows the gradient steps of `phase`, with the weights that are kept: calibrations."""


class EventModel(RunModel, GenerativeModel):
    """A generative model of the events of a schema."""

    @property
    def event_shape(self) -> tuple[int, ...]:
        """Shape of one event of `sample`: (V, C) of a grid, (F,) of a table, (P, F + 1) of a cloud.

        The last column of a cloud's points is 1 for a point that is there and 0, like all else of it, for one that is
        not.
        """
        schema = self.schema
        features = len(schema.features)
        if schema.representation == "cloud":
            return (schema.points or 0, features + 1)
        return (features,) if schema.geometry is None else (schema.geometry.n_cells, features)


def weighted_mean(values: Tensor, weight: Tensor | None) -> Tensor:
    """Mean over events of `values` (N,) times their weights.

    Weights are of mean one over all training events. They are not divided by their sum in a batch: with negative ones
    it comes near zero now and then, and the ratio is biased in any case.
    """
    return values.mean() if weight is None else (values * weight).mean()


def event_loss(error: Tensor, batch: Batch) -> Tensor:
    """Mean over events of `error` (like `batch.x`), with the batch's importance, mask and weights."""
    if batch.importance is not None:
        error = error * batch.importance
    if batch.mask is None:
        return weighted_mean(error.flatten(1).mean(1), batch.weight)
    real = batch.mask[..., None].to(error)
    of_event = (error * real).flatten(1).sum(1) / (real.sum((1, 2)) * error.shape[-1]).clamp(min=1)
    return weighted_mean(of_event, batch.weight)


def pad_clouds(batch: Batch, points: int) -> Batch:
    """Clouds with a mask and as many points as a model has.

    Raises:
        FacsimError: an event has more.
    """
    n, there = batch.x.shape[:2]
    mask = torch.ones(n, there, dtype=torch.bool, device=batch.x.device) if batch.mask is None else batch.mask
    missing = points - there
    if missing < 0:
        if bool(mask[:, missing:].any()):
            raise FacsimError(f"an event has more than the {points} points that the model gives: raise model.points.")
        return replace(batch, x=batch.x[:, :missing], mask=mask[:, :missing])
    x = nn.functional.pad(batch.x, (0, 0, 0, missing))
    return replace(batch, x=x, mask=nn.functional.pad(mask, (0, missing)))


@contextmanager
def sampling_mode(model: nn.Module) -> Iterator[None]:
    """As outside of training, in single precision: for what a training draws from the model."""
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)


def draw_noise(specs: Mapping[str, NoiseSpec], generator: torch.Generator) -> dict[str, Tensor]:
    """Draw the arrays of `specs` from `generator`, on its device."""
    return {
        name: _DRAW[spec.distribution](spec.shape, generator=generator, device=generator.device)
        for name, spec in specs.items()
    }
