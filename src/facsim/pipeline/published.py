"""Weights that others have published, as a trained model of facsim's: a folder that a run can start from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from facsim.core.errors import FacsimError
from facsim.data import open_events

JETS = 20_000
"""Jets of the data at most of which the number of particles is taken."""


def import_weights(
    model: str, weights: str | Path, *, jets: str, data: str | Path, out: str | Path = "published"
) -> dict[str, Any]:
    """Make a trained model of weights that others have published; no code in their file is run.

    What comes is read as `facsim.load(Path(out))`, and a run goes on from it with `train.start`.

    Args:
        model: `mpgan`, the generator of arXiv 2106.11535.
        weights: the state dict, such as `trained_models/mp_g/G_best_epoch.pt` of its repository.
        jets: the kind it was trained on: `g`, `q` or `t`.
        data: true jets of the same kind, whose conditions the model has and whose numbers of particles it draws.
        out: folder of the model, laid out as that of a run.

    Raises:
        FacsimError: an unknown model or kind, another layout of the weights, or data of another form.
    """
    import torch  # noqa: PLC0415  heavy, as what follows

    from facsim.models.checkpoint import count_parameters, save_model  # noqa: PLC0415
    from facsim.models.published_mpgan import import_mpgan  # noqa: PLC0415
    from facsim.models.trained import FOLDER, is_run  # noqa: PLC0415

    out = Path(out)
    if model != "mpgan":
        raise FacsimError(f"there is no import of '{model}': expected 'mpgan'.")
    if is_run(out):
        raise FacsimError(f"'{out}' holds a model already: give another folder with --out.")
    source = open_events(data)
    if source.schema.representation != "cloud" or not len(source):
        raise FacsimError(f"'{data}' holds no jets: give true jets, whose numbers of particles are taken.")
    mask = source.read(0, min(len(source), JETS)).mask
    if mask is None:
        raise FacsimError(f"'{data}' does not say which particles are real: give jets with a mask.")
    found = import_mpgan(Path(weights), jets, source.schema, torch.as_tensor(mask).sum(1))
    save_model(found, "single-stage", out / FOLDER)
    return {"model": str(out), "published": model, "jets": jets, "numbers": count_parameters(found)}
