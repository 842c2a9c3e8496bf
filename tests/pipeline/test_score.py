"""score: what is told about files that look wrong."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from facsim.evaluate.scorecard import Scorecard
from facsim.pipeline import score as module
from facsim.run import Silent


def _write(path: Path, scale: float) -> Path:
    random = np.random.default_rng(1)
    energies = random.uniform(1e3, 1e4, (120, 1))
    with h5py.File(path, "w") as file:
        file["incident_energies"] = energies
        file["showers"] = (random.dirichlet(np.ones(368), 120) * energies * scale).astype(np.float32)
    return path


@pytest.mark.parametrize(("scale", "warned"), [(0.9, False), (900.0, True)])
def test_units_that_look_wrong_are_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scale: float, warned: bool
) -> None:
    card = Scorecard("x", "file", 1, {}, [], [])
    monkeypatch.setattr(module, "score_files", lambda *sources, **options: (card, {}))
    reference, generated = _write(tmp_path / "r.h5", 0.9), _write(tmp_path / "g.h5", scale)
    options = {"geometry": None, "mapping": None, "out": None, "seed": 1, "reporter": Silent()}
    notes = module.score(reference, generated, None, **options).notes
    assert any("are its units right?" in note and "g.h5" in note for note in notes) is warned
