"""Pruned copies of a trained model, for `tradeoff.py`: weights set to zero, or whole neurons taken out."""

from __future__ import annotations

import copy
import shutil
import time
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tradeoff_bench import Bench

from facsim.core.events import EventSource
from facsim.core.rng import integer_seed
from facsim.core.store import read_json, write_json
from facsim.models.base import EventModel
from facsim.models.checkpoint import build_model, load_model, save_model
from facsim.models.nets.plain_mlp import PlainMLP
from facsim.train.loop import Trainer
from facsim.train.settings import TrainSettings

Json = dict[str, Any]
NAME = "single-stage"
SPARSE, NARROW, TUNED = 0.8, 0.75, 0.25
"""Shares of weights set to zero and of neurons taken out, and of the steps of training that tuning takes."""


def sparse_masks(model: nn.Module, share: float) -> dict[str, Tensor]:
    """Which weights of linear layers stay, by name, when the `share` of smallest magnitude over all layers goes."""
    found = {f"{name}.weight": m.weight for name, m in model.named_modules() if isinstance(m, nn.Linear)}
    sizes = torch.cat([weight.detach().abs().flatten() for weight in found.values()])
    limit = sizes.kthvalue(max(1, int(share * len(sizes)))).values
    return {name: weight.detach().abs() > limit for name, weight in found.items()}


@torch.no_grad()
def hold_zero(model: nn.Module, masks: Mapping[str, Tensor]) -> None:
    """Set the weights outside of `masks` to zero, where training leaves them."""
    parameters = dict(model.named_parameters())
    for name, mask in masks.items():
        parameters[name].mul_(mask)
        parameters[name].register_hook(lambda gradient, mask=mask: gradient * mask)


def sparse_size(model: nn.Module, masks: Mapping[str, Tensor]) -> tuple[int, float]:
    """Numbers that are left of a model, and MB of them with one bit for each weight that may be there."""
    arrays = model.state_dict()
    left = sum(int(masks[name].sum()) if name in masks else array.numel() for name, array in arrays.items())
    return left, (4 * left + sum(mask.numel() for mask in masks.values()) / 8) / 1e6


@torch.no_grad()
def narrowed(source: Path, folder: Path, share: float) -> EventModel | None:
    """The model of `source` without that `share` of the hidden neurons of its networks `mlp`, saved in `folder`.

    Those whose weights in and out have the smallest product of norms go, in each layer alike; None where there is no
    such network.
    """
    model = load_model(source)
    networks = {name: m for name, m in model.named_modules() if isinstance(m, PlainMLP)}
    if not networks:
        return None
    arrays = dict(model.state_dict())
    widths: list[int] = []
    for name, network in networks.items():
        places = [k for k, layer in enumerate(network.layers) if isinstance(layer, nn.Linear)]
        widths = []
        for here, there in pairwise(places):
            into, bias = f"{name}.layers.{here}.weight", f"{name}.layers.{here}.bias"
            out = f"{name}.layers.{there}.weight"
            size = arrays[into].norm(dim=1) * arrays[out].norm(dim=0)
            widths.append(max(1, round((1 - share) * len(size))))
            stay = size.topk(widths[-1]).indices.sort().values
            arrays |= {into: arrays[into][stay], bias: arrays[bias][stay], out: arrays[out][:, stay]}
    options = copy.deepcopy(model.options.model_dump())
    options["method"]["network"]["widths"] = widths
    small = build_model(NAME, model.schema, options)
    small.load_state_dict(arrays)
    save_model(small, NAME, folder)
    return small


def pruned(bench: Bench, label: str, training: Json, source: EventSource) -> list[tuple[str, Json]]:
    """Names and trainings of the pruned copies of a trained model."""
    made = []
    for kind, share in (("sparse", SPARSE), ("narrow", NARROW)):
        name = f"{label}, {kind}"
        folder, cut = bench.out / "models" / name, bench.out / "models" / f"{name}, as cut"
        facts = {**training["facts"], "pruned": {kind: share, "tuned": TUNED}}
        done = folder / "done.json"
        if not done.is_file() or read_json(done)["facts"] != facts:
            shutil.rmtree(folder, ignore_errors=True)
            if kind == "sparse":
                shutil.copytree(training["folder"], cut, dirs_exist_ok=True)
            elif narrowed(Path(training["folder"]), cut, share) is None:
                bench.run.reporter.say(f"  {name} is left out: its network is not 'mlp'", "dim")
                continue
            found = _tuned(cut, folder, source, training, integer_seed(bench.config.seed, "tune"), kind == "sparse")
            write_json(done, {"facts": facts, "folder": str(folder), **found})
        made.append((name, dict(read_json(done))))
    return made


def _tuned(cut: Path, folder: Path, source: EventSource, training: Json, seed: int, sparse: bool) -> Json:
    described, steps = read_json(cut / "model.json"), max(1, int(TUNED * training["steps"]))
    settings = {**training["facts"]["train"], "start": str(cut), "steps": steps}
    tuning = TrainSettings.model_validate(settings)
    trainer = Trainer(described["model"], described["options"], source, None, folder, seed, tuning)
    masks = sparse_masks(trainer.model, SPARSE) if sparse else {}
    hold_zero(trainer.model, masks)
    begin = time.process_time()
    left, size = sparse_size(trainer.run(), masks)
    found = {"steps": training["steps"] + steps, "parameters": left} | ({"MB": size} if sparse else {})
    return {**found, "cpu_s": training["cpu_s"] + time.process_time() - begin}
