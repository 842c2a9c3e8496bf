"""Bootstrap of the training sample: the training events themselves, at the conditions asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from facsim.simulate.library import ShowerLibrary


@dataclass(kw_only=True)
class Bootstrap(ShowerLibrary):
    """Training events drawn with replacement, never rotated.

    Showers are wanted at given conditions, so a draw is one of the `nearest` training events closest in condition,
    and its cells are multiplied by the ratio of incident energies, which leaves E_tot / E_inc as it was. With
    thousands of training events the ratio is close to one. It bounds what a score can tell from the training sample:
    nothing that is learned from that sample alone can know more than it, and its copies must fail a memorisation check.
    """

    name: ClassVar[str] = "bootstrap"
    rotates: ClassVar[bool] = False
