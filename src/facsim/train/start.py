"""Training that starts from a trained model: a surrogate is taken to a changed detector with few showers."""

from __future__ import annotations

from pathlib import Path

from safetensors.torch import load_file

from facsim.core.errors import FacsimError
from facsim.models.base import EventModel
from facsim.models.checkpoint import load_model
from facsim.models.shipped import shipped_folder, shipped_names


def start_folder(source: str) -> Path:
    """The folder of the trained model that `source` names; arguments and errors as of `start_from`."""
    path = Path(source)
    nested = path / "models" / "surrogate"
    if not path.exists() and source in shipped_names():
        return shipped_folder(source)
    folder = nested if nested.is_dir() else path
    if not (folder / "model.json").is_file():
        raise FacsimError(
            f"train.start: '{source}' holds no trained model: expected a run directory whose training is finished, or "
            f"one of {shipped_names()}, which ship with facsim."
        )
    return folder


def start_from(model: EventModel, source: str) -> frozenset[str]:
    """Give `model` the weights of a trained one of the same kind and options; return the names of those it lacks.

    A shipped model comes without what only training reads.

    Args:
        source: a run directory, a folder with a trained model, or the name of a model that ships with facsim.

    Raises:
        FacsimError: there is no such model, or it is of another kind or shape.
    """
    folder = start_folder(source)
    trained = load_model(folder)
    if type(trained) is not type(model):
        raise FacsimError(
            f"train.start: '{source}' is a {type(trained).__name__}, but a {type(model).__name__} is to be trained."
        )
    try:
        model.load_state_dict(trained.state_dict())
    except RuntimeError as error:
        detail = " ".join(str(error).split())[:200]
        raise FacsimError(
            f"train.start: the weights of '{source}' do not fit the model to be trained, which needs the same options "
            f"and a read-out of the same shape: copy 'model' from its configuration ({detail})."
        ) from None
    return frozenset(model.state_dict()) - frozenset(load_file(folder / "weights.safetensors"))
