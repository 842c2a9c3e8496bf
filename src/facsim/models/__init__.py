"""Generative methods and predictors, one file each, and the networks they use.

`MODELS` lists what a configuration can name, beside plug-ins. A model is built from a schema and its `Options`.
"""

from __future__ import annotations

from pydantic import BaseModel

from facsim.core import plugins
from facsim.core.errors import FacsimError
from facsim.models.autoencoder import Autoencoder
from facsim.models.base import EventModel, RunModel
from facsim.models.codae import CoDAE
from facsim.models.contrast import Contrast
from facsim.models.predictor import Predictor
from facsim.models.reco_vae import RecoVAE
from facsim.models.single_stage import SingleStage
from facsim.models.student import Student
from facsim.models.two_stage import TwoStageShower

MODELS: dict[str, type[RunModel]] = {
    "two-stage": TwoStageShower,
    "single-stage": SingleStage,
    "reco-vae": RecoVAE,
    "autoencoder": Autoencoder,
    "contrast": Contrast,
    "student": Student,
    "codae": CoDAE,
}

__all__ = ["MODELS", "EventModel", "Predictor", "RunModel", "find_model"]


def find_model(name: str) -> type[RunModel]:
    """The model called `name`, of facsim or of a plug-in.

    Raises:
        FacsimError: there is none, or it is no complete `EventModel` or `Predictor`.
    """
    kind = plugins.find("models", MODELS, name)
    if kind is None:
        raise FacsimError(f"unknown model '{name}': expected one of {plugins.names('models', MODELS)}.")
    if not issubclass(kind, RunModel):
        raise FacsimError(
            f"the model '{name}' must be a subclass of facsim.models.EventModel or Predictor, not {kind!r}."
        )
    missing = sorted(getattr(kind, "__abstractmethods__", ()))
    if missing:
        raise FacsimError(f"the model '{name}' must define {missing}, as its base class says.")
    options = getattr(kind, "Options", None)
    if not (isinstance(options, type) and issubclass(options, BaseModel)):
        raise FacsimError(f"the model '{name}' needs a class 'Options', a subclass of pydantic.BaseModel.")
    return kind
