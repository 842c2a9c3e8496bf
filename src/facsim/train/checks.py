"""What a training refuses: events a model cannot take, and a model that came out broken."""

from __future__ import annotations

import torch

from facsim.core.errors import FacsimError
from facsim.core.events import Events, EventSource
from facsim.models.base import RunModel


def check_finite(model: RunModel) -> None:
    """Refuse a trained model with values that are not numbers.

    Raises:
        FacsimError: there are some.
    """
    bad = [name for name, tensor in model.state_dict().items() if not torch.isfinite(tensor.float()).all()]
    if bad:
        raise FacsimError(
            f"the trained model holds values that are not finite numbers ('{bad[0]}'): train on more events, or lower "
            "train.lr."
        )


def check_weights(model: RunModel, name: str, train: EventSource) -> None:
    """Refuse event weights where a model takes none.

    Raises:
        FacsimError: the training events have weights.
    """
    if model.weights == "none" and len(train) and train.read(0, 1).weight is not None:
        raise FacsimError(
            f"the model '{name}' takes no event weights, but the training events have them: "
            "leave 'weight' out of the mapping, or resample the events by weight first."
        )


def check_signs(model: RunModel, events: Events) -> None:
    """Refuse negative event weights where a model takes positive ones.

    Raises:
        FacsimError: there are some.
    """
    if model.weights == "positive" and events.weight is not None and bool((events.weight < 0).any()):
        raise FacsimError(
            "the training events have negative weights, with which the loss of this method has no least value: choose "
            "the method 'autoregressive', 'flow-matching' or 'gan' with the loss wasserstein, cramer or energy, or, "
            "with the model 'single-stage', set model.event_weights=expected."
        )
