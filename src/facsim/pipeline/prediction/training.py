"""What a predictor learns from: background, and as much signal as the configuration lets in by mistake."""

from __future__ import annotations

from typing import Any

import numpy as np

from facsim.core.errors import FacsimError
from facsim.core.events import EventSource
from facsim.core.rng import generator
from facsim.core.sources import SubsetSource, read_labels
from facsim.evaluate.anomaly.groups import selected
from facsim.models import Predictor, find_model
from facsim.models.predictor import check_background
from facsim.run import Run

FEWEST = 10


def predictor_options(run: Run) -> dict[str, Any]:
    """Options of the predictor of `run`, with what background is."""
    return {"background": dict(run.config.prepare.background), **run.config.surrogate.options}


def learnt_from(run: Run, source: EventSource, split: str) -> EventSource:
    """The events of a split that the predictor of `run` is shown: background, or all where it asks for them.

    Raises:
        FacsimError: background is told by what the events have not, too little of it, no signal to be let in, or a
            contamination where labels are read.
    """
    kind, options = find_model(run.config.surrogate.name), predictor_options(run)
    check_background(source.schema, options["background"])
    assert issubclass(kind, Predictor)
    if kind.sees_signal(kind.Options.model_validate(options)):
        if run.config.prepare.contamination:
            raise FacsimError(
                "this model reads labels ('model.outliers: signal'), and 'prepare.contamination' is signal without "
                "one: leave out either."
            )
        return source
    return background_of(run, source, split)


def background_of(run: Run, source: EventSource, split: str) -> EventSource:
    """Background events of `source`; of the training split with the contamination asked for.

    Raises:
        FacsimError: too few of them, or too few of the signal to be let in.
    """
    settings = run.config.prepare
    check_background(source.schema, settings.background)
    cond = read_labels(source).cond
    background = selected(source.schema, cond, settings.background)
    if background.sum() < FEWEST:
        raise FacsimError(
            f"{int(background.sum())} of {len(cond)} events of the split '{split}' are background, and a predictor "
            f"needs at least {FEWEST}: see 'prepare.background' ({settings.background})."
        )
    kept = np.flatnonzero(background)
    if split == "train" and settings.contamination:
        signal = np.flatnonzero(~background & selected(source.schema, cond, settings.contaminant))
        wanted = round(len(kept) * settings.contamination / (1 - settings.contamination))
        if len(signal) < wanted:
            raise FacsimError(
                f"a contamination of {settings.contamination:g} needs {wanted} signal events among those to train "
                f"on, and there are {len(signal)}: see 'prepare.contamination' and 'prepare.contaminant'."
            )
        chosen = generator(run.config.seed, "contamination").permutation(signal)[:wanted]
        kept = np.sort(np.concatenate([kept, chosen]))
    return SubsetSource(source, kept)
