"""The page of students and baseline scores: its examples run, and every option and scorer is in its tables."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from facsim.core.events import make_events
from facsim.core.image import regular_image
from facsim.core.schema import Feature, Schema
from facsim.core.sources import MemorySource
from facsim.evaluate.scorers import SCORERS
from facsim.models.student import StudentOptions

PAGE = (Path(__file__).parents[2] / "docs" / "distillation.md").read_text(encoding="utf-8")


def test_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(1)
    schema = Schema("grid", (Feature("et", "GeV"),), (), regular_image("toy", (-2.5, 2.5, 12), (-3.15, 3.15, 16)))
    images = rng.exponential(size=(400, 192, 1)) * (rng.random((400, 192, 1)) < 0.1)
    names = {"background": MemorySource(make_events(schema, images.astype(np.float32), np.zeros((400, 0), np.float32)))}
    examples = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(examples) == 2
    for example in examples:
        exec(compile(example, "distillation.md", "exec"), names)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("1.0 400 (")
    assert lines[-4:-3] == ["tracks nothing et_hits (400, 1)"]


def test_every_option_and_scorer_is_in_a_table() -> None:
    named = {name for row in PAGE.splitlines() if row.startswith("| `") for name in re.findall(r"`([\w-]+)`", row)}
    options = set(StudentOptions.model_fields) - {"background", "regions"}
    assert options | set(SCORERS) <= named
