"""facsim: fast detector simulation, from Geant4 truth to an exported surrogate.

The verbs of the command line are functions here: `facsim.run("config.yaml", out="runs/x")`,
`facsim.score("reference.h5", "generated.h5")`. Importing facsim loads nothing heavy; a verb loads what it needs.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from facsim.api import (
        apply,
        compare,
        demo,
        evaluate,
        export,
        import_weights,
        init,
        leaderboard,
        prepare,
        report,
        run,
        sample,
        score,
        simulate,
        study,
        sweep,
        train,
    )
    from facsim.core.errors import FacsimError
    from facsim.core.plugins import load_plugin
    from facsim.data import open_events
    from facsim.export.cpp_project import cpp
    from facsim.info import describe as info
    from facsim.models.shipped import load
    from facsim.pipeline.compression import compress
    from facsim.pipeline.farm_sample import farm_sample
    from facsim.pipeline.farm_score import farm_score
    from facsim.pipeline.farm_simulate import farm_simulate
    from facsim.pipeline.geant4_demo import geant4_demo
    from facsim.pipeline.models import fetch_model, save_model, show_model
    from facsim.pipeline.verify_model import verify_model
    from facsim.repository.listing import list_models

__version__ = "0.1.0"
__all__ = [
    "FacsimError",
    "apply",
    "compare",
    "compress",
    "cpp",
    "demo",
    "evaluate",
    "export",
    "farm_sample",
    "farm_score",
    "farm_simulate",
    "fetch_model",
    "geant4_demo",
    "import_weights",
    "info",
    "init",
    "leaderboard",
    "list_models",
    "load",
    "load_plugin",
    "open_events",
    "prepare",
    "report",
    "run",
    "sample",
    "save_model",
    "score",
    "show_model",
    "simulate",
    "study",
    "sweep",
    "train",
    "verify_model",
]

_ELSEWHERE = {
    "compress": "facsim.pipeline.compression",
    "FacsimError": "facsim.core.errors",
    "fetch_model": "facsim.pipeline.models",
    "list_models": "facsim.repository.listing",
    "cpp": "facsim.export.cpp_project",
    "geant4_demo": "facsim.pipeline.geant4_demo",
    "farm_sample": "facsim.pipeline.farm_sample",
    "farm_score": "facsim.pipeline.farm_score",
    "farm_simulate": "facsim.pipeline.farm_simulate",
    "load": "facsim.models.shipped",
    "load_plugin": "facsim.core.plugins",
    "open_events": "facsim.data",
    "save_model": "facsim.pipeline.models",
    "show_model": "facsim.pipeline.models",
    "verify_model": "facsim.pipeline.verify_model",
}
_ALSO_MODULES = ("evaluate", "export", "info", "report", "run", "simulate", "train")


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'facsim' has no attribute '{name}'")
    if name in _ALSO_MODULES:
        return import_module(f"facsim.{name}")
    return getattr(import_module(_ELSEWHERE.get(name, "facsim.api")), name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])


class _Verb(ModuleType):
    """A subpackage that has the name of a verb, such as `facsim.report`: calling it does what the verb does."""

    def __call__(self, *args: Any, **options: Any) -> Any:
        return getattr(import_module("facsim.api"), self.__name__.rpartition(".")[2])(*args, **options)


class _Facsim(ModuleType):
    """This package; makes subpackages callable when the import system hands them over."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _ALSO_MODULES and isinstance(value, ModuleType):
            value.__class__ = _Verb
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Facsim
