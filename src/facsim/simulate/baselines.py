"""The table of baselines."""

from __future__ import annotations

from facsim.core.errors import FacsimError
from facsim.simulate.baseline import Baseline, Sampled
from facsim.simulate.bootstrap import Bootstrap
from facsim.simulate.gflash import GFlash
from facsim.simulate.gflash_tuned import TunedGFlash
from facsim.simulate.library import ShowerLibrary

__all__ = ["BASELINES", "Baseline", "Sampled", "find_baseline"]

BASELINES: dict[str, type[Baseline]] = {
    "gflash": GFlash,
    "gflash-tuned": TunedGFlash,
    "library": ShowerLibrary,
    "bootstrap": Bootstrap,
}


def find_baseline(name: str) -> type[Baseline]:
    """The baseline called `name`.

    Raises:
        FacsimError: there is none.
    """
    if name not in BASELINES:
        raise FacsimError(f"unknown baseline '{name}': expected one of {sorted(BASELINES)}.")
    return BASELINES[name]
