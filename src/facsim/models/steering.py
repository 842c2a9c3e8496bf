"""Training steered by a metric: what physics needs of the events enters the loss, whatever the method.

`how: loss` is for metrics with gradients. Two events are drawn at the condition of each true one, and the energy score
of the metric's values (`gan_losses.energy_score`, a Cramer distance in one dimension) joins the method's loss. It is
taken at the same condition, so that no condition can make up for another; it is proper, so that the truth's own
distribution is its optimum and the loss of the method is not pulled elsewhere; its gradient on a batch is unbiased (the
sorted values of quantile matching are not); and it is linear in the truth, so that weights may be negative.

`how: regressor` is for all metrics (arXiv 2207.06329). A network is trained along, in a turn of its own, to tell the
metric from true and generated events. What it finds is shown to the critic of an adversarial method; for others it
stands in for the metric in the loss above, on both sides.
"""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from facsim.core.errors import FacsimError
from facsim.core.schema import Schema
from facsim.models.base import Batch, Method, sampling_mode, weighted_mean
from facsim.models.event_transforms import EventTransform
from facsim.models.gan_losses import energy_score
from facsim.models.nets.readers import EventReader
from facsim.models.steering_metrics import find_metric, metric_values

REGRESSOR = "regressor"
FARTHEST = 8.0
"""Standard deviations beyond which a value is not told from others."""


class Steer(BaseModel):
    """Options of steering.

    Args:
        metric: name in `steering_metrics.METRICS`.
        how: `loss` or `regressor`, see above.
        weight: factor of what joins the loss.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    metric: str
    how: Literal["loss", "regressor"] = "loss"
    weight: float = Field(1.0, gt=0)


class Steering(nn.Module):
    """The metric's part in the training of `method`, whose events are latents of `transform`.

    Raises:
        FacsimError: a metric that is not of such events or has no gradient, or a method whose samples have none.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, options: Steer, schema: Schema, method: Method, transform: EventTransform) -> None:
        super().__init__()
        self.metric, self.names = find_metric(options.metric, schema)
        if options.how == "loss" and not self.metric.differentiable:
            raise FacsimError(f"the metric '{options.metric}' has no gradient: steer with 'how: regressor'.")
        self.turn = _steered_turn(method)
        self.options, self.schema, n = options, schema, len(self.names)
        self._parts = method, transform  # a tuple, so that their parameters are not counted here as well
        self.register_buffer("mean", torch.zeros(n))
        self.register_buffer("std", torch.ones(n))
        self.regressor: EventReader | None = None
        self.judged = False
        if options.how == "regressor":
            self.regressor = EventReader(method.space, method.n_cond, n)
            self.judged = method.watch(self._told, n)

    @property
    def trained(self) -> list[nn.Parameter]:
        """Parameters of the regressor."""
        return [] if self.regressor is None else list(self.regressor.parameters())

    def turns(self, phase: str, own: tuple[str, ...]) -> tuple[str, ...]:
        """The turns of `phase`, of which the method has its `own`."""
        return (REGRESSOR, *own) if self.regressor is not None and self.turn in own else own

    @torch.no_grad()
    def fit(self, batch: Batch) -> None:
        """Take mean and standard deviation of the metric of the events of `batch`, in physical units."""
        values = metric_values(self.metric, _real(batch.x, batch), batch.cond, self.schema)
        self.mean.copy_(values.mean(0))
        self.std.copy_(values.std(0, correction=0).clamp(min=1e-6))

    def losses(self, physical: Batch, latents: Batch, generator: torch.Generator | None) -> dict[str, Tensor]:
        """What joins the losses of the turn `self.turn`, for one batch in physical units and in latents."""
        if self.judged:
            return {}
        method, _ = self._parts
        drawn = [method.draw(latents, generator) for _ in range(2)]
        if self.regressor is None:
            real, fake, other = (self._values(x, physical) for x in (latents.x, *drawn))
        else:
            real, fake, other = (self._told(x, latents) for x in (latents.x, *drawn))
        score = energy_score(real, fake, other)
        return {"steering": self.options.weight * weighted_mean(score, latents.weight)}

    def regression(self, physical: Batch, latents: Batch, generator: torch.Generator | None) -> dict[str, Tensor]:
        """The regressor's squared errors on true and on generated events."""
        method, _ = self._parts
        with torch.no_grad(), sampling_mode(method):
            drawn = method.draw(latents, generator)
        size = None if latents.weight is None else latents.weight.abs()
        errors = {}
        for name, x in (("true", latents.x), ("generated", drawn)):
            error = (self._told(x, latents) - self._values(x, physical)) ** 2
            errors[name] = weighted_mean(error.mean(1), size)
        return errors

    def _values(self, x: Tensor, physical: Batch) -> Tensor:
        """The metric of latents at the conditions and with the mask of `physical`, over its deviation: (N, D)."""
        _, transform = self._parts
        values = metric_values(self.metric, _real(transform.decode(x), physical), physical.cond, self.schema)
        return ((values - self.mean) / self.std).clamp(-FARTHEST, FARTHEST)

    def _told(self, x: Tensor, batch: Batch) -> Tensor:
        """What the regressor finds of latents: (N, D)."""
        assert self.regressor is not None
        out: Tensor = self.regressor(x, batch.cond, batch.mask)
        return out


def _real(x: Tensor, batch: Batch) -> Tensor:
    """Events with zeros in place of points that are not there."""
    return x if batch.mask is None else x * batch.mask[..., None]


def _steered_turn(method: Method) -> str:
    turn = method.turns(method.phases[-1])[-1] if method.steered is None else method.steered
    if not turn:
        name = type(method).__name__
        raise FacsimError(f"the events that '{name}' draws have no gradient to steer by: choose another method.")
    return turn
