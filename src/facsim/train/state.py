"""The resumable state of an interrupted training, one file replaced atomically."""

from __future__ import annotations

from io import BytesIO
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
    buffer = BytesIO()
    torch.save(state, buffer)
    with atomic_path(path) as temporary:
        temporary.write_bytes(buffer.getbuffer())  # torch tells of a full disk in an error of its own


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
    except Exception as error:  # torch has a different one for every kind of damage
        kind = type(error).__name__
        raise FacsimError(f"'{path}' is damaged ({kind}): remove it to train from the start.") from error
    return state
