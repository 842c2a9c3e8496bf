"""score: a scorecard of any two files, with no run around it; what their events are is read off them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from facsim.core.errors import FacsimError
from facsim.core.events import EventSource
from facsim.core.showerfile import INCIDENT
from facsim.core.store import write_json
from facsim.data import open_events
from facsim.data.checks import check_alike, check_events, compare_reports
from facsim.data.showerdata import is_shower_cloud
from facsim.data.text_columns import SUFFIXES
from facsim.evaluate.files import score_files, with_shared_conditions
from facsim.evaluate.leaderboards.boards import Board
from facsim.evaluate.leaderboards.scored import check_readout, place_scores, scored_board
from facsim.evaluate.physics import TaskPhysics
from facsim.evaluate.scorecard import Scorecard
from facsim.evaluate.shower_clouds import score_clouds
from facsim.evaluate.table_physics import TablePhysics
from facsim.evaluate.tasks import PHYSICS, find_physics, recognised
from facsim.models.choices import known
from facsim.physics.jet_schema import is_jets
from facsim.run import Reporter

OWN_NAMES = ("timing", "steps")
SHOWERS, TABLE = "calorimeter", "table"
TRUTH_ROWS = 20_000


def score(
    reference: Path,
    generated: Path,
    train: Path | None,
    *,
    geometry: str | None,
    mapping: str | Path | None,
    out: Path | None,
    seed: int,
    reporter: Reporter,
    leaderboard: str | None = None,
    times: Mapping[str, float] | None = None,
    null: Path | None = None,
    task: str | None = None,
) -> Scorecard:
    """Scorecard of the events in `generated` against truth; arguments as for `facsim.score`.

    What looks wrong in a file, such as its units, is said in the card's notes.

    Raises:
        FacsimError: files that are broken, of different geometries, or too small; events of another task, or of none;
            a leaderboard that is not known or of another read-out.
    """
    if times and leaderboard is None:
        raise FacsimError("a cost is compared on a leaderboard: name one, e.g. --leaderboard ds2.")
    board = None if leaderboard is None else scored_board(leaderboard, times)
    name = f"{generated.stem}-sample" if generated.stem in OWN_NAMES else generated.stem
    card, histograms = judge_files(
        reference,
        generated,
        train,
        null,
        geometry=geometry,
        mapping=mapping,
        task=task,
        seed=seed,
        name=name,
        reporter=reporter,
        board=board,
    )
    if board is not None:
        card.leaderboard.update(place_scores(board, card.scores, times))
    if out is not None:
        from facsim.report.page import write_report  # noqa: PLC0415  matplotlib is heavy

        write_json(out / "scores" / f"{name}.json", card.to_dict())
        write_json(out / "hists" / f"{name}.json", histograms)
        write_report(out, title=f"{generated.name} against {reference.name}")
        if board is not None:
            from facsim.report.leaderboard import standing_pictures  # noqa: PLC0415

            for path in standing_pictures(board, card.leaderboard, generated.stem, out / "leaderboard"):
                reporter.say(f"  {path}")
    return card


def judge_files(
    reference: Path,
    generated: Path,
    train: Path | None,
    null: Path | None,
    *,
    geometry: str | None,
    mapping: str | Path | None,
    task: str | None,
    seed: int,
    name: str,
    reporter: Reporter,
    board: Board | None = None,
) -> tuple[Scorecard, dict[str, Any]]:
    """Scorecard `name` and histograms of `generated`; arguments and errors as of `score`."""
    if task is not None:
        known(task, [SHOWERS, TABLE, *PHYSICS], "task")
    opened = partial(open_events, geometry=geometry, mapping=mapping, whole_table=True)
    truth, judged = opened(reference), opened(generated)
    trained, second = (None if path is None else opened(path) for path in (train, null))
    check_alike(truth.schema, judged.schema, str(reference), str(generated))
    if board is not None:
        check_readout(board, truth.schema.geometry)
    found, physics = _physics(task, truth)
    files = [(reference, truth), (generated, judged), *([(null, second)] if null and second else [])]
    checks = [check_events(source, str(path)) for path, source in files]
    warnings = [text for check in checks for text in check.warnings] + compare_reports(*checks[:2])
    if is_jets(truth.schema) and not truth.schema.given:
        given = [source for source in (truth, judged, trained, second) if source is not None]
        alike = iter(with_shared_conditions(given))
        truth, judged = next(alike), next(alike)
        trained, second = (None if source is None else next(alike) for source in (trained, second))
    with reporter.progress("judging") as advance:
        if physics is None and truth.schema.representation == "cloud":
            card, histograms = score_clouds(truth, judged, seed=seed, name=name, null=second)
            if train is not None:
                card.notes.append("There is no memorisation check of clouds; give a read-out to have it on cells.")
        else:
            card, histograms = score_files(
                truth, judged, seed=seed, name=name, train=trained, null=second, physics=physics
            )
        advance(1.0, "")
    if physics is not None:
        card = replace(card, task=found)
        card.notes.append(_told(found, reference, mapping))
    card.notes.extend(f"warning: {text}" for text in warnings)
    return card, histograms


def _physics(task: str | None, truth: EventSource) -> tuple[str, TaskPhysics | None]:
    """The task of events and its physics, None for showers.

    Raises:
        FacsimError: events of another task than `task`, or of none and no table.
    """
    schema = truth.schema
    names = [feature.name for feature in schema.conditions]
    showers = is_shower_cloud(schema) or (schema.geometry is not None and INCIDENT in names)
    if task == SHOWERS or (task is None and showers):
        return SHOWERS, None
    few = truth.read(0, min(1, len(truth)))
    chosen = task or recognised(few) or TABLE
    physics = find_physics(chosen)
    if physics is not None:
        physics.check(few)
        return chosen, physics
    if task is None and schema.representation == "cloud":
        return SHOWERS, None  # whose judge says what can be done with other clouds
    if schema.representation != "table":
        raise FacsimError(
            f"these events, a {schema.representation} of {[feature.name for feature in schema.features]} with the "
            f"conditions {names}, are of none of the tasks {sorted([SHOWERS, *PHYSICS])}, and only tables are scored "
            "without one: name the columns or the read-out as the task does, with a mapping file."
        )
    return TABLE, TablePhysics(truth.read(0, min(TRUTH_ROWS, len(truth))))


def _told(task: str, reference: Path, mapping: str | Path | None) -> str:
    if task != TABLE:
        return f"These events are judged as those of the task '{task}'."
    note = "These events are of no task: each column is compared, and all of them together."
    if mapping is None and reference.suffix.lower() in SUFFIXES:
        note += " Every column of the file counts as a result; say with --mapping which are conditions or weights."
    return note
