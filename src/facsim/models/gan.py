"""Generative adversarial networks: a generator against a critic, with a choice of losses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field, PositiveInt, model_validator
from torch import Tensor, nn

from facsim.core.errors import FacsimError
from facsim.models.base import Batch, Hint, Method, MethodOptions, NoiseSpec, weighted_mean
from facsim.models.cell_transform import kinked
from facsim.models.gan_losses import (
    GAN_LOSSES,
    ComponentScore,
    PatchScore,
    cramer_score,
    energy_score,
    penalised_gradient,
)
from facsim.models.nets import build_network, without_input
from facsim.models.nets.readers import EventReader, with_numbers
from facsim.models.space import Space

LossName = Literal["non-saturating", "least-squares", "hinge", "relativistic", "wasserstein", "cramer", "energy"]
PENALISED = ("wasserstein", "cramer")
SIGNED = ("wasserstein", "cramer", "energy")
DRIFT = {"wasserstein": 1e-3, "relativistic": 1e-3}
"""Factor of the squared score of true events, where the loss itself leaves an offset free (arXiv 1710.10196)."""


class GANOptions(MethodOptions):
    """Options of `GAN`."""

    loss: LossName = "non-saturating"
    critic_steps: int = Field(1, ge=1, le=20, description="steps of the critic for each one of the generator")
    critic: dict[str, int | str] = Field(
        {}, description="options of the critic's network (nets.readers), such as width; `name` for another one"
    )
    critic_rate: float = Field(1.0, gt=0, description="learning rate of the critic over that of the generator")
    features: int = Field(64, ge=1, description="outputs of the critic for the Cramer loss")
    spectral_norm: bool = False
    gradient_penalty: float = Field(1.0, ge=0, description="of the Wasserstein and Cramer losses")
    r1: float = Field(1.0, ge=0, description="penalty on the critic's gradient at real events, of the other losses")
    one_sided: bool = Field(False, description="whether that penalty is on slopes above 1 alone")
    noise: Literal["elements", "latent"] = Field("elements", description="noise of each element, or of the event alone")
    latent: int = Field(8, ge=0, description="noise numbers of the whole event beside those of each element")
    element_noise: int | None = Field(
        None, ge=1, description="noise numbers of each element; as many as it has channels if left out"
    )
    ordered: bool = Field(False, description="whether points are numbered by their first noise number, rising")
    zeros: Literal["kinked", "straight"] = Field("kinked", description="how the generator learns exact zeros of cells")
    energy: float = Field(0.0, ge=0, description="factor of the energy distance of events beside another loss")
    patches: tuple[tuple[PositiveInt, PositiveInt], ...] = Field(
        (), description="rows and columns of patches of images whose energy distances are added to the events' own"
    )
    components: int = Field(0, ge=0, description="principal components of events whose energy distances are added")

    @model_validator(mode="after")
    def _some_noise(self) -> GANOptions:
        if self.noise == "latent" and self.latent == 0:
            raise ValueError("with 'noise: latent' the generator needs 'latent' numbers, and there are 0")
        if self.noise == "latent" and (self.element_noise is not None or self.ordered):
            raise ValueError(
                "'element_noise' and 'ordered' are of the noise of each element: leave out 'noise: latent'"
            )
        return self


class GAN(Method):
    """Generative adversarial network (Goodfellow et al., arXiv 1406.2661), both networks seeing the condition.

    Losses (`gan_losses`): non-saturating, least squares (arXiv 1611.04076), hinge (arXiv 1705.02894), relativistic
    (arXiv 1807.00734), Wasserstein with gradient penalty (arXiv 1704.00028), Cramer (arXiv 1705.10743), and the energy
    distance of the events themselves, which needs no critic (that of `patches` of images and of principal
    `components` joins it). Spectral normalisation is that of arXiv 1802.05957, the R1 penalty that of arXiv 1801.04406;
    `one_sided` is the penalty of arXiv 2012.04595. Generated and real events are paired by condition. Losses that are
    linear in the real events (Wasserstein, Cramer, energy) take signed weights; in the others the score of an event of
    negative weight grows without end, so that they take positive ones. `Batch.importance` plays no role.

    Where cells are 0 or at least `Space.least`, what the generator gives passes `kinked` (arXiv 2012.04595), or, with
    `zeros: straight`, becomes 0 below `least` with the gradient as if it had not (arXiv 1308.3432). With
    `noise: latent` a network that needs events to start from gets linear functions of the latent numbers.

    `ordered` is of clouds and MPGAN's way to choose which points are real (arXiv 2106.11535): those of the least first
    noise numbers among all that there could be.
    """

    phases = ("adversarial",)
    Options: ClassVar[type[MethodOptions]] = GANOptions

    def __init__(self, space: Space, n_cond: int, options: GANOptions) -> None:
        super().__init__(space, n_cond, options)
        self.options = options
        self.weights = "signed" if options.loss in SIGNED else "positive"
        channels, latent = space.channels, options.latent
        self.patches: PatchScore | None = None
        if options.patches:
            if space.image is None:
                raise FacsimError("the option 'patches' of the method 'gan' is for images: leave it out.")
            self.patches = PatchScore(space.image, options.patches)
        self.components = ComponentScore(space.size, options.components) if options.components else None
        self.seed: nn.Linear | None = None
        if options.ordered and space.representation != "cloud":
            raise FacsimError("the option 'ordered' of the method 'gan' is for clouds: leave it out.")
        n_in = options.element_noise or channels
        if options.noise == "latent":
            n_in = 0 if without_input(options.network, space) else channels
            self.seed = nn.Linear(latent, space.size) if n_in else None
        self.net = build_network(options.network, space, n_in, channels, n_cond + latent, zero=False)
        self.critic: nn.Module = nn.Identity()
        self.hint: Hint | None = None
        self._build_critic(0)

    def _build_critic(self, hints: int) -> None:
        options = self.options
        if options.loss != "energy":
            outputs, n = options.features if options.loss == "cramer" else 1, self.n_cond + hints
            self.critic = EventReader(self.space, n, outputs, options.spectral_norm, **options.critic)

    def begin_phase(self, phase: str, batch: Batch, generator: torch.Generator) -> None:
        """Take the principal components of the true events, where they are wanted."""
        if self.components is not None:
            self.components.fit(_real(batch.x, batch))

    def watch(self, hint: Hint, n: int) -> bool:
        if self.options.loss == "energy":
            return False
        self.hint = hint
        self._build_critic(n)
        return True

    def noise_spec(self, n: int) -> dict[str, NoiseSpec]:
        each = (n, *self.space.elements, self.options.element_noise or self.space.channels)
        spec = {"noise": NoiseSpec(each)} if self.options.noise == "elements" else {}
        return spec | ({"latent": NoiseSpec((n, self.options.latent))} if self.options.latent else {})

    def turns(self, phase: str) -> tuple[str, ...]:
        steps = 0 if self.options.loss == "energy" else self.options.critic_steps
        return ("critic",) * steps + ("generator",)

    def parameters_of(self, turn: str) -> list[nn.Parameter]:
        if turn == "critic":
            return list(self.critic.parameters())
        return [*self.net.parameters(), *([] if self.seed is None else self.seed.parameters())]

    def optimiser_of(self, turn: str) -> dict[str, Any]:
        changes = {"betas": (0.0 if self.options.loss in PENALISED else 0.5, 0.9), "weight_decay": 0.0}
        return changes | ({"lr_factor": self.options.critic_rate} if turn == "critic" else {})

    def averaged(self, phase: str) -> list[nn.Parameter]:
        return self.parameters_of("generator")

    def sample(self, cond: Tensor, noise: Mapping[str, Tensor], mask: Tensor | None = None) -> Tensor:
        shape = (cond.shape[0], *self.space.elements)
        if self.options.noise == "elements":
            given = by_first(noise["noise"]) if self.options.ordered else noise["noise"]
        elif self.seed is None:
            given = cond.new_zeros(*shape, 0)
        else:
            given = self.seed(noise["latent"]).reshape(*shape, self.space.channels)
        if self.options.latent:
            cond = with_numbers(cond, noise["latent"])
        x: Tensor = self.net(given, None, cond, mask)
        return self._with_zeros(x)

    def _with_zeros(self, x: Tensor) -> Tensor:
        least = self.space.least
        if least == 0:
            return x
        if self.options.zeros == "kinked":
            return kinked(x, least)
        return x - torch.where(x < least, x, 0.0).detach()

    def losses(self, batch: Batch, turn: str, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        with torch.set_grad_enabled(turn == "generator" and torch.is_grad_enabled()):
            fake = self.draw(batch, generator)
            paired = self.options.loss in ("cramer", "energy") or (turn == "generator" and self.options.energy > 0)
            other = self.draw(batch, generator) if paired else None
        if turn == "generator":
            return self._generator_losses(batch, fake, other)
        score = self._scorer(batch, other)
        critic, _ = GAN_LOSSES["wasserstein" if other is not None else self.options.loss]
        real = score(batch.x)
        losses = {"critic": weighted_mean(critic(real, score(fake)), batch.weight)}
        size = None if batch.weight is None else batch.weight.abs()
        if self.options.loss in DRIFT:
            losses["drift"] = DRIFT[self.options.loss] * weighted_mean(real**2, size)
        if self.options.loss in PENALISED:
            between = torch.rand((len(fake), *[1] * (fake.dim() - 1)), generator=generator, device=fake.device)
            slope = penalised_gradient(score, torch.lerp(fake, batch.x, between))
            excess = _excess(slope, self.options.one_sided)
            losses["penalty"] = self.options.gradient_penalty * weighted_mean(excess**2, size)
        elif self.options.r1:
            slope = penalised_gradient(score, batch.x)
            losses["r1"] = 0.5 * self.options.r1 * weighted_mean(slope**2, size)
        return losses

    def _features(self, x: Tensor, batch: Batch) -> Tensor:
        if self.options.loss == "energy":
            return x
        cond = batch.cond if self.hint is None else with_numbers(batch.cond, self.hint(x, batch))
        out: Tensor = self.critic(x, cond, batch.mask)
        return out

    def _scorer(self, batch: Batch, other: Tensor | None) -> Callable[[Tensor], Tensor]:
        """Events (N, ...) at the conditions of `batch` to the scores (N,) that the critic's loss compares."""
        if other is None:
            return lambda x: self._features(x, batch)[:, 0]
        reference = self._features(other, batch)
        return lambda x: cramer_score(self._features(x, batch), reference)

    def _generator_losses(self, batch: Batch, fake: Tensor, other: Tensor | None) -> dict[str, Tensor]:
        options, real = self.options, _real(batch.x, batch)
        if options.loss == "energy":
            assert other is not None
            return {"generator": weighted_mean(self._energy(real, fake, other), batch.weight)}
        if options.loss == "cramer":
            assert other is not None
            values = energy_score(*(self._features(x, batch).flatten(1) for x in (real, fake, other)))
        else:
            score = self._scorer(batch, None)
            of_real = score(batch.x) if options.loss == "relativistic" else fake
            values = GAN_LOSSES[options.loss][1](of_real, score(fake))
        losses = {"generator": weighted_mean(values, batch.weight)}
        if options.energy > 0 and other is not None:
            losses["energy"] = options.energy * weighted_mean(self._energy(real, fake, other), batch.weight)
        return losses

    def _energy(self, real: Tensor, fake: Tensor, other: Tensor) -> Tensor:
        """Energy scores of whole events and of patches: (N,)."""
        score = energy_score(*(x.flatten(1) for x in (real, fake, other)))
        for part in (self.patches, self.components):
            score = score if part is None else score + part(real, fake, other)
        return score


def by_first(x: Tensor) -> Tensor:
    """Points (N, P, F) in the order of their rising first number."""
    order = x[..., :1].argsort(1)
    return x.gather(1, order.expand_as(x))


def _excess(slope: Tensor, one_sided: bool) -> Tensor:
    return (slope - 1).clamp(min=0) if one_sided else slope - 1


def _real(x: Tensor, batch: Batch) -> Tensor:
    return x if batch.mask is None else x * batch.mask[..., None]
