"""What is installed, which trained models ship, and on which machine."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from facsim.core.cache import cache_dir
from facsim.provenance import hardware, versions

EXTRAS = {
    "geant4": ("calzone", "yamc", "xraydb"),
    "jets": ("pythia8mc", "fastjet"),
    "root": ("uproot", "awkward"),
    "onnx": ("onnx", "onnxscript", "onnxruntime"),
    "tensorboard": ("tensorboard",),
    "mlflow": ("mlflow", "sqlalchemy", "alembic"),
    "sweep": ("optuna",),
    "anomaly": ("sklearn",),
    "remote": ("aiohttp",),
    "dask": ("distributed", "dask_jobqueue"),
}


def describe() -> dict[str, Any]:
    """Versions, extras (installed or not), shipped models, processor, accelerator and cache, JSON-ready."""
    return {
        "versions": versions(),
        "extras": {name: all(find_spec(package) for package in packages) for name, packages in EXTRAS.items()},
        "models": _shipped_models(),
        "hardware": {**hardware(), "accelerator": _accelerator()},
        "cache": str(cache_dir()),
    }


def _shipped_models() -> dict[str, str]:
    """What each model that ships with facsim samples, by name."""
    from facsim.models.shipped import shipped_card, shipped_names  # noqa: PLC0415  torch is heavy

    found = {}
    for name in shipped_names():
        card = shipped_card(name)
        low, high = (card["training_range"][0][end] / 1e3 for end in ("min", "max"))
        particle, cells = card["schema"]["geometry"]["particle"], card["output"]["shape"][1]
        found[name] = f"{particle} showers of {low:.3g} to {high:.3g} GeV in {cells} cells"
    return found


def _accelerator() -> str | None:
    import torch  # noqa: PLC0415  heavy

    if torch.cuda.is_available():
        return str(torch.cuda.get_device_name(0))
    return "mps" if torch.backends.mps.is_available() else None
