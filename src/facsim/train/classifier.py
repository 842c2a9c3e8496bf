"""Training of a classifier: plain steps of AdamW, and the weights of the best epoch on a validation part."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from facsim.core.errors import FacsimError
from facsim.models.nets.classifiers import ClassifierNetwork


@dataclass(frozen=True)
class ClassifierSettings:
    """How a classifier is trained.

    Args:
        epochs: at most. batch_size: events a step. lr: peak learning rate. weight_decay: of AdamW (0 is Adam).
        patience: epochs without a better validation part after which training ends; None trains to the end.
        keep: what decides which epoch's weights are kept: smallest `loss` or largest `accuracy`.
        decay: whether the learning rate falls to zero over the epochs (half a cosine).
    """

    epochs: int = 60
    batch_size: int = 256
    lr: float = 2e-3
    weight_decay: float = 1e-2
    patience: int | None = 10
    keep: Literal["loss", "accuracy"] = "loss"
    decay: bool = True

    def __post_init__(self) -> None:
        if min(self.epochs, self.batch_size) < 1 or self.lr <= 0:
            raise FacsimError(
                f"a classifier needs at least one epoch, one event a batch and a positive rate, not {self}."
            )


@dataclass(frozen=True)
class Labelled:
    """Prepared events with classes: `x` (N, ...), `context` (N, K), `mask` (N, P) or None, `label`, `weight` (N,)."""

    x: Tensor
    context: Tensor
    mask: Tensor | None
    label: Tensor
    weight: Tensor

    def __len__(self) -> int:
        return len(self.label)

    def __getitem__(self, index: Tensor | slice) -> Labelled:
        mask = None if self.mask is None else self.mask[index]
        return Labelled(self.x[index], self.context[index], mask, self.label[index], self.weight[index])

    def to(self, device: torch.device) -> Labelled:
        """The same on `device`."""
        mask = None if self.mask is None else self.mask.to(device)
        return Labelled(self.x.to(device), self.context.to(device), mask, self.label.to(device), self.weight.to(device))


@dataclass(frozen=True)
class Training:
    """What a training did: epochs run, epoch kept (from 1), its loss and accuracy on the validation part."""

    epochs: int
    best: int
    loss: float
    accuracy: float


def fit_classifier(
    network: ClassifierNetwork,
    train: Labelled,
    validation: Labelled,
    settings: ClassifierSettings,
    seed: int,
) -> Training:
    """Train `network` in place; it ends with its best weights, in evaluation mode.

    Args:
        network: on the device of the training. train, validation: on any device. settings: how.
        seed: of the order of events and of dropout.

    Raises:
        FacsimError: the loss is not finite.
    """
    with torch.random.fork_rng(devices=_cuda(network)):
        torch.manual_seed(seed)
        return _fit(network, train, validation, settings, torch.Generator().manual_seed(seed))


def _fit(
    network: ClassifierNetwork,
    train: Labelled,
    validation: Labelled,
    settings: ClassifierSettings,
    rng: torch.Generator,
) -> Training:
    device = next(network.parameters()).device
    optimiser = torch.optim.AdamW(network.parameters(), lr=settings.lr, weight_decay=settings.weight_decay)
    best, kept, epoch = Training(0, 0, math.inf, -1.0), _copy(network), 0
    for epoch in range(1, settings.epochs + 1):
        if settings.decay:
            for group in optimiser.param_groups:
                group["lr"] = settings.lr * 0.5 * (1 + math.cos(math.pi * (epoch - 1) / settings.epochs))
        network.train()
        for index in _batches(len(train), settings.batch_size, rng):
            batch = train[index].to(device)
            loss = _loss(network, batch).mean()
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        found = _judge(network, validation, epoch)
        better = found.loss < best.loss if settings.keep == "loss" else found.accuracy > best.accuracy
        if better and math.isfinite(found.loss):
            best, kept = found, _copy(network)
        elif settings.patience is not None and epoch - best.best >= settings.patience:
            break
    if best.best == 0:
        raise FacsimError("the loss of a classifier is not finite: check the inputs, or lower the learning rate.")
    network.load_state_dict(kept)
    network.eval()
    return Training(epoch, best.best, best.loss, best.accuracy)


@torch.no_grad()
def class_outputs(network: ClassifierNetwork, events: Labelled, batch_size: int = 2048) -> NDArray[np.float64]:
    """Outputs (N, K) of the network in evaluation mode; one output becomes two, the first zero."""
    device = next(network.parameters()).device
    network.eval()
    parts = []
    for start in range(0, len(events), batch_size):
        batch = events[slice(start, start + batch_size)].to(device)
        parts.append(_outputs(network, batch).cpu())
    return torch.cat(parts).double().numpy()


def _outputs(network: ClassifierNetwork, batch: Labelled) -> Tensor:
    out: Tensor = network(batch.x, batch.context, batch.mask)
    return torch.cat([torch.zeros_like(out), out], dim=1) if out.shape[1] == 1 else out


def _loss(network: ClassifierNetwork, batch: Labelled) -> Tensor:
    return F.cross_entropy(_outputs(network, batch), batch.label, reduction="none") * batch.weight


def _judge(network: ClassifierNetwork, events: Labelled, epoch: int) -> Training:
    outputs = torch.as_tensor(class_outputs(network, events))
    label, weight = events.label.cpu(), events.weight.cpu()
    loss = (F.cross_entropy(outputs, label, reduction="none") * weight).sum() / weight.sum()
    right = ((outputs.argmax(dim=1) == label) * weight).sum() / weight.sum()
    return Training(epoch, epoch, float(loss), float(right))


def _batches(n: int, size: int, rng: torch.Generator) -> Iterator[Tensor]:
    """Random batches of an epoch; the last may be short."""
    order = torch.randperm(n, generator=rng)
    for start in range(0, n, size):
        yield order[start : start + size]


def _cuda(network: ClassifierNetwork) -> list[torch.device]:
    """The devices whose generators dropout draws from, beside the CPU's."""
    device = next(network.parameters()).device
    return [device] if device.type == "cuda" else []


def _copy(network: ClassifierNetwork) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
