"""The section on compressed models, of runs that have some."""

from __future__ import annotations

from facsim.core.errors import FacsimError
from facsim.core.store import read_json
from facsim.report.blocks import Block, Cell, Gallery, Picture, Section, Table
from facsim.report.compression import MINIATURE, compression_figure, fate, sigmas
from facsim.report.render import to_svg
from facsim.report.rundata import Json, RunData
from facsim.report.text import DASH, PM, SIGMA, TIMES, duration, significant, times

TABLE = "compressed/table.json"


def compression_section(run: RunData) -> Section | None:
    """Quality, time and size of whatever was made of the surrogate; None where nothing was."""
    path = run.dir / TABLE
    if not path.is_file():
        return None
    try:
        found: Json = read_json(path)
        blocks: list[Block] = [_picture(found), _table(found)]
    except (FacsimError, KeyError, TypeError, IndexError):
        run.problems.append(f"'{path}' is not a table of compressed models.")
        return None
    cpu = (found.get("hardware") or {}).get("cpu")
    lead = "Cheaper forms of the surrogate, sampled and judged like itself, and timed in turns with it on one thread"
    lead = f"{lead}, on {cpu}." if cpu else f"{lead}."
    if found.get("smoke"):
        lead = f"{lead} All is {MINIATURE}."
    return Section("compression", "Compressed", lead, blocks)


def _picture(found: Json) -> Gallery:
    title = "Quality against time of compressed models"
    caption = (
        "Areas are sizes on disk; hollow models are worse than was allowed and were not kept. The band is the "
        "original's error, the dotted line truth against truth."
    )
    return Gallery([Picture(to_svg(compression_figure(found), "compression", title), title, caption, wide=True)], 1)


def _table(found: Json) -> Table:
    names, batches = list(found["watched"]), list(found["rows"][0]["times"])
    lines = []
    for row in found["rows"]:
        size = row["graph_MB"] or row["weights_MB"]
        scores = [row["scores"].get(name) for name in names]
        cells = [_score(score, row["method"] is None) for score in scores]
        lines.append(
            [
                Cell(row["name"], fate(row, found["limits"])),
                *cells,
                *(_time(row["times"][batch], row["method"] is None) for batch in batches),
                Cell(DASH if size is None else f"{significant(size)} MB"),
            ]
        )
    caption = (
        f"Small print: by how many {SIGMA} of both errors a score is worse than the original's; how many times "
        "faster than the original, and what holds 68 % of the calls."
    )
    columns = ["", *names, *(f"batch {batch}" for batch in batches), "size"]
    return Table(columns, [("", lines)], "Compressed models", caption)


def _score(score: Json | None, original: bool) -> Cell:
    if score is None or score["value"] is None:
        return Cell(DASH)
    error = f"{PM}{significant(score['error'], 2)}" if score["error"] else ""
    return Cell(significant(score["value"]) + error, "" if original else f"{sigmas(score['sigma'])} {SIGMA}")


def _time(time: Json, original: bool) -> Cell:
    span = f"{times(time['ratio_low'])} to {times(time['ratio_high'])}"
    return Cell(
        duration(time["ms"]), "" if original else f"{TIMES}{times(time['ratio'])} ({span})", hint=time["engine"]
    )
