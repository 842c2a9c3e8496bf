"""Variants of a predictor's graph: written, and judged against the full graph on the same test events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.events import EventSource, chunks
from facsim.core.image import ImageGeometry
from facsim.core.sources import batch_rows
from facsim.core.store import read_json
from facsim.data import open_events
from facsim.evaluate.anomaly.groups import BACKGROUND, group_names, in_order
from facsim.evaluate.anomaly.judge import FEWEST_SIGNAL
from facsim.evaluate.anomaly.predictions import NULL, REFERENCE, VALIDATION, Predictions, read_predictions
from facsim.evaluate.anomaly.records import plain
from facsim.evaluate.anomaly.scores import all_scores
from facsim.export.card import file_facts
from facsim.export.check import graph_inputs, open_session
from facsim.export.onnx import SCORES
from facsim.export.variants import pruned, quantised
from facsim.metrics.auc import value_auc
from facsim.metrics.auc_difference import auc_difference
from facsim.metrics.fidelity import agreement
from facsim.pipeline.prediction.training import background_of
from facsim.run import SURROGATE, Run

EXAMPLES, AT_ONCE = 256, 32
"""Background events of the validation split that ranges of 8-bit numbers are taken from."""
FloatArray = NDArray[np.float64]


def export_variants(run: Run, names: list[str], splits: Mapping[str, EventSource]) -> dict[str, Any]:
    """Write all variants of the graph, whose inputs are `names`; of each what the check file says.

    Raises:
        FacsimError: the graph has no layers to change.
    """
    settings = run.config.export
    if settings is None or not settings.variants:
        return {}
    found: dict[str, dict[str, Any]] = {}
    for name, path in run.variants.items():
        if name == "int8":
            facts = quantised(run.onnx, path, _examples(run, names, splits[VALIDATION]))
        else:
            facts = pruned(run.onnx, path, settings.zeros)
        found[name] = {**file_facts(path), **facts}
    table = read_predictions(open_events(run.samples(SURROGATE)))
    full = _scores(run, table, _outputs(run.onnx, names, splits))
    for name, path in run.variants.items():
        found[name] |= _cost(run, table, full, _scores(run, table, _outputs(path, names, splits)))
        lost = [row["difference"][0] for row in found[name]["auc"].values()]
        said = f", AUC changes by {min(lost):+.4f} to {max(lost):+.4f}" if lost else ""
        run.reporter.say(f"  {path} ({path.stat().st_size / 1e6:.2f} MB){said}")
    return found


def _examples(run: Run, names: list[str], source: EventSource) -> Iterator[dict[str, NDArray[Any]]]:
    """Background, and of images sums of two events: ranges of background alone would cut off what is unusual."""
    background = background_of(run, source, VALIDATION)
    for first in range(0, min(EXAMPLES, len(background)), AT_ONCE):
        events = background.read(first, min(first + AT_ONCE, len(background)))
        yield graph_inputs(names, events)
        if isinstance(source.schema.geometry, ImageGeometry):
            yield graph_inputs(names, replace(events, x=events.x + np.roll(events.x, 1, axis=0)))


def _outputs(graph: Path, names: list[str], splits: Mapping[str, EventSource]) -> FloatArray:
    """What a graph says of validation and both truth samples, (N, D)."""
    session = open_session(graph)
    parts = [
        session.run([SCORES], graph_inputs(names, events))[0]
        for part in (VALIDATION, REFERENCE, NULL)
        for events in chunks(splits[part], min(500, batch_rows(splits[part])))
    ]
    return np.concatenate(parts).astype(np.float64)


def _groups(run: Run, table: Predictions) -> NDArray[np.str_]:
    plan = run.config.evaluate.anomaly
    return group_names(table.schema, table.cond, run.config.prepare.background, plan.signals)


def _scores(run: Run, table: Predictions, outputs: FloatArray) -> FloatArray:
    """The score that was chosen, of the test events, made of a graph's `outputs` as it was made of the model's."""
    own = table.of(VALIDATION, REFERENCE, NULL)
    validation, background = table.of(VALIDATION)[own], (_groups(run, table) == BACKGROUND)[own]
    calibration, weight = validation & background, table.weight[own]
    chosen = read_json(run.scores(SURROGATE))["chosen"]
    known = outputs[calibration]
    return all_scores(outputs[~validation], table.names, known, weight[calibration], seed=run.config.seed)[chosen]


def _cost(run: Run, table: Predictions, full: FloatArray, score: FloatArray) -> dict[str, Any]:
    """AUC of each kind of signal by a variant's `score` and the `full` graph's, and how background is ordered."""
    test = table.of(REFERENCE, NULL)
    group, weight = _groups(run, table)[test], table.weight[test]
    b, both = group == BACKGROUND, np.stack([score, full], 1)
    auc = {}
    for signal in in_order(group):
        s = group == signal
        if s.sum() >= FEWEST_SIGNAL:
            values = [value_auc(column[b], column[s], weight[b], weight[s])[0] for column in (score, full)]
            difference = auc_difference(both[b], both[s], weight[b], weight[s])
            auc[signal] = {
                "auc": values[0],
                "full": values[1],
                "difference": [round(float(part), 9) + 0.0 for part in difference],
            }
    shares = (1.0, run.config.evaluate.anomaly.targets[0])
    everything, tail = agreement(full[b], score[b], shares, replicas=50, seed=run.config.seed)
    return {
        "auc": auc,
        "background": {
            "events": int(b.sum()),
            "spearman": plain(everything.spearman),
            "share": tail.share,
            "overlap": plain(tail.overlap),
        },
    }
