"""export: the surrogate as one ONNX graph and as C, the card that travels with it, and the checks of both."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from facsim.config.sections import ExportConfig
from facsim.core.errors import FacsimError
from facsim.core.rng import integer_seed
from facsim.core.sources import read_labels
from facsim.core.store import read_json, write_json
from facsim.export.c_check import check_c, find_compiler
from facsim.export.c_source import c_facts, export_c
from facsim.export.card import file_facts, make_card, sha256
from facsim.export.check import check_export
from facsim.export.onnx import export_onnx
from facsim.export.triton import write_triton
from facsim.models.base import EventModel
from facsim.models.checkpoint import load_model
from facsim.pipeline.truth import open_splits
from facsim.provenance import provenance
from facsim.run import SURROGATE, Run


def export(run: Run) -> None:
    """Write `model.onnx`, `card.json`, `check.json`, and as asked for C files (`export.c`) and `triton/`.

    Raises:
        MissingExtraError: ONNX is not installed.
        FacsimError: the graph does not agree with the model, or the C with the graph; or there is no C compiler.
    """
    settings, seed = export_settings(run), run.config.seed
    model, splits = load_model(run.model()), open_splits(run)
    with run.reporter.progress("exporting") as advance:
        export_onnx(model, run.onnx, settings.opset)
        advance(0.7, "checking against ONNX Runtime")
        cond = read_labels(splits["null"]).cond
        checked = check_export(model, run.onnx, cond, integer_seed(seed, "export"), settings.batch_sizes)
        advance(1.0, "")
    scores = read_json(run.scores(SURROGATE))["scores"]
    train_cond = read_labels(splits["train"]).cond
    origin = {**provenance(seed), "truth": dict(splits["train"].schema.provenance)}
    write_json(run.card, make_card(model, run.config.surrogate.name, run.onnx, train_cond, scores, origin))
    run.reporter.say(f"  {run.onnx} ({run.onnx.stat().st_size / 1e6:.1f} MB) agrees with torch")
    export_triton(run)
    if settings.c:
        checked["c"] = _export_c(run, model, cond, settings.c_name)
    write_json(run.check, checked)


def export_settings(run: Run) -> ExportConfig:
    """What is exported.

    Raises:
        FacsimError: nothing, or C without a compiler.
    """
    settings = run.config.export
    if settings is None:
        raise FacsimError("this run exports nothing: its configuration says 'export: null'.")
    if settings.c:
        find_compiler()  # its absence is told before the work
    return settings


def export_triton(run: Run) -> None:
    """Write the folder from which Triton serves the graph, if it is asked for; an earlier one is removed."""
    shutil.rmtree(run.triton, ignore_errors=True)
    served = export_settings(run).triton
    if served is not None:
        write_triton(run.onnx, read_json(run.card), run.triton, served.name, served.max_batch_size)
        run.reporter.say(f"  {run.triton} is a model repository for Triton")


def _export_c(run: Run, model: EventModel, cond: NDArray[Any], name: str) -> dict[str, Any]:
    """Write the C files and compare them with the graph; what the check file says of them."""
    facts = c_facts(read_json(run.card), model.noise_spec(1), name, sha256(run.card))
    seed = integer_seed(run.config.seed, "export", "c")
    return keep_c(run, export_c(run.onnx, run.dir, facts), lambda source: check_c(source, run.onnx, facts, cond, seed))


def keep_c(run: Run, files: tuple[Path, Path], check: Callable[[Path], dict[str, Any]]) -> dict[str, Any]:
    """What the check file says of C files, source and header, that `check` compares with the graph.

    Raises:
        FacsimError: as `check`, and then the files are removed.
    """
    source, header = files
    try:
        found = check(source)
    except BaseException:
        source.unlink()
        header.unlink()
        raise
    run.reporter.say(
        f"  {source} ({source.stat().st_size / 1e6:.1f} MB) agrees with the graph, {found['us_per_call']:.3g} us a call"
    )
    return {"files": [file_facts(source), file_facts(header)], **found}
