"""Marks, families and tables of scores."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from facsim.report.rundata import load_run
from facsim.report.scoretable import (
    by_family,
    not_computed,
    observables_table,
    regions_table,
    score_cell,
    score_rows,
    scorecard_table,
    validity_table,
    verdict,
)
from facsim.report.text import plus_minus


@pytest.mark.parametrize(
    ("row", "mark"),
    [
        ({"z": 1.9}, "good"),
        ({"z": 2.1}, "fair"),
        ({"z": 7.0}, "poor"),
        ({"z": -7.0, "better": "lower"}, "good"),
        ({"z": -7.0, "better": "higher"}, "poor"),
        ({"z": 7.0, "better": "higher"}, "good"),
        ({"z": -7.0, "better": "null"}, "poor"),
        ({"z": 30.0, "status": "underpowered"}, "void"),
        ({"z": 0.0, "status": "failed"}, "poor"),
        ({"z": None}, ""),
    ],
)
def test_verdict(row: dict[str, Any], mark: str) -> None:
    assert verdict(row)[0] == mark


def test_every_mark_has_words_of_its_own_so_that_colour_is_not_needed() -> None:
    words = [verdict({"z": z})[1][0] for z in (0.0, 3.0, 9.0)] + [verdict({"status": "underpowered"})[1][0]]
    assert len(set(words)) == 4


def test_underpowered_is_named() -> None:
    cell = score_cell({"value": 0.6, "error": 0.1, "z": 1.0, "status": "underpowered"})
    assert "underpowered" in cell.mark_text


def test_missing_value_is_a_dash() -> None:
    assert score_cell(None).text == score_cell({"value": None}).text == "\u2013"


def test_families_keep_every_score_once(full_run: Path) -> None:
    rows = score_rows(load_run(full_run).with_scores)
    grouped = [key for _, keys in by_family({**rows, ("something", "x"): {}}) for key in keys]
    assert sorted(grouped) == sorted([*rows, ("something", "x")])


def test_table_holds_every_number_of_the_scorecards(full_run: Path) -> None:
    run = load_run(full_run)
    table, single = scorecard_table(run), observables_table(run)
    assert single is not None
    texts = {cell.text for part in (table, single) for _, rows in part.parts for row in rows for cell in row}
    for sample in run.samples:
        for row in json.loads((full_run / "scores" / f"{sample.name}.json").read_text())["scores"]:
            if row["region"] in ("all", "worst") and row["value"] is not None:
                assert plus_minus(row["value"], row["error"]) in texts
                assert plus_minus(row["null"], row["null_error"]) in texts
    assert all(len(row) == len(table.columns) for _, rows in table.parts for row in rows)


def test_scores_of_single_observables_stand_in_a_table_of_their_own(full_run: Path) -> None:
    run = load_run(full_run)
    main = {row[0].text for _, rows in scorecard_table(run).parts for row in rows}
    assert "AUC on high-level observables, worst energy bin" in main
    assert "width in radius" not in main


def test_what_was_not_computed_is_said_with_its_reason(full_run: Path) -> None:
    assert not_computed(load_run(full_run)) == "Not computed: kernel distance (KPD) (jetnet-0.2.5): too few showers."


def test_validity_counts(full_run: Path) -> None:
    table = validity_table(load_run(full_run))
    assert table is not None
    ((_, rows),) = table.parts
    assert [(row[0].text, row[1].text, row[2].text, row[2].mark) for row in rows] == [
        ("cells with negative energy", "0", "3", "poor"),
        ("showers equal to an earlier one, cell by cell", "\u2013", "7", ""),
    ]


def test_energy_bins_have_one_row_each(full_run: Path) -> None:
    table = regions_table(load_run(full_run))
    assert table is not None
    assert [len(rows) for _, rows in table.parts] == [4]
