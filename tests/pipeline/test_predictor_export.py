"""A student through the lifecycle with everything that can be exported: graph, variants, C, their checks and times."""

from __future__ import annotations

import ctypes
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import facsim
from facsim.config import run_config
from facsim.core.errors import FacsimError
from facsim.core.events import Events, concatenate, make_events
from facsim.core.image import regular_image
from facsim.core.rng import generator
from facsim.core.schema import Feature, Schema
from facsim.core.store import write_store
from facsim.export.c_check import COMPILERS, compile_c
from facsim.export.check import open_session
from facsim.pipeline import check_extras, stages_of
from facsim.run import Run

pytest.importorskip("onnxruntime")
needs_compiler = pytest.mark.skipif(
    not any(map(shutil.which, COMPILERS)), reason=f"there is no C compiler on PATH ({', '.join(COMPILERS)})"
)
TEACHER = {"name": "autoencoder", "widths": [4, 8], "strides": [3, 3], "latent": 4}
CONV = {"name": "conv", "channels": [2, 3], "kernels": [3, 2], "pools": [2, 2]}
EXPORT = {"c": True, "c_name": "student", "variants": ["int8", "pruned"], "zeros": 0.3}


SCHEMA = Schema(
    "grid",
    (Feature("tracker", "GeV"), Feature("ecal", "GeV")),
    (Feature("mass", "GeV"), Feature("is_qcd"), Feature("is_suep")),
    regular_image("toy", (-np.pi, np.pi, 24), (-2.5, 2.5, 20), units=("rad", "")),
)


def images(n: int, share: float, cond: list[float]) -> Events:
    """Events with a `share` of their cells hit."""
    rng = generator(1, "images", str(share))
    x = rng.exponential(2, (n, 480, 2)) * (rng.random((n, 480, 2)) < share)
    return make_events(SCHEMA, x.astype(np.float32), np.tile(np.array(cond, np.float32), (n, 1)))


def truth(folder: Path) -> Path:
    """A file of background and signal, which has more hits."""
    events = concatenate([images(240, 0.05, [0, 1, 0]), images(120, 0.08, [400, 0, 1])])
    write_store(folder / "truth.h5", [events])
    return folder / "truth.h5"


def config(folder: Path, **sections: Any) -> dict[str, Any]:
    return {
        "task": "dark-showers",
        "data": {"files": [str(truth(folder))]},
        "prepare": {"validation": 40, "test": 80, "background": {"is_qcd": 1}},
        "model": {"name": "student", "teacher": TEACHER, "network": CONV},
        "train": {"steps": {"teacher": 5, "student": 20}, "batch_size": 32},
        "baselines": ["tracks"],
        "evaluate": {"anomaly": {"signals": ["is_suep", "mass"], "targets": [0.2]}},
        "timing": {"seconds": 0.05},
        "export": EXPORT,
        **sections,
    }


@pytest.mark.slow
@needs_compiler
def test_everything_is_exported_judged_timed_and_shown(tmp_path: Path) -> None:
    out = tmp_path / "run"
    result = facsim.run(config(tmp_path), out=out)
    assert {"export", "timing", "report"} <= {done.stage for done in result.stages}
    check = json.loads((out / "check.json").read_text())
    assert check["c"]["passed"]
    assert check["c"]["events"] == 80
    assert [entry["file"] for entry in check["c"]["files"]] == ["student.c", "student.h"]
    assert check["variants"]["int8"]["method"] == "static"
    pruned = check["variants"]["pruned"]
    assert 0.3 * pruned["weights"] - 3 < pruned["zeros"] <= 0.3 * pruned["weights"]  # rounded down in three layers
    for each in check["variants"].values():
        row = each["auc"]["suep 400 GeV"]
        assert row["auc"] - row["full"] == pytest.approx(row["difference"][0], abs=1e-8)
        assert row["difference"][1] >= 0
        assert -1 <= each["background"]["spearman"][0] <= 1
    latency = json.loads((out / "scores" / "timing.json").read_text())["latency"]
    assert list(latency) == ["torch", "onnxruntime", "onnxruntime int8", "onnxruntime pruned", "C"]
    assert all(0 < row["median_ms"] <= row["p99_ms"] for row in latency.values())
    page = (out / "report" / "index.html").read_text()
    assert "Variants of the graph" in page
    assert "onnxruntime int8" in page
    auc = json.loads((out / "scores" / "surrogate.json").read_text())["scores"][0]
    assert auc["value"] == pytest.approx(pruned["auc"]["suep 400 GeV"]["full"], abs=1e-3)
    compile_c(out / "student.c", tmp_path / "student.so")
    found = np.zeros(1, np.float32)
    x = images(1, 0.05, [0, 1, 0]).x
    pointers = [array.ctypes.data_as(ctypes.POINTER(ctypes.c_float)) for array in (x, found)]
    assert ctypes.CDLL(str(tmp_path / "student.so")).student_predict(1, *pointers) == 0
    assert found[0] == pytest.approx(open_session(out / "model.onnx").run(None, {"events": x})[0][0, 0], rel=1e-4)
    assert all(done.skipped for done in facsim.run(out=out).stages)
    (out / "model.int8.onnx").unlink()
    again = {done.stage: done.skipped for done in facsim.run(out=out).stages}
    assert again["train"]
    assert not again["export"]
    assert (out / "model.int8.onnx").is_file()


def test_the_files_of_an_export_are_those_asked_for(tmp_path: Path) -> None:
    made = run_config(config(tmp_path, export={**EXPORT, "variants": ["pruned"]}))
    names = [path.name for path in stages_of(made)["export"].outputs(Run(tmp_path, made))]
    assert names == ["model.onnx", "card.json", "check.json", "student.c", "student.h", "model.pruned.onnx"]
    plain = run_config(config(tmp_path, export={}))
    names = [path.name for path in stages_of(plain)["export"].outputs(Run(tmp_path, plain))]
    assert names == ["model.onnx", "card.json", "check.json"]


def test_variants_of_generated_events_are_refused() -> None:
    made = run_config({"task": "rich", "data": {"files": ["tracks.h5"]}, "export": {"variants": ["int8"]}})
    with pytest.raises(FacsimError, match=r"only those of predictors.*export\.variants=\[\]"):
        check_extras(made, simulates=False)


def test_a_variant_is_named_once() -> None:
    with pytest.raises(ValueError, match="may be named once"):
        run_config({"task": "rich", "data": {"files": ["tracks.h5"]}, "export": {"variants": ["int8", "int8"]}})
