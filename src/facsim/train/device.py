"""The device of a training, and events on it."""

from __future__ import annotations

from typing import Any

import torch

from facsim.core.errors import FacsimError
from facsim.core.events import Events
from facsim.models.base import Batch


def choose_device(name: str) -> torch.device:
    """The torch device for `name`; `auto` takes a GPU when there is one.

    Raises:
        FacsimError: the device is not available.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(1, device=name)
    except (RuntimeError, AssertionError) as error:
        raise FacsimError(
            f"train.device '{name}' is not available here; 'auto' takes what there is: "
            f"{str(error).splitlines()[0].rstrip('.')}."
        ) from None
    return torch.device(name)


def to_batch(events: Events, device: torch.device) -> Batch:
    """Events, conditions and weights as float32 and masks as booleans on `device`."""

    def there(array: Any, dtype: torch.dtype = torch.float32) -> torch.Tensor | None:
        return None if array is None else torch.as_tensor(array, dtype=dtype, device=device)

    x = torch.as_tensor(events.x, dtype=torch.float32, device=device)
    cond = torch.as_tensor(events.cond, dtype=torch.float32, device=device)
    return Batch(x, cond, there(events.weight), there(events.mask, torch.bool))
