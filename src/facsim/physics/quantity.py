"""A named quantity of an event, as figures and scores write it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Quantity:
    """One number of each event.

    Args:
        name: as in files and score names.
        label: for axes, with LaTeX in dollars.
        unit: empty when it has none.
        log: better drawn on a logarithmic axis.
    """

    name: str
    label: str
    unit: str = ""
    log: bool = False
