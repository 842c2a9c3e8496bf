"""What can be known to be missing before a long run begins."""

from __future__ import annotations

from importlib.util import find_spec

from facsim.config import RunConfig
from facsim.core.errors import MissingExtraError
from facsim.simulate.geant4 import geant4_available

ONNX_PACKAGES = ("onnx", "onnxscript", "onnxruntime")


def check_extras(config: RunConfig, simulates: bool) -> None:
    """Refuse a run that would fail at its end for want of a package.

    Args:
        config: the run's configuration.
        simulates: whether truth has still to be simulated.

    Raises:
        MissingExtraError: an optional part that the run needs is not installed.
    """
    if simulates and config.simulate is not None and not geant4_available():
        raise MissingExtraError("geant4", "calzone")
    if config.export is not None:
        for package in ONNX_PACKAGES:
            if find_spec(package) is None:
                raise MissingExtraError("onnx", package)
