"""evaluate: scorecards and histograms of every sample, and the curve of quality against sampler steps."""

from __future__ import annotations

from facsim.core.store import write_json
from facsim.data import open_events
from facsim.evaluate.histograms import comparison_histograms
from facsim.evaluate.scorecard import scorecard
from facsim.pipeline.truth import open_splits
from facsim.run import Run

STEPS_FORMAT = "facsim-steps-1"
CURVE_SCORES = ("auc_high", "fpd")


def evaluate(run: Run) -> None:
    """Write `scores/<name>.json` and `hists/<name>.json` of every sample, and `scores/steps.json`."""
    splits = open_splits(run)
    for name in run.names:
        with run.reporter.progress(name) as advance:
            generated = open_events(run.samples(name))
            card = scorecard(
                name,
                splits["reference"],
                generated,
                null=splits["null"],
                train=splits["train"],
                seed=run.config.seed,
                options=options,
            )
            write_json(run.scores(name), card.to_dict())
            write_json(run.hists(name), comparison_histograms(splits["reference"], splits["null"], generated))
