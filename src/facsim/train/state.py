"""The resumable state of an interrupted training, one file replaced atomically."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from facsim.core.errors import FacsimError
from facsim.core.store import atomic_path


def save_state(folder: Path, state: dict[str, Any] | None) -> None:
    """Save `state` in `folder`/state, or remove what is there when None."""
    path = folder / "state" / "training.pt"
    if state is None:
        path.unlink(missing_ok=True)
        return
    with atomic_path(path) as temporary:
        torch.save(state, temporary)


def load_state(folder: Path, device: torch.device) -> dict[str, Any] | None:
    """The saved state, or None; loaded without executing code.

    Raises:
        FacsimError: the file is damaged.
    """
    path = folder / "state" / "training.pt"
    if not path.is_file():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError) as error:
        raise FacsimError(f"'{path}' cannot be read ({error}): remove it to train from the start.") from None
    return state
