"""A trained model on disk: `weights.safetensors` and `model.json` (name, options, schema); no code, no pickle."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from facsim.core.errors import FacsimError
from facsim.core.guard import read_json_guarded, safetensors_header
from facsim.core.schema import Schema
from facsim.core.store import atomic_path, write_json
from facsim.models import EventModel, Predictor, RunModel, find_model
from facsim.models.compressed import restore, stored
from facsim.models.limits import BuildLimit, check_description

HALF_ABOVE = 10_000
"""Numbers in an array from which on shipped weights keep it in half precision."""
UPPER = ".upper"
"""After the name of a symmetric matrix of which the upper triangle is kept."""


def save_model(model: RunModel, name: str, folder: Path, *, lean: bool = False) -> None:
    """Write the weights and description of `model`, registered as `name`, to `folder`, atomically.

    If `lean`, without what only training reads.
    """
    folder.mkdir(parents=True, exist_ok=True)
    arrays = stored(model)
    if lean:
        arrays = {key: value for key, value in arrays.items() if not key.startswith(model.training_only)}
    with atomic_path(folder / "weights.safetensors") as temporary:
        temporary.write_bytes(save(arrays))  # save_file tells of a full disk in an error of its own
    description = {"model": name, "options": model.options.model_dump(), "schema": model.schema.to_dict()}
    compressed = {"compressed": dict(model.compressed)} if model.compressed else {}
    write_json(folder / "model.json", {**description, **compressed})


def build_model(name: str, schema: Schema, options: dict[str, object]) -> RunModel:
    """A fresh model of the registered `name`.

    Raises:
        FacsimError: unknown name or options.
    """
    kind = find_model(name)
    try:
        checked = kind.Options.model_validate(options)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        what = first["msg"].removeprefix("Value error, ")
        raise FacsimError(f"model.options.{where} of '{name}': {what} (got {first['input']!r}).") from None
    return kind(schema, checked)


def load_model(folder: Path, **changes: object) -> EventModel:
    """The generative model saved in `folder`, in evaluation mode; `changes` override options such as `steps`.

    Raises:
        FacsimError: the folder holds no model or a predictor, or its weights are damaged or of another version.
    """
    model = load_trained(folder, **changes)
    if not isinstance(model, EventModel):
        raise FacsimError(f"'{folder}' holds a predictor, which makes no events: let it predict.")
    return model


def load_predictor(folder: Path, **changes: object) -> Predictor:
    """The predictor saved in `folder`, in evaluation mode.

    Raises:
        FacsimError: the folder holds no model or a generative one, or its weights are damaged or of another version.
    """
    model = load_trained(folder, **changes)
    if not isinstance(model, Predictor):
        raise FacsimError(f"'{folder}' holds a generative model, which predicts nothing: sample it.")
    return model


def load_trained(folder: Path, **changes: object) -> RunModel:
    """The model of either kind saved in `folder`, in evaluation mode; `changes` override options.

    The files may come from anyone: sizes and descriptions are checked before anything is built, and no code is run.

    Raises:
        FacsimError: the folder holds no model, or its weights are damaged or of another version.
    """
    if not (folder / "model.json").is_file():
        raise FacsimError(f"'{folder}' holds no trained model: run the train stage first.")
    where = folder / "model.json"
    description = read_json_guarded(where)
    name, schema, options = check_description(description, str(where))
    header = safetensors_header(folder / "weights.safetensors")
    with BuildLimit(str(folder), sum(math.prod(array.shape) for array in header.values())):
        model = build_model(name, schema, {**options, **changes})
        restore(model, description.get("compressed", {}))
    try:
        weights = read_weights(folder)
        missing, unexpected = model.load_state_dict(weights, strict=False)
        lacking = [*(key for key in missing if not key.startswith(model.training_only)), *unexpected]
        if lacking and changes:
            told = ", ".join(f"{key} = {value}" for key, value in changes.items())
            raise FacsimError(f"the model in '{folder}' was trained without what {told} needs: leave that out.")
        if lacking:
            raise RuntimeError(f"'{lacking[0]}' does not fit the model")
    except (OSError, RuntimeError, SafetensorError) as error:
        detail = str(error).splitlines()[0]
        raise FacsimError(f"the weights in '{folder}' cannot be loaded ({detail}): train the model again.") from None
    return model.eval()


def small_weights(model: RunModel) -> dict[str, torch.Tensor]:
    """The state of `model` for a small file: without what only training reads, large arrays in half precision.

    Arrays of up to `HALF_ABOVE` numbers, among them the tables of quantile functions, stay as they are. Of large
    symmetric matrices, such as the roots of covariances, the upper triangle is kept.
    """
    weights = {}
    for name, tensor in model.state_dict().items():
        if name.startswith(model.training_only):
            continue
        kept = tensor.detach().cpu().contiguous()
        if kept.dtype != torch.float32 or kept.numel() <= HALF_ABOVE:
            weights[name] = kept
        elif kept.shape[-1] == kept.shape[-2] and torch.allclose(kept, kept.transpose(-1, -2), rtol=0, atol=1e-6):
            row, column = torch.triu_indices(kept.shape[-1], kept.shape[-1])
            weights[name + UPPER] = kept[..., row, column].half()
        else:
            weights[name] = kept.half()
    return weights


def read_weights(folder: Path) -> dict[str, torch.Tensor]:
    """The state of the model in `folder` as far as it was saved, in single precision.

    Raises:
        FacsimError, OSError, SafetensorError: there is no such file, or it is damaged.
    """
    safetensors_header(folder / "weights.safetensors")
    weights = {}
    for name, tensor in load_file(folder / "weights.safetensors").items():
        whole = tensor.float() if tensor.dtype == torch.float16 else tensor
        weights[name.removesuffix(UPPER)] = _mirrored(whole) if name.endswith(UPPER) else whole
    return weights


def _mirrored(upper: torch.Tensor) -> torch.Tensor:
    """Symmetric matrices (..., D, D) of their upper triangles (..., D (D + 1) / 2)."""
    size = round(((8 * upper.shape[-1] + 1) ** 0.5 - 1) / 2)
    row, column = torch.triu_indices(size, size)
    whole = upper.new_empty(*upper.shape[:-1], size, size)
    whole[..., row, column] = upper
    whole[..., column, row] = upper
    return whole


def count_parameters(model: torch.nn.Module) -> int:
    """Number of trained parameters and buffers that the model carries."""
    return sum(t.numel() for t in model.state_dict().values())
