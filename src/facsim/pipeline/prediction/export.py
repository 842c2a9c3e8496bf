"""export: the predictor as one ONNX graph, whole and with integer weights, the card, and the checks of both."""

from __future__ import annotations

from facsim.core.errors import FacsimError
from facsim.core.sources import read_labels
from facsim.core.store import read_json, write_json
from facsim.export.card import make_card
from facsim.export.check import check_predictor
from facsim.export.onnx import export_predictor
from facsim.models.checkpoint import load_predictor
from facsim.pipeline.truth import open_splits
from facsim.provenance import provenance
from facsim.run import SURROGATE, Run

CHECKED = 64


def export(run: Run) -> None:
    """Write `model.onnx`, `card.json` and `check.json`.

    Raises:
        MissingExtraError: ONNX is not installed.
        FacsimError: the graph does not agree with the model.
    """
    settings, seed = run.config.export, run.config.seed
    if settings is None:
        raise FacsimError("this run exports nothing: its configuration says 'export: null'.")
    model, splits = load_predictor(run.model()), open_splits(run)
    with run.reporter.progress("exporting") as advance:
        export_predictor(model, run.onnx, settings.opset)
        advance(0.7, "checking against ONNX Runtime")
        events = splits["null"].read(0, min(CHECKED, len(splits["null"])))
        checked = check_predictor(model, run.onnx, events, settings.batch_sizes)
        advance(1.0, "")
    scores = read_json(run.scores(SURROGATE))["scores"]
    origin = {**provenance(seed), "truth": dict(splits["train"].schema.provenance)}
    train_cond = read_labels(splits["train"]).cond
    write_json(run.card, make_card(model, run.config.surrogate.name, run.onnx, train_cond, scores, origin))
    write_json(run.check, checked)
    run.reporter.say(f"  {run.onnx} ({run.onnx.stat().st_size / 1e6:.2f} MB) agrees with torch")
