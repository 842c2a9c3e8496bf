"""The pages of metrics and models: every example runs as it stands, every metric, model and method is named."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import facsim.metrics as m
from facsim.models import MODELS
from facsim.models.methods import METHODS

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted((DOCS / "metrics").glob("*.md"))
SHARED = ("np", "reference", "candidate", "more_truth", "training")
NO_METRIC = {"METRICS", "Estimate", "Metric", "Outliers", "Score", "Validity"}


def run(page: Path, names: dict[str, Any]) -> int:
    """Number of examples of a page, each run after the others before it."""
    examples = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    for example in examples:
        exec(compile(example, str(page), "exec"), names)
    return len(examples)


@pytest.fixture(scope="module")
def arrays() -> dict[str, Any]:
    """What the overview's examples define for those of all pages."""
    names: dict[str, Any] = {}
    run(DOCS / "metrics.md", names)
    assert names["found"].tests
    return {name: names[name] for name in SHARED}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_examples_run(page: Path, arrays: dict[str, Any]) -> None:
    assert run(page, dict(arrays)) > 0 or page.stem == "observables"


def test_every_metric_has_a_page_that_the_overview_names() -> None:
    overview = (DOCS / "metrics.md").read_text(encoding="utf-8")
    rows = [line for line in overview.splitlines() if line.startswith("| [`")]
    linked = set(re.findall(r"`(\w+)`", " ".join(row.split("|")[1] for row in rows)))
    assert linked == set(m.__all__) - NO_METRIC
    for page in PAGES:
        assert f"(metrics/{page.name})" in overview


def test_every_model_and_method_is_in_the_tables_of_their_page() -> None:
    rows = [line for line in (DOCS / "models.md").read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    named = {re.findall(r"`([\w-]+)`", row)[0] for row in rows}
    assert set(MODELS) | set(METHODS) <= named


def test_the_examples_of_models_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(DOCS / "models.md", {"folder": tmp_path}) == 2


def test_the_example_of_anomaly_scores_runs() -> None:
    rng = np.random.default_rng(1)
    names = {"background": rng.normal(size=800), "signal": rng.normal(1, 1, 60), "masses": np.repeat([125, 400], 30)}
    assert run(DOCS / "anomaly-metrics.md", names) == 1
