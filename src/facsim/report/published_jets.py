"""Published results on JetNet beside those of a run on jets of the same kind and number of particles."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from facsim.core.errors import FacsimError
from facsim.core.schema import Schema
from facsim.evaluate.leaderboards import BOARDS, METRICS, PROTOCOLS, Board, Entry
from facsim.metrics.protocols import JETNET, STRICT
from facsim.physics.jet_schema import is_jets, kinds_of
from facsim.report.blocks import Cell, Table
from facsim.report.rundata import Json, RunData, Sample
from facsim.report.text import plus_minus, significant
from facsim.report.timings import find_timing, truth_ms

TIMED_BATCH = 1000
COLUMNS: Mapping[str, tuple[str, str, float]] = {
    "fpd_e3": ("fpd", JETNET, 1e3),
    "kpd_e6": ("kpd", JETNET, 1e6),
    "w1m_e3": ("w1m", JETNET, 1e3),
    "w1p_e3": ("w1p", JETNET, 1e3),
    "w1pt_e3": ("w1p/pt", JETNET, 1e3),
    "w1efp_e5": ("w1efp", JETNET, 1e5),
    "fpnd": ("fpnd", JETNET, 1.0),
    "cov": ("coverage", STRICT, 1.0),
    "mmd": ("mmd", STRICT, 1.0),
}
"""Metric of the board to score, its protocol, and the factor between them."""
TIME = "us_per_jet"
HERE = "This run, on its own truth"
CAPTION = (
    "Published numbers are of the original JetNet (MadGraph and Pythia 8.2), this run's of its own truth: read both "
    "beside truth against truth of the same part. Times are of the devices that the papers name, here one CPU thread "
    f"at a batch of {TIMED_BATCH}. Coverage and minimum matching distance are of batches of 100 jets. {{caveat}}"
)


def published_jets(run: RunData) -> list[Table]:
    """One table for each kind of the run's jets that has a leaderboard, folded where there are several."""
    found = [(board, region) for board, region in _boards(run) if run.with_scores]
    return [_table(run, board, region, len(found) > 1) for board, region in found]


def _boards(run: RunData) -> Iterator[tuple[Board, str]]:
    """Leaderboards, and the regions of the scorecard that belong to them."""
    try:
        schema = Schema.from_dict(run.data.get("schema") or {})
    except FacsimError:
        return
    if not is_jets(schema):
        return
    kinds = kinds_of(schema)
    for kind in kinds:
        board = BOARDS.get(f"jetnet-{kind}{schema.points}")
        if board is not None:
            yield board, "all" if len(kinds) == 1 else kind


def _table(run: RunData, board: Board, region: str, folded: bool) -> Table:
    shown = [name for name in (*COLUMNS, TIME) if name in board.metrics]
    slow = truth_ms(run)
    own = [_row(f"{run.truth_name}, null", shown, _nulls(run, region), None if slow is None else 1e3 * slow)]
    for sample in run.with_scores:
        timed = find_timing(run, sample, TIMED_BATCH)
        own.append(
            _row(sample.label, shown, _values(sample, region), None if timed is None else 1e3 * timed["ms_per_shower"])
        )
    parts = [(HERE, own), *_published(board, shown)]
    columns = ["", *(_heading(name) for name in shown)]
    return Table(
        columns, parts, f"Beside published results: {board.title}", CAPTION.format(caveat=board.caveat), folded
    )


def _heading(name: str) -> str:
    metric = METRICS[name]
    return f"{metric.label} [{metric.unit}]" if metric.unit else metric.label


def _row(label: str, shown: Sequence[str], number: Callable[[str], Cell], us: float | None) -> list[Cell]:
    time = Cell(significant(us)) if us is not None else Cell("")
    return [Cell(label), *(time if name == TIME else number(name) for name in shown)]


def _scored(sample: Sample, name: str, region: str) -> Json:
    score, protocol, _ = COLUMNS[name]
    rows = (row for row in sample.scores if row.get("name") == score and row.get("protocol") == protocol)
    return next((row for row in rows if row.get("region", "all") == region), {})


def _values(sample: Sample, region: str) -> Callable[[str], Cell]:
    def number(name: str) -> Cell:
        row, factor = _scored(sample, name, region), COLUMNS[name][2]
        return _cell(row.get("value"), row.get("error"), factor)

    return number


def _nulls(run: RunData, region: str) -> Callable[[str], Cell]:
    """Truth against itself, from the first sample that says so."""

    def number(name: str) -> Cell:
        rows = [_scored(sample, name, region) for sample in run.with_scores]
        row = next((row for row in rows if row.get("null") is not None), {})
        return _cell(row.get("null"), row.get("null_error"), COLUMNS[name][2])

    return number


def _cell(value: float | None, error: float | None, factor: float) -> Cell:
    if value is None:
        return Cell("")
    return Cell(plus_minus(factor * value, None if error is None else factor * error))


def _published(board: Board, shown: Sequence[str]) -> list[tuple[str, list[list[Cell]]]]:
    """The board's rows by protocol, truth first."""
    lines: dict[tuple[str, str], dict[str, Entry]] = {}
    for entry in board.rows:
        lines.setdefault((entry.protocol, entry.model), {})[entry.metric] = entry
    parts: dict[str, list[list[Cell]]] = {}
    for (protocol, model), found in lines.items():
        some = next(iter(found.values()))
        label = Cell("truth against truth" if some.is_truth else model, small=some.source, hint=some.note)
        cells = [_cell(found[name].value, found[name].error, 1.0) if name in found else Cell("") for name in shown]
        row = [label, *cells]
        part = parts.setdefault(f"{protocol}: {PROTOCOLS[protocol]}", [])
        part.insert(0, row) if some.is_truth else part.append(row)
    return list(parts.items())
