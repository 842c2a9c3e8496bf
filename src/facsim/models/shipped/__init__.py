"""Trained models that ship with facsim: a folder each with `weights.safetensors`, `model.json` and `card.json`.

Weights are kept in half precision and computed with in single; `benchmarks/ship_model.py` makes such a folder
from a run.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

from facsim.core.errors import FacsimError
from facsim.core.store import read_json
from facsim.models.base import EventModel
from facsim.models.checkpoint import load_model

FOLDER = Path(str(files(__name__)))


def shipped_names() -> list[str]:
    """Names of the shipped models."""
    return sorted(path.parent.name for path in FOLDER.glob("*/model.json"))


def shipped_folder(name: str) -> Path:
    """Where the shipped model `name` is.

    Raises:
        FacsimError: there is no such model.
    """
    if name not in shipped_names():
        raise FacsimError(f"no model '{name}' ships with facsim: expected one of {shipped_names()}.")
    return FOLDER / name


def load_shipped(name: str, **changes: object) -> EventModel:
    """The shipped model `name`, in evaluation mode; `changes` override options such as `steps`.

    Raises:
        FacsimError: there is no such model, or no such option.
    """
    return load_model(shipped_folder(name), **changes)


def shipped_card(name: str) -> dict[str, Any]:
    """Its card: schema, training ranges and sample, scores as measured, checksum of the weights.

    Raises:
        FacsimError: there is no such model.
    """
    return dict(read_json(shipped_folder(name) / "card.json"))
