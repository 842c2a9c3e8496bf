"""prepare: check the truth and divide it in splits, into `data.json`."""

from __future__ import annotations

import os
from dataclasses import asdict

from facsim.core.errors import FacsimError
from facsim.core.events import EventSource
from facsim.core.geometry import IntArray
from facsim.core.sources import read_labels
from facsim.core.store import write_json
from facsim.data import open_events
from facsim.data.checks import check_events
from facsim.data.splits import make_splits, split_files, to_ranges
from facsim.physics.jet_schema import is_jets
from facsim.pipeline.lifecycle import stages_of
from facsim.pipeline.preflight import check_baselines, split_sizes
from facsim.pipeline.stage import reason
from facsim.pipeline.truth import open_truth, read_data, truth_files, truth_run
from facsim.run import Run

FORMAT = "facsim-data-1"


def prepare(run: Run) -> None:
    """Read all of the truth once, warn of what looks wrong, and draw the splits; or take those of another run.

    Raises:
        FacsimError: broken events, too few for the splits, a baseline that cannot describe them, or another run whose
            truth is not prepared.
    """
    source = truth_run(run)
    if source is not run:
        _adopt(run, source)
        return
    truth = open_truth(run)
    check_baselines(run.config, truth.schema)
    names = ", ".join(path.name for path in truth_files(run))
    with run.reporter.progress("checking") as advance:
        report = check_events(truth, names, lambda done: advance(done / len(truth), f"{done} events"))
    for warning in report.warnings:
        run.reporter.say(f"  warning: {warning}", "yellow")
    splits = _splits(run, truth)
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


def _splits(run: Run, truth: EventSource) -> dict[str, IntArray]:
    """Splits of the truth; files of jets are divided each for itself, so that it does not matter which are taken."""
    groups, settings = read_labels(truth).group_id, run.config.prepare
    if run.config.data is None or not is_jets(truth.schema):
        return make_splits(groups, len(truth), split_sizes(len(truth), settings), run.config.seed)
    files, first = [], 0
    for path in truth_files(run):
        length = len(open_events(path, mapping=run.config.data.mapping))
        files.append((path.stem, groups[first : first + length]))
        first += length
    return split_files(files, lambda n: split_sizes(n, settings), run.config.seed)


def _adopt(run: Run, source: Run) -> None:
    """Take over what `source` prepared, unless its truth or settings have changed since."""
    stages = stages_of(source.config)
    for name in ("simulate", "prepare"):
        why = reason(stages[name], source) if name in stages else None
        if why is not None:
            raise FacsimError(
                f"'{run.dir}' is to use the truth of '{source.dir}', but there '{name}' has to run: {why}; "
                f"run facsim {name} --out {source.dir} first."
            )
    check_baselines(run.config, open_truth(run).schema)
    # relative paths: directories that are moved together have the same content, and nothing is repeated
    files = [os.path.relpath(path, run.dir) for path in truth_files(run)]
    write_json(run.data, {**read_data(source), "files": files})
    run.reporter.say(f"  truth and splits of {source.dir}")
