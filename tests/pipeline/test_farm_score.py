"""Farms of scorecards: many files against one truth, a page of all, and nothing of others on it."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import h5py
import numpy as np
import pytest
from typer.testing import CliRunner

import facsim
from facsim.cli import app
from facsim.core.errors import FacsimError
from facsim.core.events import make_events
from facsim.core.geometry import regular_cylinder
from facsim.core.schema import Feature, Schema
from facsim.core.store import write_store
from facsim.data.geometry import write_geometry
from facsim.pipeline.farm import How
from facsim.run import Silent


def _table(path: Path, seed: int, n: int = 130, shift: float = 0.0, broken: bool = False) -> Path:
    rng = np.random.default_rng(seed)
    x = rng.normal((shift, 0.0), 1.0, (n, 2))
    x[5, 0] = np.nan if broken else x[5, 0]
    schema = Schema("table", (Feature("x"), Feature("y")), (Feature("c"),))
    write_store(path, [make_events(schema, x, rng.random((n, 1)))])
    return path


def _words(*words: object) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["farm", "score", *map(str, words)])
    return done.exit_code, done.stdout, done.stderr


def test_scores_of_many_files_are_those_of_each(tmp_path: Path) -> None:
    truth = _table(tmp_path / "truth.h5", 1, 260)
    good, bad = _table(tmp_path / "good.h5", 2), _table(tmp_path / "bad.h5", 3, shift=2.0)
    out = tmp_path / "scores"
    words = ["farm", "score", *map(str, (truth, good, bad)), "--out", str(out), "--workers", "2"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0
    assert {"good", "bad"} <= {line.split()[0] for line in done.stdout.splitlines()}
    mine = {score["name"]: score for score in json.loads((out / "scores" / "bad.json").read_text())["scores"]}
    for score in facsim.score(truth, bad).to_dict()["scores"]:
        assert mine[score["name"]]["value"] == pytest.approx(score["value"], rel=1e-6, abs=1e-9, nan_ok=True)
    rows = {row["name"]: row for row in json.loads((out / "summary.json").read_text())}
    assert rows["bad"]["auc_high"]["value"] > 0.8 > rows["good"]["auc_high"]["value"]
    assert (out / "report" / "index.html").stat().st_size > 10_000
    files = [good, bad, _table(tmp_path / "broken.h5", 4, broken=True)]
    with pytest.raises(FacsimError, match=r"1 of 3 shards failed; shard 2: .*broken"):
        facsim.farm_score(truth, files, out=out, how=How(workers=1), reporter=Silent())
    assert len(json.loads((out / "summary.json").read_text())) == 2
    with pytest.raises(FacsimError, match="several generated files are called 'bad'"):
        facsim.farm_score(truth, [bad, out / "bad.h5"], out=out)


def _text(path: Path, seed: int, n: int = 130) -> Path:
    np.savetxt(path, np.random.default_rng(seed).normal(size=(n, 3)), delimiter=",", header="a,b,c", comments="")
    return path


MAPPING = """
representation: table
columns:
- {name: a, key: FIRST}
- {name: b, key: b}
conditions:
- {name: c, key: c}
"""


def test_a_changed_mapping_is_another_farm_and_a_moved_one_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    _text(Path("truth.csv"), 1, 260)
    _text(Path("one.csv"), 2)
    Path("map.yaml").write_text(MAPPING.replace("FIRST", "a"))
    words = ["truth.csv", "one.csv", "--mapping", "map.yaml", "--out", "scores"]
    code, text, told = _words(*words, "--script", "slurm")
    assert code == 0, told
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    again = shlex.split(text.splitlines()[-1])
    assert again[again.index("--mapping") + 1] == str(tmp_path / "map.yaml")
    code, _, told = _words(*again[again.index("score") + 1 : -1], "0")
    assert code == 0, told
    monkeypatch.chdir(tmp_path)
    code, _, told = _words(*words, "--workers", 1)
    assert code == 0, told
    Path("map.yaml").rename("renamed.yaml")
    moved = ["renamed.yaml" if word == "map.yaml" else word for word in words]
    code, text, told = _words(*moved)
    assert code == 0, told
    assert "all were there already" in text
    Path("renamed.yaml").write_text(MAPPING.replace("FIRST", "c"))
    code, _, told = _words(*moved)
    assert code == 1
    assert "holds shards of other settings (mapping: " in told


def test_a_readout_counts_by_what_it_says(tmp_path: Path) -> None:
    cells, mapping, events = tmp_path / "cells.json", tmp_path / "map.yaml", tmp_path / "showers.h5"
    keys = "incident_energy: {key: e, unit: MeV}\ncells: {key: c, unit: MeV, order: [layer, alpha, r]}"
    mapping.write_text(f"{keys}\ngeometry: cells.json\n")
    with h5py.File(events, "w") as handle:
        handle["e"], handle["c"] = np.ones(4), np.ones((4, 72))

    def settings(out: str, **given: str | Path) -> dict[str, str | None]:
        how = How(script="slurm", command=["facsim"])
        facsim.farm_score(events, [events], out=tmp_path / out, how=how, reporter=Silent(), **given)
        found = json.loads((tmp_path / out / "farm.json").read_text())["settings"]
        return {key: found[key] for key in ("geometry", "mapping")}

    write_geometry(cells, regular_cylinder("small", "photon", 6, 4, 3, 20.0, 0.1))
    named = settings("a", mapping=mapping)
    given = settings("b", mapping=mapping, geometry=str(cells))
    (tmp_path / "copy.json").write_bytes(cells.read_bytes())
    assert settings("c", mapping=mapping, geometry=str(tmp_path / "copy.json")) == given
    write_geometry(cells, regular_cylinder("small", "photon", 6, 4, 3, 25.0, 0.1))
    assert settings("d", mapping=mapping)["mapping"] != named["mapping"]
    assert settings("e", mapping=mapping, geometry=str(cells))["geometry"] != given["geometry"]
    with pytest.raises(FacsimError, match=r"shards of other settings \(mapping: "):
        settings("a", mapping=mapping)


@pytest.mark.parametrize(("geometry", "absolute"), [("cells.json", True), ("ds2-electrons", False)])
def test_jobs_find_readouts_by_path_or_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, geometry: str, absolute: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    write_geometry(Path("cells.json"), regular_cylinder("small", "photon", 6, 4, 3, 20.0, 0.1))
    with h5py.File("showers.h5", "w") as handle:
        handle["incident_energies"], handle["showers"] = np.ones((4, 1)), np.ones((4, 72 if absolute else 6480))
    code, text, told = _words("showers.h5", "showers.h5", "--geometry", geometry, "--out", "g", "--script", "slurm")
    assert code == 0, told
    words = shlex.split(text.splitlines()[-1])
    assert words[words.index("--geometry") + 1] == (str(tmp_path / geometry) if absolute else geometry)


def test_files_that_are_not_asked_for_leave_the_page(tmp_path: Path) -> None:
    truth, out = _table(tmp_path / "truth.h5", 1, 260), tmp_path / "scores"
    files = [_table(tmp_path / f"{name}.h5", seed) for seed, name in enumerate(("left", "stays"), 2)]
    facsim.farm_score(truth, files, out=out, how=How(workers=1), reporter=Silent())
    page = (out / "report" / "index.html").read_text()
    assert "AUC against truth, left" in page
    assert ">left<" in page
    facsim.farm_score(truth, files[1:], out=out, how=How(workers=1), reporter=Silent())
    page = (out / "report" / "index.html").read_text()
    assert ">left<" not in page
    assert "tells stays from truth" in page
    assert [row["name"] for row in json.loads((out / "summary.json").read_text())] == ["stays"]
    for folder in ("scores", "hists"):
        assert [path.name for path in (out / folder).iterdir()] == ["stays.json"]


def test_merging_what_is_judged_tells_what_is_missing(tmp_path: Path) -> None:
    truth, out = _table(tmp_path / "truth.h5", 1, 260), tmp_path / "scores"
    files = [_table(tmp_path / f"{name}.h5", seed) for seed, name in enumerate(("a", "b", "c"), 2)]
    words = [truth, *files, "--out", out]
    code, _, told = _words(*words, "--merge")
    assert code == 1
    assert "3 of 3 shards are missing" in told
    assert not (out / "report").exists()
    assert _words(*words, "--only-shard", 1)[0] == 0
    code, _, told = _words(*words, "--merge")
    assert code == 1
    assert "2 of 3 shards are missing, and the results are of the others: give the same command without --merge" in told
    assert [row["name"] for row in json.loads((out / "summary.json").read_text())] == ["b"]
    assert "tells b from truth" in (out / "report" / "index.html").read_text()
    assert _words(*words, "--workers", 1)[0] == 0
    assert len(json.loads((out / "summary.json").read_text())) == 3


def test_scores_of_a_run_are_not_replaced(tmp_path: Path) -> None:
    truth, one = _table(tmp_path / "truth.h5", 1, 260), _table(tmp_path / "one.h5", 2)
    facsim.score(truth, one, out=tmp_path / "own")
    with pytest.raises(FacsimError, match=r"own' holds 'scores', which no farm made"):
        facsim.farm_score(truth, [one], out=tmp_path / "own", reporter=Silent())
    assert (tmp_path / "own" / "scores" / "one.json").is_file()
