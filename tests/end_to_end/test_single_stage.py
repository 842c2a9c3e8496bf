"""The whole command line with `single-stage` on point clouds and on cells at any place, export and timing included."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from facsim.cli import app
from facsim.core.events import Events, make_events
from facsim.core.rng import generator
from facsim.core.schema import Schema, calorimeter_schema
from facsim.data import open_events
from facsim.data.calogan import CALOGAN, write_calogan
from facsim.data.showerdata import CONDITIONS, POINTS, write_showerdata

N, MOST = 220, 30


def clouds() -> Events:
    rng = generator(1, "clouds")
    energy = rng.uniform(1e4, 3e4, (N, 1))
    mask = np.arange(MOST) < (energy / 1e3) * rng.uniform(0.6, 1, (N, 1))
    points = np.concatenate([rng.normal(0, 9, (N, MOST, 3)), rng.exponential(9, (N, MOST, 1))], axis=2)
    cond = np.concatenate([energy, np.zeros((N, 2)), np.full((N, 1), 22.0)], axis=1)
    schema = Schema("cloud", POINTS[:4], CONDITIONS, points=MOST)
    return make_events(schema, (points * mask[..., None]).astype(np.float32), cond, mask=mask)


def cells() -> Events:
    rng = generator(1, "cells")
    energy = rng.uniform(1e4, 3e4, (N, 1))
    x = energy * rng.dirichlet(np.full(504, 0.05), N)
    return make_events(calorimeter_schema(CALOGAN), x.astype(np.float32)[:, :, None], energy)


CASES: dict[str, tuple[Callable[[], Events], Callable[[Path, Events], Any], dict[str, Any]]] = {
    "clouds": (clouds, write_showerdata, {"name": "epic", "width": 8, "depth": 1}),
    "cells": (cells, write_calogan, {"name": "residual-mlp", "width": 16, "depth": 1}),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", sorted(CASES))
def test_every_stage(case: str, in_tmp: Path) -> None:
    make, write, network = CASES[case]
    truth = make()
    write(in_tmp / "truth.h5", truth)
    tree = {
        "data": {"files": ["truth.h5"]},
        "prepare": {"validation": 20, "test": 60},
        "model": {"name": "single-stage", "method": {"name": "flow-matching", "steps": 2, "network": network}},
        "train": {"steps": 5, "batch_size": 32, "device": "cpu"},
        "sample": {"steps": [1]},
        "timing": {"batches": [1], "threads": [1], "repeats": 1, "seconds": 0.01},
    }
    (in_tmp / "run.yaml").write_text(yaml.safe_dump(tree))
    done = CliRunner().invoke(app, ["run", "run.yaml", "--out", "out"])
    assert done.exit_code == 0, done.stderr
    assert json.loads((in_tmp / "out/check.json").read_text())["passed"]
    assert (in_tmp / "out/report/index.html").is_file()
    card = json.loads((in_tmp / "out/card.json").read_text())
    found = open_events(in_tmp / "out/samples/surrogate.h5").read(0, 60)
    assert found.x.shape[1:] == truth.x.shape[1:]
    if case == "cells":
        assert (found.x >= 0).all()
        return
    assert card["output"]["shape"] == ["batch", MOST, 5]
    assert card["output"]["columns"][-1]["name"] == "present"
    assert found.mask is not None
    assert truth.mask is not None
    assert abs(found.mask.sum(1).mean() - truth.mask.sum(1).mean()) < 4
