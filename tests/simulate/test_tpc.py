"""The truth simulation of the task `tpc`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from facsim.core.store import StoreReader
from facsim.physics.tpc_window import tpc_schema
from facsim.simulate import find_simulation
from facsim.simulate.tpc import TPCSimulation


def test_it_is_the_simulation_of_its_task() -> None:
    assert find_simulation("tpc") is TPCSimulation


def test_events_do_not_depend_on_workers(tmp_path: Path) -> None:
    files = []
    for workers in (1, 2):
        settings = TPCSimulation(events=60, chunk=20, workers=workers)
        report = settings.simulate(tmp_path / f"{workers}.h5", seed=4)
        assert report.events == 60
        files.append(StoreReader(report.path).read(0, 60))
    np.testing.assert_array_equal(files[0].x, files[1].x)
    np.testing.assert_array_equal(files[0].cond, files[1].cond)
    assert files[0].schema == tpc_schema()


def test_conditions_come_from_their_ranges() -> None:
    settings = TPCSimulation(events=1, dip_angle=(10, 11), pt=(0.3, 0.4), pad_rows=(5, 40))
    cond = settings.generate(400, np.random.default_rng(1)).cond
    assert (cond[:, 1].min(), cond[:, 1].max()) == (pytest.approx(10, abs=0.05), pytest.approx(11, abs=0.05))
    assert set(cond[:, 4]) == {5.0, 40.0}
    assert ((cond[:, 5] >= 0.3) & (cond[:, 5] <= 0.4)).all()
    assert (cond[:, 0].min() < -18) & (cond[:, 2].max() > 290)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"pad_rows": (23, 53)}, "no pad row 53"),
        ({"pad_rows": ()}, "at least 1 item"),
        ({"pt": (0.0, 1.0)}, "pt: the range"),
        ({"pt": (0.1, np.inf)}, "finite number"),
        ({"dip_angle": (0.0, 90.0)}, "dip_angle: the range"),
        ({"dip_angle": (10.0, -10.0)}, "dip_angle: the range must increase"),
        ({"crossing_angle": (-95.0, 0.0)}, "crossing_angle: the range"),
        ({"drift_length": (0.0, 400.0)}, "drift_length: the range"),
        ({"digitiser": {"species": "tau"}}, "species"),
        ({"digitiser": {"effects": {"noize": 1}}}, "noize"),
    ],
)
def test_settings_that_cannot_be(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        TPCSimulation(events=10, **values)


def test_time_is_taken() -> None:
    settings = TPCSimulation(events=1)
    cond = settings.generate(200, np.random.default_rng(1)).cond
    assert (settings.time(cond, 1) < 5).all()
