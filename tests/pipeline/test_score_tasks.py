"""score: files of a task's events and tables of no task, from the command line too."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from facsim.cli import app
from facsim.core.errors import FacsimError
from facsim.core.events import Events, make_events
from facsim.core.image import ImageGeometry
from facsim.core.schema import Feature, Schema
from facsim.core.store import write_store
from facsim.evaluate.scorecard import Scorecard
from facsim.physics.tpc_window import tpc_schema
from facsim.pipeline.score import score
from facsim.run import Silent
from facsim.simulate.ecal import ECALSimulation
from facsim.simulate.rich import RichSimulation
from facsim.simulate.tpc import TPCSimulation


def rich(n: int, seed: int) -> Events:
    simulation = RichSimulation(events=1, species=("k", "pi"))
    drawn = simulation.generate(n, np.random.default_rng(seed))
    return make_events(simulation.schema_of(), drawn.x.astype(np.float32), drawn.cond, weight=drawn.weight)


def images(kind: str, n: int, seed: int) -> Events:
    rng = np.random.default_rng(seed)
    simulation = TPCSimulation(events=1) if kind == "tpc" else ECALSimulation(events=1)
    drawn = simulation.generate(n, rng)
    return make_events(simulation.schema_of(), drawn.x, drawn.cond)


def stored(path: Path, events: Events) -> Path:
    write_store(path, [events])
    return path


def table(path: Path, n: int, seed: int, shift: float = 0.0) -> Path:
    """A CSV of two columns that depend on a third, with an atom."""
    rng = np.random.default_rng(seed)
    p = rng.uniform(1, 100, n)
    mass, charge = rng.normal(np.log(p) + shift, 1.0), rng.integers(-1, 2, n)
    mass[rng.random(n) < 0.1] = 0
    np.savetxt(path, np.column_stack([p, mass, charge]), delimiter=",", header="p,mass,charge", comments="")
    return path


def judged(reference: Path, generated: Path, **options: object) -> Scorecard:
    given = {"geometry": None, "mapping": None, "out": None, "seed": 1, "reporter": Silent(), **options}
    return score(reference, generated, given.pop("train", None), **given)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def tracks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("rich")
    samples = {"reference": rich(500, 1), "null": rich(300, 2), "generated": rich(300, 3), "train": rich(600, 4)}
    return {name: stored(folder / f"{name}.h5", events) for name, events in samples.items()}


def test_tracks_are_recognised_and_judged_by_their_physics(tracks: dict[str, Path]) -> None:
    card = judged(tracks["reference"], tracks["generated"], train=tracks["train"])
    assert card.task == "rich"
    assert card.n == {"reference": 250, "generated": 250, "null": 250}
    assert {"share_error/k=p", "ks/RichDLLk", "memorisation", "memorisation/exact"} <= {s.name for s in card.scores}
    assert card.score("memorisation").status == "ok"
    assert any("those of the task 'rich'" in note for note in card.notes)
    copies = judged(tracks["reference"], tracks["train"], train=tracks["train"])
    assert copies.score("memorisation").status == "failed"
    assert copies.score("auc_high").z < 4


@pytest.mark.slow
def test_the_page_shows_physics_and_memory(tracks: dict[str, Path], tmp_path: Path) -> None:
    judged(tracks["reference"], tracks["generated"], train=tracks["train"], out=tmp_path)
    page = (tmp_path / "report" / "index.html").read_text(encoding="utf-8")
    assert 'id="physics"' in page
    assert "250 tracks of each sample" in page
    assert json.loads((tmp_path / "scores" / "generated.json").read_text())["task"] == "rich"


def test_a_null_leaves_the_reference_whole(tracks: dict[str, Path]) -> None:
    card = judged(tracks["reference"], tracks["generated"], null=tracks["null"])
    assert card.n == {"reference": 300, "generated": 300, "null": 300}
    assert "300 of 300 of the null" in card.notes[0]
    for other in ("reference", "generated"):
        with pytest.raises(FacsimError, match=f"the null is the {other} sample itself"):
            judged(tracks["reference"], tracks["generated"], null=tracks[other])


@pytest.mark.parametrize("kind", ["tpc", "ecal"])
def test_images_are_recognised(kind: str, tmp_path: Path) -> None:
    paths = [stored(tmp_path / f"{k}.h5", images(kind, n, k)) for k, n in ((1, 120), (2, 60))]
    card = judged(*paths)
    assert card.task == kind
    assert {"auc_high", "auc_cells", "occupancy" if kind == "tpc" else "sparsity"} <= {s.name for s in card.scores}


def test_images_without_drift_length_have_no_regions(tmp_path: Path) -> None:
    """As the public responses of MPD, of which the angles alone are told."""
    schema = tpc_schema()
    for k, n in ((1, 120), (2, 60)):
        events = images("tpc", n, k)
        less = Schema("grid", schema.features, schema.conditions[:2], schema.geometry)
        stored(tmp_path / f"{k}.h5", make_events(less, events.x, events.cond[:, :2]))
    card = judged(tmp_path / "1.h5", tmp_path / "2.h5")
    assert card.task == "tpc"
    assert {score.region for score in card.scores} == {"all"}


def test_any_table_is_scored_by_its_columns(tmp_path: Path) -> None:
    paths = [table(tmp_path / f"{k}.csv", n, k, shift) for k, n, shift in ((1, 1200, 0.0), (2, 600, 1.0))]
    card = judged(*paths)
    assert card.task == "table"
    assert card.score("ks/mass").z > 5
    assert card.score("ks/charge").z < 4
    assert card.score("auc_high").z > 5
    assert card.controls["auc_high/all"]["distortion"].startswith("columns + 0.1 sigma")
    assert any("say with --mapping" in note for note in card.notes)
    mapping = tmp_path / "mapping.yaml"
    mapping.write_text(
        "representation: table\ncolumns: [{name: mass, key: mass, unit: GeV}, {name: charge, key: charge}]\n"
        "conditions: [{name: p, key: p, unit: GeV}]\n"
    )
    told = judged(*paths, mapping=mapping)
    assert "ks/p" not in {score.name for score in told.scores}
    assert told.binned["condition"] == "p"
    assert told.score("auc_high").z > 5
    same = judged(paths[0], table(tmp_path / "3.csv", 600, 3))
    assert abs(same.score("auc_high").z) < 4


def test_misuse_is_told_in_one_sentence(tracks: dict[str, Path], tmp_path: Path) -> None:
    track, csv = tracks["reference"], table(tmp_path / "a.csv", 200, 1)
    with pytest.raises(FacsimError, match=r"unknown task 'rihc'.*did you mean 'rich'"):
        judged(track, track, task="rihc")
    with pytest.raises(FacsimError, match="no TPC responses"):
        judged(track, tracks["generated"], task="tpc")
    with pytest.raises(FacsimError, match=r"reference.h5' has the columns .*a.csv' has \['p', 'mass', 'charge'\]"):
        judged(track, csv)
    schema = Schema("grid", (Feature("light"),), (Feature("angle"),), ImageGeometry("x", (0, 1, 2), (0, 1, 2)))
    picture = stored(tmp_path / "p.h5", make_events(schema, np.ones((200, 4, 1)), np.zeros((200, 1))))
    with pytest.raises(FacsimError, match=r"of none of the tasks .*only tables are scored without one"):
        judged(picture, picture)
    (tmp_path / "b.csv").write_text("a,a\n1,2\n")
    with pytest.raises(FacsimError, match="need a name each, and different ones"):
        judged(tmp_path / "b.csv", csv)


def test_the_command_line(tracks: dict[str, Path]) -> None:
    files = [str(tracks[name]) for name in ("reference", "generated")]
    done = CliRunner().invoke(app, ["score", *files, "--null", str(tracks["null"]), "--task", "table", "--json"])
    assert done.exit_code == 0
    card = json.loads(done.stdout)
    assert card["task"] == "table"
    assert card["n"]["null"] == 300
    assert {"ks/RichDLLk", "auc_high"} <= {row["name"] for row in card["scores"]}
    refused = CliRunner().invoke(app, ["score", *files, "--task", "ecal"])
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "these events are no ECAL showers" in refused.stderr
    assert refused.stderr.count("\n") == 1
