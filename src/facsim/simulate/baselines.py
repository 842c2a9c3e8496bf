"""The table of baselines."""

from __future__ import annotations

from facsim.core import plugins
from facsim.core.errors import FacsimError
from facsim.simulate.baseline import Baseline, Sampled
from facsim.simulate.bootstrap import Bootstrap
from facsim.simulate.gflash import GFlash
from facsim.simulate.gflash_tuned import TunedGFlash
from facsim.simulate.jet_smearing import JetSmearing
from facsim.simulate.library import ShowerLibrary
from facsim.simulate.neighbours import Nearest

__all__ = ["BASELINES", "Baseline", "Sampled", "find_baseline"]

BASELINES: dict[str, type[Baseline]] = {
    "gflash": GFlash,
    "gflash-tuned": TunedGFlash,
    "library": ShowerLibrary,
    "bootstrap": Bootstrap,
    "nearest": Nearest,
    "jet-smearing": JetSmearing,
}


def find_baseline(name: str) -> type[Baseline]:
    """The baseline called `name`, of facsim or of a plug-in.

    Raises:
        FacsimError: there is none, or it is no `Baseline`.
    """
    kind = plugins.find("baselines", BASELINES, name)
    if kind is None:
        raise FacsimError(f"unknown baseline '{name}': expected one of {plugins.names('baselines', BASELINES)}.")
    if not issubclass(kind, Baseline):
        raise FacsimError(f"the baseline '{name}' must be a subclass of facsim.simulate.Baseline, not {kind!r}.")
    wanted = [attribute for attribute in ("name", "resamples_truth") if not hasattr(kind, attribute)]
    missing = sorted({*getattr(kind, "__abstractmethods__", ()), *wanted})
    if missing:
        raise FacsimError(f"the baseline '{name}' must define {missing}, as its base class says.")
    return kind
