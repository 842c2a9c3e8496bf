"""prepare: check the truth and divide it in splits, into `data.json`."""

from __future__ import annotations

from dataclasses import asdict

from facsim.core.errors import FacsimError
from facsim.core.sources import read_labels
from facsim.core.store import write_json
from facsim.data.checks import check_events
from facsim.data.splits import make_splits, to_ranges
from facsim.pipeline.truth import open_truth, truth_files
from facsim.run import Run

FORMAT = "facsim-data-1"


def prepare(run: Run) -> None:
    """Read all of the truth once, warn of what looks wrong, and draw the splits.

    Raises:
        FacsimError: broken or implausible events, or too few for the splits.
    """
    truth, settings = open_truth(run), run.config.prepare
    names = ", ".join(path.name for path in truth_files(run))
    with run.reporter.progress("checking") as advance:
        report = check_events(truth, names, lambda done: advance(done / len(truth), f"{done} events"))
    for warning in report.warnings:
        run.reporter.say(f"  warning: {warning}", "yellow")
    sizes = _sizes(report.events, settings.validation, settings.test)
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


def _sizes(n: int, validation: int | float, test: int | float) -> dict[str, int]:
    """Events of each split; what validation and the two test samples leave trains."""

    def count(share: int | float) -> int:
        return share if isinstance(share, int) else max(round(share * n), 1)

    judged = {"validation": count(validation), "reference": count(test), "null": count(test)}
    train = n - sum(judged.values())
    if train < 1:
        raise FacsimError(
            f"{n} events are too few for the splits {judged} and some to train on: "
            "take more events, or smaller 'prepare.validation' and 'prepare.test'."
        )
    return {"train": train, **judged}
