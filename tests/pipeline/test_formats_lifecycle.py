"""Runs on files of other layouts, from prepare to the report, with a model of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import BaseModel
from torch import Tensor, nn

import facsim
from facsim.core import plugins
from facsim.core.events import Events, make_events
from facsim.core.schema import Schema, calorimeter_schema
from facsim.core.store import StoreReader, read_json
from facsim.data import open_events
from facsim.data.calogan import CALOGAN, write_calogan
from facsim.data.showerdata import CONDITIONS, POINTS, write_showerdata
from facsim.models import EventModel
from facsim.models.base import Batch, NoiseSpec

MOST = 30


class _Options(BaseModel):
    """None."""


class CloudModel(EventModel):
    """Half of the points, normal around the fitted mean and spread, the energies exponential."""

    Options = _Options

    def __init__(self, schema: Schema, options: Any) -> None:
        super().__init__(schema, options)
        self.spread = nn.Parameter(torch.ones(4))

    def losses(self, batch: Batch, turn: str, generator: Any = None) -> dict[str, Tensor]:
        return {"spread": ((batch.x.std((0, 1)) - self.spread) ** 2).mean()}

    def noise_spec(self, n: int) -> dict[str, NoiseSpec]:
        return {"points": NoiseSpec((n, MOST, 4))}

    def sample(self, cond: Tensor, noise: Any) -> Tensor:
        points = noise["points"] * self.spread
        points = torch.cat([points[..., :3], points[..., 3:].abs() * cond[:, None, :1] / 3e4], -1)
        there = (torch.arange(MOST) < MOST // 2).to(points)[None, :, None].expand(len(cond), MOST, 1)
        return torch.cat([points * there, there], -1)


class CellModel(EventModel):
    """Every shower the fitted mean share of each cell times the energy."""

    Options = _Options

    def __init__(self, schema: Schema, options: Any) -> None:
        super().__init__(schema, options)
        assert schema.geometry is not None
        self.share = nn.Parameter(torch.full((schema.geometry.n_cells,), 1e-3))

    def losses(self, batch: Batch, turn: str, generator: Any = None) -> dict[str, Tensor]:
        return {"mse": ((batch.x[..., 0] / batch.cond[:, :1] - self.share) ** 2).mean()}

    def noise_spec(self, n: int) -> dict[str, NoiseSpec]:
        return {"scale": NoiseSpec((n, 1))}

    def sample(self, cond: Tensor, noise: Any) -> Tensor:
        return (self.share.abs() * cond[:, :1] * (1 + 0.1 * noise["scale"]).abs())[..., None]


def clouds(n: int) -> Events:
    rng = np.random.default_rng(1)
    mask = np.arange(MOST) < rng.integers(5, MOST + 1, (n, 1))
    points = np.concatenate([rng.normal(0, 9, (n, MOST, 3)), rng.exponential(9, (n, MOST, 1))], axis=2)
    cond = np.stack([rng.uniform(1e4, 3e4, n), np.zeros(n), np.zeros(n), np.full(n, 22.0)], axis=1)
    schema = Schema("cloud", POINTS[:4], CONDITIONS, points=MOST)
    return make_events(schema, (points * mask[..., None]).astype(np.float32), cond, mask=mask)


def showers(n: int) -> Events:
    rng = np.random.default_rng(1)
    energy = rng.uniform(1e4, 3e4, (n, 1))
    x = energy * rng.dirichlet(np.full(504, 0.05), n)
    return make_events(calorimeter_schema(CALOGAN), x.astype(np.float32)[:, :, None], energy)


@pytest.fixture(autouse=True)
def _forget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugins, "_given", {})


def run(folder: Path, model: type[EventModel], baselines: list[str]) -> Path:
    config = {
        "data": {"files": [str(folder / "truth.h5")]},
        "train": {"steps": 2, "batch_size": 16},
        "prepare": {"validation": 20, "test": 60},
        "baselines": baselines,
        "sample": {"steps": []},
    }
    for verb in ("prepare", "train", "sample", "evaluate", "report"):
        getattr(facsim, verb)(config, out=folder / "run", **({"model": model} if verb != "prepare" else {}))
    return folder / "run"


def test_point_clouds(tmp_path: Path) -> None:
    write_showerdata(tmp_path / "truth.h5", clouds(300))
    out = run(tmp_path, CloudModel, [])
    samples = open_events(out / "samples" / "surrogate.h5")
    assert isinstance(samples, StoreReader)
    assert samples.schema == open_events(tmp_path / "truth.h5").schema
    events = samples.read(0, 60)
    assert events.mask is not None
    assert events.mask.sum(axis=1).tolist() == [MOST // 2] * 60
    card = read_json(out / "scores" / "surrogate.json")
    assert card["scores"][0]["name"] == "auc_high"
    assert card["scores"][0]["value"] > 0.9
    assert card["n"] == {"reference": 60, "generated": 60, "null": 60}
    assert (out / "report" / "index.html").stat().st_size > 100_000


def test_free_cells(tmp_path: Path) -> None:
    write_calogan(tmp_path / "truth.h5", showers(300))
    out = run(tmp_path, CellModel, ["library"])
    samples = open_events(out / "samples" / "surrogate.h5")
    assert samples.schema == open_events(tmp_path / "truth.h5").schema
    surrogate, library = (read_json(out / "scores" / f"{name}.json") for name in ("surrogate", "library"))
    assert surrogate["scores"][0]["value"] > library["scores"][0]["value"] + 0.2
    assert "Single showers in space" in (out / "report" / "index.html").read_text(encoding="utf-8")
