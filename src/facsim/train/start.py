"""Training that starts from a trained model: a surrogate is taken to a changed detector with few showers."""

from __future__ import annotations

from pathlib import Path

from facsim.core.errors import FacsimError
from facsim.models.base import RunModel
from facsim.models.checkpoint import load_trained, read_weights
from facsim.models.shipped import shipped_names
from facsim.repository.fetch import fetch

ENOUGH = 500
"""Events from which closed-form fits are made anew: with 500 that is much better (benchmarks/RESULTS.md)."""


def start_folder(source: str) -> Path:
    """The folder of the trained model that `source` names; arguments and errors as of `start_from`."""
    path = Path(source)
    nested = path / "models" / "surrogate"
    if not path.exists() and (source in shipped_names() or "@" in source):
        return fetch(source).folder
    folder = nested if nested.is_dir() else path
    if not (folder / "model.json").is_file():
        raise FacsimError(
            f"train.start: '{source}' holds no trained model: expected a run directory whose training is finished, or "
            f"one of {shipped_names()}, which ship with facsim."
        )
    return folder


def start_from(model: RunModel, source: str, events: int) -> frozenset[str]:
    """Give `model` the weights of a trained one of the same kind and options; return the names of arrays to be fitted.

    These are the ones that are lacking, as a shipped model comes without what only training reads, and where there are
    `ENOUGH` events those that the model says are better fitted anew (`RunModel.refitted`).

    Args:
        source: a run directory, a folder with a trained model, the name of a model that ships with facsim, or
            `name@version` of one in FACSIM_MODELS too.
        events: number of training events.

    Raises:
        FacsimError: there is no such model, or it is of another kind or shape.
    """
    folder = start_folder(source)
    trained = load_trained(folder)
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
    names = frozenset(model.state_dict())
    anew = model.refitted if events >= ENOUGH else ()
    return names - frozenset(read_weights(folder)) | {n for n in names if n.startswith(anew)}
