"""export: the surrogate as one ONNX graph, the card that travels with it, and the check against ONNX Runtime."""

from __future__ import annotations

from facsim.core.errors import FacsimError
from facsim.core.rng import integer_seed
from facsim.core.sources import read_labels
from facsim.core.store import read_json, write_json
from facsim.export.card import make_card
from facsim.export.check import check_export
from facsim.export.onnx import export_onnx
from facsim.models.checkpoint import load_model
from facsim.pipeline.truth import open_splits
from facsim.provenance import provenance
from facsim.run import SURROGATE, Run


def export(run: Run) -> None:
    """Write `model.onnx`, `card.json` and `check.json`.

    Raises:
        MissingExtraError: ONNX is not installed.
        FacsimError: the graph does not agree with the model.
    """
    settings, seed = run.config.export, run.config.seed
    if settings is None:
        raise FacsimError("this run exports nothing: its configuration says 'export: null'.")
    model, splits = load_model(run.model()), open_splits(run)
    with run.reporter.progress("exporting") as advance:
        export_onnx(model, run.onnx, settings.opset)
        advance(0.7, "checking against ONNX Runtime")
        cond = read_labels(splits["null"]).cond
        checked = check_export(model, run.onnx, cond, integer_seed(seed, "export"), settings.batch_sizes)
        advance(1.0, "")
    write_json(run.check, checked)
    scores = read_json(run.scores(SURROGATE))["scores"]
    train_cond = read_labels(splits["train"]).cond
    origin = {**provenance(seed), "truth": dict(splits["train"].schema.provenance)}
    write_json(run.card, make_card(model, run.config.surrogate.name, run.onnx, train_cond, scores, origin))
    run.reporter.say(f"  {run.onnx} ({run.onnx.stat().st_size / 1e6:.1f} MB) agrees with torch")
