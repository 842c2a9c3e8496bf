"""The truth of a run: the simulated file or the user's own, and its splits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from facsim.config import load_config
from facsim.core.errors import FacsimError
from facsim.core.events import EventSource
from facsim.core.sources import SubsetSource
from facsim.core.store import read_json
from facsim.data import open_events
from facsim.data.splits import from_ranges
from facsim.run import Run, saved_config


def truth_run(run: Run) -> Run:
    """The run whose truth `run` uses: itself, or the one that `data.run` names.

    Raises:
        FacsimError: `data.run` names no run directory, or one that uses the truth of yet another.
    """
    data = run.config.data
    if data is None or data.run is None:
        return run
    source = Run(Path(data.run), load_config(saved_config(Path(data.run))), run.reporter)
    if source.config.data is not None and source.config.data.run is not None:
        raise FacsimError(f"'{source.dir}' has no truth of its own: name '{source.config.data.run}' as 'data.run'.")
    return source


def truth_files(run: Run) -> list[Path]:
    """Files that hold the truth of `run`: the user's, or `truth.h5`."""
    source = truth_run(run)
    return [source.truth] if source.config.data is None else [Path(name) for name in source.config.data.files]


def open_truth(run: Run) -> EventSource:
    """All truth events of `run`.

    Raises:
        FacsimError: a file is missing or broken, or the files differ in geometry or conditions.
    """
    files, data = truth_files(run), truth_run(run).config.data
    where = files[0] if len(files) == 1 else files
    if data is None:
        return open_events(where)
    return open_events(where, geometry=data.geometry, mapping=data.mapping, conditions=data.conditions)


def read_data(run: Run) -> dict[str, Any]:
    """The content of `data.json`."""
    found: dict[str, Any] = read_json(run.data)
    return found


def open_splits(run: Run) -> dict[str, EventSource]:
    """The splits `train`, `validation`, `reference` (A) and `null` (B) of the truth.

    Raises:
        FacsimError: the truth has another number of events than when it was prepared.
    """
    truth, data = open_truth(run), read_data(run)
    if len(truth) != data["events"]:
        raise FacsimError(
            f"the truth has {len(truth)} events, but {data['events']} when it was prepared: "
            f"run facsim prepare --out {run.dir} again."
        )
    return {name: SubsetSource(truth, from_ranges(ranges)) for name, ranges in data["splits"].items()}
