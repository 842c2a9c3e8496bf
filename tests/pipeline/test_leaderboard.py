"""leaderboard, and score with a leaderboard, through the command line."""

from __future__ import annotations

import json
import re
from pathlib import Path

import h5py
import pytest
from typer.testing import CliRunner

import facsim
from facsim.cli import app
from facsim.core.errors import FacsimError
from facsim.data import open_events
from facsim.evaluate.leaderboards import BOARDS
from facsim.simulate.sample import sample_path

SAMPLE = str(sample_path())


def _call(*arguments: str, width: int = 200) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, list(arguments), env={"COLUMNS": str(width)})
    return done.exit_code, done.stdout, done.stderr


def test_without_a_name_all_are_listed() -> None:
    code, out, _ = _call("leaderboard")
    assert code == 0
    assert all(name in out for name in BOARDS)


@pytest.mark.parametrize("name", list(BOARDS))
@pytest.mark.parametrize("width", [80, 200])
def test_every_board_is_shown_in_any_width(name: str, width: int) -> None:
    code, out, _ = _call("leaderboard", name, width=width)
    assert code == 0
    table = out.partition("\n* no other")[0]
    assert all(model in table for model in BOARDS[name].models)
    assert BOARDS[name].y in table
    assert "…" not in table
    assert re.search(r"sources: .*(arXiv|CMSHGCal)", out)


def test_table_is_ordered_and_the_front_is_marked() -> None:
    _, out, _ = _call("leaderboard", "ds2", "--x", "params", "--y", "auc_high")
    lines = out.splitlines()[2:20]
    assert lines[0].split()[0] == "GEANT4"
    assert [line.split()[1] for line in lines if line.startswith("*")] == ["CaloDREAM", "CaloDiffusion", "MDMA"]


def test_json_and_picture(tmp_path: Path) -> None:
    code, out, _ = _call("leaderboard", "ds3", "--x", "cpu_b100_ms", "--y", "fpd_e3", "--out", str(tmp_path), "--json")
    assert code == 0
    found = json.loads(out)
    assert [row["model"] for row in found["front"]] == [
        "CaloVAE+INN", "Calo-VQ", "MDMA", "conv. L2LFlows", "CaloDREAM",
    ]  # fmt: skip
    (truth,) = [row for row in found["rows"] if row["truth"]]
    assert (truth["values"]["fpd_e3"], truth["errors"]["fpd_e3"]) == (8.758, 0.56)
    picture = tmp_path / "ds3_fpd_e3_cpu_b100_ms.png"
    assert found["picture"] == str(picture)
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_unknown_names_are_one_sentence() -> None:
    code, out, err = _call("leaderboard", "ds7")
    assert (code, out) == (1, "")
    assert err.startswith("facsim: there is no leaderboard 'ds7': there are ds1-photons, ")
    assert err.count("\n") == 1
    assert "has no metric 'speed'" in _call("leaderboard", "ds2", "--x", "speed")[2]


def test_score_says_where_the_model_stands(tmp_path: Path) -> None:
    events = open_events(sample_path()).read(0, 120)
    with h5py.File(tmp_path / "few.h5", "w") as file:
        file["showers"], file["incident_energies"] = events.cells, events.cond
    few = tmp_path / "few.h5"
    options = {"out": tmp_path, "leaderboard": "ds2", "times": {"cpu_b100_ms": 12.0}}
    card = facsim.score(few, few, geometry="ds2-electrons", **options)
    placed = json.loads((tmp_path / "scores" / "few.json").read_text())["leaderboard"]
    assert placed == card.leaderboard
    assert [(row["metric"], row["rank"]) for row in placed["standings"]] == [("cpu_b100_ms", 2)]
    why = {row["metric"]: row["why"] for row in placed["not_compared"]}
    assert "too few showers (60)" in why["sep_e_layer_e3"]
    assert "defined from 10000 showers" in why["fpd_e3"]
    assert "facsim's own classifier" in why["auc_high"]
    assert (tmp_path / "leaderboard" / "ds2.png").is_file()


def test_score_refuses_early(tmp_path: Path) -> None:
    for arguments, message in (
        (["--leaderboard", "ds9"], "there is no leaderboard 'ds9'"),
        (["--leaderboard", "ds3"], "leaderboard 'ds3' is of the read-out 'ds3-electrons' with 40500 cells"),
        (["--leaderboard", "ds2", "--time", "cpu_b1_ms"], "should look like '--time cpu_b100_ms=3.5'"),
        (["--time", "cpu_b1_ms=2"], "name one, e.g. --leaderboard ds2"),
    ):
        code, out, err = _call("score", SAMPLE, SAMPLE, *arguments)
        assert (code, out) == (1, "")
        assert message in err
    with pytest.raises(FacsimError, match="no leaderboard"):
        facsim.leaderboard("ds9")
