"""prepare: check the truth and divide it in splits, into `data.json`."""

from __future__ import annotations

from dataclasses import asdict

from facsim.core.sources import read_labels
from facsim.core.store import write_json
from facsim.data.checks import check_events
from facsim.data.splits import make_splits, to_ranges
from facsim.pipeline.preflight import check_baselines, split_sizes
from facsim.pipeline.truth import open_truth, truth_files
from facsim.run import Run

FORMAT = "facsim-data-1"


def prepare(run: Run) -> None:
    """Read all of the truth once, warn of what looks wrong, and draw the splits.

    Raises:
        FacsimError: broken events, too few for the splits, or a baseline that cannot describe them.
    """
    truth = open_truth(run)
    check_baselines(run.config, truth.schema)
    names = ", ".join(path.name for path in truth_files(run))
    with run.reporter.progress("checking") as advance:
        report = check_events(truth, names, lambda done: advance(done / len(truth), f"{done} events"))
    for warning in report.warnings:
        run.reporter.say(f"  warning: {warning}", "yellow")
    sizes = split_sizes(report.events, run.config.prepare)
    splits = make_splits(read_labels(truth).group_id, report.events, sizes, run.config.seed)
    found = {name: len(indices) for name, indices in splits.items()}
    write_json(
        run.data,
        {
            "format": FORMAT,
            "files": [str(path) for path in truth_files(run)] if run.config.data else [run.truth.name],
            "events": report.events,
            "schema": truth.schema.to_dict(),
            "sizes": found,
            "check": asdict(report),
            "splits": {name: to_ranges(indices) for name, indices in splits.items()},
        },
    )
    run.reporter.say("  " + ", ".join(f"{count} {name}" for name, count in found.items()))
