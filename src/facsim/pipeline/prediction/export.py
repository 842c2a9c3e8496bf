"""export: the predictor as one ONNX graph, its variants, C, the card, and the checks of all."""

from __future__ import annotations

from typing import Any

from facsim.core.sources import read_labels
from facsim.core.store import read_json, write_json
from facsim.export.c_check_predictor import check_c_predictor
from facsim.export.c_predictor import export_c_predictor, predictor_facts
from facsim.export.card import make_card, sha256
from facsim.export.check import check_predictor, graph_inputs
from facsim.export.onnx import export_predictor
from facsim.models.checkpoint import load_predictor
from facsim.pipeline.export import export_settings, export_triton, keep_c
from facsim.pipeline.prediction.variants import export_variants
from facsim.pipeline.truth import open_splits
from facsim.provenance import provenance
from facsim.run import SURROGATE, Run

CHECKED, CHECKED_C = 64, 500
VARIANTS = {"int8", "pruned"}


def export(run: Run) -> None:
    """Write `model.onnx`, `card.json`, `check.json`, variants of the graph, and with `export.c` source and header in C.

    Raises:
        MissingExtraError: ONNX is not installed.
        FacsimError: the graph does not agree with the model, or the C with the graph; or there is no C compiler.
    """
    settings, seed = export_settings(run), run.config.seed
    model, splits = load_predictor(run.model()), open_splits(run)
    with run.reporter.progress("exporting") as advance:
        names = export_predictor(model, run.onnx, settings.opset)
        advance(0.7, "checking against ONNX Runtime")
        events = splits["null"].read(0, min(CHECKED, len(splits["null"])))
        checked = check_predictor(model, run.onnx, events, settings.batch_sizes)
        advance(1.0, "")
    scores = read_json(run.scores(SURROGATE))["scores"]
    origin = {**provenance(seed), "truth": dict(splits["train"].schema.provenance)}
    train_cond = read_labels(splits["train"]).cond
    write_json(run.card, make_card(model, run.config.surrogate.name, run.onnx, train_cond, scores, origin))
    run.reporter.say(f"  {run.onnx} ({run.onnx.stat().st_size / 1e6:.2f} MB) agrees with torch")
    export_triton(run)
    if settings.c:
        given = graph_inputs(names, splits["null"].read(0, min(CHECKED_C, len(splits["null"]))))
        checked["c"] = _export_c(run, given, settings.c_name)
    if settings.variants:
        checked["variants"] = export_variants(run, names, splits)
    for name in VARIANTS - run.variants.keys():
        (run.dir / f"model.{name}.onnx").unlink(missing_ok=True)  # of an earlier configuration
    write_json(run.check, checked)


def _export_c(run: Run, given: dict[str, Any], name: str) -> dict[str, Any]:
    """Write the C files and compare them with the graph on events `given`; what the check file says of them."""
    facts = predictor_facts(read_json(run.card), name, sha256(run.card))
    written = export_c_predictor(run.onnx, run.dir, facts)
    return keep_c(run, written, lambda source: check_c_predictor(source, run.onnx, facts, given))
