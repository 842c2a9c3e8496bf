"""score: showers of every layout that facsim reads, judged against truth and against a sample that is too wide."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from facsim import score as score_samples
from facsim.core.errors import FacsimError
from facsim.core.events import Events, make_events
from facsim.core.geometry import Geometry, regular_cylinder
from facsim.core.schema import Feature, Schema, calorimeter_schema
from facsim.data import calogan, hgcal, lemurs, showerdata
from facsim.data.geometry import write_geometry
from facsim.data.jetnet import write_jetnet
from facsim.evaluate.scorecard import Scorecard
from facsim.physics.jets import jet_features
from facsim.pipeline.score import score
from facsim.run import Silent

SMALL = regular_cylinder("small", "photon", 6, 4, 3, 20.0, 0.1)


def hexagons() -> Geometry:
    rng = np.random.default_rng(0)
    counts = np.array([19, 7, 30])
    x, y = rng.uniform(-6, 6, (2, 3, 30))
    return hgcal.hgcal_geometry(x, y, counts, particle="photon")


def showers(geometry: Geometry, n: int, spread: float, conditions: tuple[Feature, ...], seed: int) -> Events:
    """Poisson counts of deposits that fall off with the distance from the axis over `spread` mm."""
    rng = np.random.default_rng(seed)
    energy = rng.uniform(1e4, 1e5, n)
    shape = np.exp(-geometry.r / spread) * np.exp(-geometry.layer_index / geometry.n_layers)
    x = 20.0 * rng.poisson(energy[:, None] / 100 * shape / shape.sum()) * rng.gamma(10, 0.1, (n, geometry.n_cells))
    angles = rng.uniform(1.0, 2.0, (n, len(conditions) - 1))
    schema = calorimeter_schema(geometry, conditions)
    return make_events(schema, x.astype(np.float32)[:, :, None], np.hstack([energy[:, None], angles]))


def clouds(n: int, spread: float, seed: int) -> Events:
    rng = np.random.default_rng(seed)
    mask = np.arange(40) < rng.integers(10, 41, (n, 1))
    place = np.concatenate([rng.normal(0, spread, (n, 40, 2)), rng.integers(0, 6, (n, 40, 1))], axis=2)
    points = np.concatenate([place, rng.exponential(5.0, (n, 40, 1))], axis=2) * mask[..., None]
    energy = 30 * points[..., 3].sum(axis=1)
    cond = np.stack([energy, np.zeros(n), np.zeros(n), np.full(n, 22.0)], axis=1)
    schema = Schema("cloud", showerdata.POINTS[:4], showerdata.CONDITIONS, points=40)
    return make_events(schema, points.astype(np.float32), cond, mask=mask)


WRITERS = {
    "lemurs": lambda path, n, spread, seed: lemurs.write_lemurs(
        path, showers(SMALL, n, spread, lemurs.CONDITIONS, seed)
    ),
    "hgcal": lambda path, n, spread, seed: hgcal.write_hgcal(
        path, showers(hexagons(), n, spread, hgcal.CONDITIONS, seed)
    ),
    "calogan": lambda path, n, spread, seed: calogan.write_calogan(
        path, showers(calogan.CALOGAN, n, 3 * spread, hgcal.CONDITIONS[:1], seed)
    ),
    "showerdata": lambda path, n, spread, seed: showerdata.write_showerdata(path, clouds(n, spread, seed)),
    "showerdata in cells": lambda path, n, spread, seed: showerdata.write_showerdata(path, clouds(n, spread, seed)),
}
READ_OUTS = {"lemurs": SMALL, "hgcal": hexagons(), "showerdata in cells": SMALL}


def judge(folder: Path, kind: str, generated: Path, out: Path | None = None, seed: int = 1) -> Scorecard:
    geometry = None
    if kind in READ_OUTS:
        geometry = str(folder / "geometry.json")
        write_geometry(Path(geometry), READ_OUTS[kind])
    options = {"mapping": None, "out": out, "seed": seed, "reporter": Silent()}
    return score(folder / "truth.h5", generated, None, geometry=geometry, **options)


@pytest.mark.parametrize("kind", WRITERS)
def test_truth_passes_and_wide_showers_do_not(tmp_path: Path, kind: str) -> None:
    WRITERS[kind](tmp_path / "truth.h5", 260, 20.0, 1)
    WRITERS[kind](tmp_path / "same.h5", 130, 20.0, 2)
    WRITERS[kind](tmp_path / "wide.h5", 130, 40.0, 3)
    out = tmp_path / "out" if kind in ("hgcal", "showerdata") else None
    same, wide = judge(tmp_path, kind, tmp_path / "same.h5"), judge(tmp_path, kind, tmp_path / "wide.h5", out)
    assert same.score("w1/ec_r").z < 4
    assert wide.score("w1/ec_r").z > 5
    assert not [note for note in wide.notes if note.startswith("warning")]
    if out is not None:
        page = (out / "report" / "index.html").read_text(encoding="utf-8")
        assert "Wasserstein" in page
        card = json.loads((out / "scores" / "wide.json").read_text(encoding="utf-8"))
        assert card["n"] == {"reference": 130, "generated": 130, "null": 130}
        assert json.loads((out / "hists" / "wide.json").read_text(encoding="utf-8"))["items"]


def test_what_cannot_be_compared_is_told(tmp_path: Path) -> None:
    WRITERS["calogan"](tmp_path / "truth.h5", 120, 20.0, 1)
    WRITERS["showerdata"](tmp_path / "clouds.h5", 120, 20.0, 1)
    with pytest.raises(FacsimError, match=r"holds a grid, .* a cloud"):
        judge(tmp_path, "calogan", tmp_path / "clouds.h5")


def test_files_of_jetnet_are_scored(tmp_path: Path) -> None:
    """With jet features and without."""
    rng = np.random.default_rng(1)
    for name, width, features in (("truth", 0.1, True), ("jets", 0.13, False)):
        pt = -np.sort(-rng.dirichlet(np.ones(20), 240), axis=1)
        angles = width * rng.normal(size=(240, 20, 2))
        particles = np.concatenate([angles, pt[:, :, None], np.ones((240, 20, 1))], axis=2).astype(np.float32)
        mass = jet_features(particles[:, :, :3])["mass"]
        jets = np.column_stack([np.full(240, 1000.0), rng.normal(size=240), 1000 * mass, np.full(240, 20)])
        write_jetnet(tmp_path / f"{name}.h5", particles, jets if features else None)
    card = score_samples(tmp_path / "truth.h5", tmp_path / "jets.h5", out=tmp_path / "out")
    assert card.n == {"reference": 120, "generated": 120, "null": 120}
    assert card.score("w1/mass").z > 4
    assert card.score("w1p/eta", protocol="jetnet-0.2.5").value > 0.01
    assert "Jet mass" in (tmp_path / "out" / "report" / "index.html").read_text(encoding="utf-8")
