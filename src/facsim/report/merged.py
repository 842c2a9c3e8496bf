"""Several run directories on one truth, read as one run with several surrogates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from facsim.report.rundata import Json, RunData, Sample, load_run, with_baselines


def merge_runs(runs: Mapping[str, Path], base: Path) -> RunData:
    """The surrogates of `runs`, named as their runs, and the baselines of all, beside the truth of `base`.

    Args:
        runs: run directories by name.
        base: the run directory that holds truth and splits.

    Raises:
        FacsimError: a directory does not exist.
    """
    source = load_run(base)
    parts = {name: load_run(path) for name, path in runs.items()}
    labels = short_names(list(runs))
    found = [
        _renamed(sample, name, labels[name]) for name, part in parts.items() if (sample := part.surrogate) is not None
    ]
    times = [row for name, part in parts.items() for row in _rows(part.timing, part, name)]
    merged = replace(
        source,
        samples=found,
        timing={**source.timing, "rows": times},
        steps={"rows": [row for name, part in parts.items() for row in _rows(part.steps, part, name)]},
        card={},
        check={},
        training={
            name if len(part.training) == 1 else f"{name}, {model}": lines
            for name, part in parts.items()
            for model, lines in part.training.items()
        },
        problems=list(dict.fromkeys(problem for part in [source, *parts.values()] for problem in part.problems)),
    )
    for part in [source, *parts.values()]:
        merged = with_baselines(merged, part)
    return merged


def short_names(names: list[str]) -> dict[str, str]:
    """Names without the words that all begin with: `calo-gan` and `calo-vae` are `gan` and `vae`."""
    shared = 0
    for words in zip(*(name.split("-")[:-1] for name in names), strict=False):
        if len(set(words)) > 1:
            break
        shared += 1
    return {name: "-".join(name.split("-")[shared:]) if len(names) > 1 else name for name in names}


def _renamed(sample: Sample, name: str, label: str) -> Sample:
    card = {**sample.scorecard, "name": name} if sample.scorecard else None
    return replace(sample, name=name, scorecard=card, shown_as=label)


def _rows(table: Json, part: RunData, name: str) -> list[Json]:
    """The surrogate's rows of a timing file, under the name of its run."""
    own = None if part.surrogate is None else part.surrogate.name
    return [{**row, "name": name} for row in table.get("rows", []) if row.get("name", own) == own]
