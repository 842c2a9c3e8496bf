"""Generative methods, one file each, and the networks they use.

`MODELS` lists what a configuration can name. A model is built from a schema and its `Options`.
"""

from __future__ import annotations

from facsim.models.base import EventModel
from facsim.models.two_stage import TwoStageShower

MODELS: dict[str, type[EventModel]] = {
    "two-stage": TwoStageShower,
}

__all__ = ["MODELS", "EventModel"]
