"""sample: what the predictor and every baseline say of the test events, into tables `samples/<name>.h5`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from facsim.core.events import Events, EventSource, chunks, make_events
from facsim.core.image import ImageGeometry
from facsim.core.rng import generator, integer_seed
from facsim.core.schema import Feature, Schema
from facsim.core.sources import SubsetSource, batch_rows, read_labels
from facsim.core.store import write_store
from facsim.evaluate.anomaly.groups import selected
from facsim.evaluate.anomaly.predictions import NULL, PARTS, REFERENCE, VALIDATION, prediction_schema
from facsim.evaluate.scorers import find_scorer
from facsim.evaluate.scorers.teacher import Teacher
from facsim.models.checkpoint import load_predictor
from facsim.models.predictor import Predictor
from facsim.physics.pseudo_signals import PSEUDO_SIGNALS
from facsim.pipeline.prediction.training import background_of
from facsim.pipeline.sample import remove_others
from facsim.pipeline.truth import open_splits
from facsim.run import SURROGATE, Advance, Run


class Scorer(Protocol):
    """What says something of events: a predictor, or a baseline."""

    outputs: tuple[Feature, ...]

    def predict(self, events: Events) -> NDArray[Any]:
        """Outputs (N, D)."""
        ...


class TorchScorer:
    """A trained predictor that takes and gives NumPy.

    Args:
        model: the predictor. device: torch device name.
    """

    def __init__(self, model: Predictor, device: str = "cpu") -> None:
        self.model, self.device = model.to(device).eval(), device
        self.outputs, self.one_sided = model.outputs, model.one_sided

    def predict(self, events: Events) -> NDArray[np.float32]:
        """Outputs (N, D) of `events`."""

        def there(array: NDArray[Any] | None, kind: torch.dtype = torch.float32) -> torch.Tensor | None:
            return None if array is None else torch.as_tensor(np.asarray(array), dtype=kind, device=self.device)

        x, cond = there(events.x), there(events.cond)
        assert x is not None
        assert cond is not None
        with torch.inference_mode():
            found = self.model.predict(x, cond, there(events.mask, torch.bool))
        out: NDArray[np.float32] = found.float().cpu().numpy()
        return out


def sample(run: Run) -> None:
    """Write the predictions for validation, both truth samples and changed background."""
    splits = open_splits(run)
    for name, scorer in scorers(run, splits["train"]):
        with run.reporter.progress(name) as advance:
            write_store(run.samples(name), _tables(run, name, scorer, splits, advance))
    remove_others(run)


def scorers(run: Run, train: EventSource) -> Iterator[tuple[str, Scorer]]:
    """The trained predictor, and every baseline fitted to training events."""
    if run.config.model is not None:
        yield SURROGATE, TorchScorer(load_predictor(run.model()))
    for baseline in run.config.baselines:
        yield baseline.name, fit_scorer(run, baseline.name, train)


def fit_scorer(run: Run, name: str, train: EventSource) -> Scorer:
    """The baseline `name`, fitted to background, or to background and signal where it learns from labels."""
    options = next(baseline.options for baseline in run.config.baselines if baseline.name == name)
    own = {"folder": str(run.model())} if name == Teacher.name and run.config.model is not None else {}
    scorer = find_scorer(name)(**{**own, **options})
    background = background_of(run, train, "train")
    signal = _signal_of(run, train) if scorer.learns == "labels" else None
    fitted: Scorer = scorer.fit(background, signal, integer_seed(run.config.seed, "baseline", name))
    return fitted


def _signal_of(run: Run, train: EventSource) -> EventSource:
    chosen = selected(train.schema, read_labels(train).cond, run.config.prepare.background)
    return SubsetSource(train, np.flatnonzero(~chosen))


def _tables(run: Run, name: str, scorer: Scorer, splits: dict[str, EventSource], advance: Advance) -> Iterator[Events]:
    truth = splits[REFERENCE].schema
    told = {"predictor": name, "seed": run.config.seed, "one_sided": bool(getattr(scorer, "one_sided", True))}
    schema = prediction_schema(truth, scorer.outputs, told)
    total = sum(len(splits[part]) for part in (VALIDATION, REFERENCE, NULL))
    done = 0
    for part in (VALIDATION, REFERENCE, NULL):
        source = splits[part]
        for events in chunks(source, min(run.config.sample.batch_size, batch_rows(source))):
            yield _table(schema, scorer.predict(events), events, part)
            done += len(events)
            advance(done / total, f"{done} events")
    if name == SURROGATE and isinstance(truth.geometry, ImageGeometry):
        yield from _changed(run, schema, scorer, background_of(run, splits[VALIDATION], VALIDATION))


def _table(schema: Schema, outputs: NDArray[Any], events: Events, part: str) -> Events:
    scalars = events.schema.scalars(events.cond)
    cond = np.column_stack([scalars, np.full(len(events), PARTS.index(part))]).astype(np.float32)
    made = make_events(schema, outputs.astype(np.float32), cond, 0)
    return replace(made, event_id=events.event_id, group_id=events.group_id, weight=events.weight)


def _changed(run: Run, schema: Schema, scorer: Scorer, source: EventSource) -> Iterator[Events]:
    """Predictions for background events that were changed."""
    size = min(max(run.config.sample.batch_size, 2), batch_rows(source))
    for part, change in PSEUDO_SIGNALS.items():
        rng = generator(run.config.seed, "changed", part)
        for events in chunks(source, size):
            if len(events) > 1:
                x = change(np.asarray(events.x), rng).astype(np.float32)
                yield _table(schema, scorer.predict(replace(events, x=x)), events, part)
