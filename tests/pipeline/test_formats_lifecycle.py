"""Runs on files of other layouts with a model that is trained on them, from prepare to the report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import facsim
from facsim.core.events import Events, make_events
from facsim.core.geometry import Geometry, regular_cylinder
from facsim.core.schema import Feature, Schema, calorimeter_schema
from facsim.core.store import StoreReader, read_json
from facsim.data import lemurs, open_events
from facsim.data.calogan import CALOGAN, write_calogan
from facsim.data.geometry import write_geometry
from facsim.data.hgcal import CONDITIONS as HGCAL_CONDITIONS
from facsim.data.hgcal import hgcal_geometry, write_hgcal
from facsim.data.showerdata import CONDITIONS, POINTS, write_showerdata

MOST = 30


def clouds(n: int = 300) -> Events:
    rng = np.random.default_rng(1)
    mask = np.arange(MOST) < rng.integers(5, MOST + 1, (n, 1))
    points = np.concatenate([rng.normal(0, 9, (n, MOST, 3)), rng.exponential(9, (n, MOST, 1))], axis=2)
    cond = np.stack([rng.uniform(1e4, 3e4, n), np.zeros(n), np.zeros(n), np.full(n, 22.0)], axis=1)
    schema = Schema("cloud", POINTS[:4], CONDITIONS, points=MOST)
    return make_events(schema, (points * mask[..., None]).astype(np.float32), cond, mask=mask)


def showers(geometry: Geometry, conditions: tuple[Feature, ...], n: int = 300) -> Events:
    rng = np.random.default_rng(1)
    energy = rng.uniform(1e4, 3e4, (n, 1))
    x = energy * rng.dirichlet(np.full(geometry.n_cells, 0.05), n)
    cond = np.hstack([energy, rng.uniform(1, 2, (n, len(conditions) - 1))])
    return make_events(calorimeter_schema(geometry, conditions), x.astype(np.float32)[:, :, None], cond)


def run(folder: Path, verbs: tuple[str, ...], **changes: Any) -> Path:
    config = {
        "data": {"files": [str(folder / "truth.h5")], **changes.pop("data", {})},
        "model": {"name": "single-stage"},
        "train": {"steps": 2, "batch_size": 16},
        "prepare": {"validation": 20, "test": 60},
        "baselines": [],
        "sample": {"steps": []},
        **changes,
    }
    for verb in verbs:
        getattr(facsim, verb)(config, out=folder / "run")
    return folder / "run"


def test_point_clouds(tmp_path: Path) -> None:
    write_showerdata(tmp_path / "truth.h5", clouds())
    out = run(tmp_path, ("prepare", "train", "sample", "evaluate", "report"))
    samples = open_events(out / "samples" / "surrogate.h5")
    assert isinstance(samples, StoreReader)
    assert samples.schema == open_events(tmp_path / "truth.h5").schema
    events = samples.read(0, 60)
    assert events.mask is not None
    assert events.x.shape == (60, MOST, 4)
    assert np.all(events.x[~events.mask] == 0)
    card = read_json(out / "scores" / "surrogate.json")
    assert card["scores"][0]["name"] == "auc_high"
    assert card["n"] == {"reference": 60, "generated": 60, "null": 60}
    assert (out / "report" / "index.html").stat().st_size > 100_000


def test_free_cells(tmp_path: Path) -> None:
    write_calogan(tmp_path / "truth.h5", showers(CALOGAN, HGCAL_CONDITIONS[:1]))
    out = run(tmp_path, ("prepare", "train", "sample", "evaluate", "report"), baselines=["library"])
    samples = open_events(out / "samples" / "surrogate.h5")
    assert samples.schema == open_events(tmp_path / "truth.h5").schema
    surrogate, library = (read_json(out / "scores" / f"{name}.json") for name in ("surrogate", "library"))
    assert surrogate["scores"][0]["value"] > library["scores"][0]["value"] + 0.2
    assert "Single showers in space" in (out / "report" / "index.html").read_text(encoding="utf-8")


def test_cells_of_a_geometry_file(tmp_path: Path) -> None:
    x, y = np.random.default_rng(0).uniform(-6, 6, (2, 3, 30))
    geometry = hgcal_geometry(x, y, np.array([19, 7, 30]), particle="photon")
    write_geometry(tmp_path / "g.json", geometry)
    write_hgcal(tmp_path / "truth.h5", showers(geometry, HGCAL_CONDITIONS))
    out = run(tmp_path, ("prepare", "train", "sample"), data={"geometry": str(tmp_path / "g.json")})
    schema = open_events(out / "samples" / "surrogate.h5").schema
    assert schema.geometry == geometry
    assert schema.conditions == HGCAL_CONDITIONS


def test_cylinders_with_angles(tmp_path: Path) -> None:
    geometry = regular_cylinder("small", "photon", 6, 4, 3, 20.0, 0.1)
    write_geometry(tmp_path / "g.json", geometry)
    lemurs.write_lemurs(tmp_path / "truth.h5", showers(geometry, lemurs.CONDITIONS))
    model = {"name": "two-stage"}
    out = run(tmp_path, ("prepare", "train", "sample"), data={"geometry": str(tmp_path / "g.json")}, model=model)
    samples = open_events(out / "samples" / "surrogate.h5")
    assert samples.schema == open_events(tmp_path / "truth.h5", geometry=geometry).schema
    assert samples.read(0, 60).x.shape == (60, 72, 1)
