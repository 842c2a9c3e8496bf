"""Real Geant4 showers of low energy: reproducible, resumable, and every failure one sentence."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facsim.core.errors import FacsimError
from facsim.core.showerfile import ENERGIES, SHOWERS, read_extra, read_rows, read_schema
from facsim.core.store import open_hdf5
from facsim.simulate import find_simulation
from facsim.simulate.g4data import find_data
from facsim.simulate.g4data_folders import DIRECTORIES
from facsim.simulate.geant4 import geant4_available
from facsim.simulate.geant4_pool import Pool, last_words
from facsim.simulate.showers import Progress, ShowerSimulation, simulate_showers, time_geant4
from facsim.simulate.showers_chunks import cut_chunks

pytestmark = [pytest.mark.geant4, pytest.mark.skipif(not geant4_available(), reason="no Geant4 wheel here")]
SEED = 11
SOURCE = Path(__file__).parents[2] / "src"


@pytest.fixture(scope="module", autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACSIM_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.delenv("GEANT4_DATA_DIR", raising=False)
        yield


def settings(**changes: Any) -> ShowerSimulation:
    base = {"detector": "par04-w-si", "energy": {"log_uniform": [0.2, 2]}, "events": 32, "workers": 2}
    return ShowerSimulation.parse(base | changes)


def showers(path: Path) -> Any:
    with open_hdf5(path) as handle:
        return handle[SHOWERS][:]


@pytest.fixture(scope="module")
def truth(_cache: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """32 showers made by two workers without interruption."""
    path = tmp_path_factory.mktemp("truth") / "truth.h5"
    told: list[Progress] = []
    report = simulate_showers(settings(), path, SEED, told.append)
    assert (report.events, report.reused, report.workers) == (32, 0, 2)
    assert told[-1].done == told[-1].total == 32
    assert told[-1].seconds_left == 0
    assert told[-1].cpu_seconds == pytest.approx(report.cpu_seconds, abs=1e-3)
    assert [p.done for p in told] == sorted(p.done for p in told)
    return path


def test_the_file_holds_electron_showers_as_the_challenge_does(truth: Path) -> None:
    with open_hdf5(truth) as handle:
        assert set(handle) == {ENERGIES, SHOWERS, "facsim"}
        assert (handle[ENERGIES].shape, handle[SHOWERS].shape) == ((32, 1), (32, 6480))
        schema = read_schema(handle)
        assert schema is not None
        events = read_rows(handle, schema, 0, 32)
        cpu_ms = read_extra(handle, "cpu_ms", 0, 32)
    energy = events.condition("incident_energy")
    np.testing.assert_array_equal(energy, settings().table(SEED)[:, 0])
    response = events.cells.sum(1) / energy
    assert response.mean() == pytest.approx(0.95, abs=0.06)
    assert events.cells[events.cells > 0].min() >= 0.5e-3 / 0.033
    profile = schema.geometry.layer_sum(events.cells).sum(0)  # type: ignore[union-attr]
    depth = 0.8 * (np.arange(45) + 0.5) @ profile / profile.sum()
    assert depth == pytest.approx(np.log(700 / 8) - 0.5 + 1.7, rel=0.2)  # centre of gravity in radiation lengths
    assert cpu_ms is not None
    assert np.corrcoef(cpu_ms, energy)[0, 1] > 0.7
    assert events.event_id.tolist() == list(range(32))


def test_the_provenance_says_which_data_and_how_good_they_are(truth: Path) -> None:
    with open_hdf5(truth) as handle:
        schema = read_schema(handle)
        assert schema is not None
    told = schema.provenance
    assert told["geant4"] == "11.4.0"
    assert told["seed"] == SEED
    assert told["settings"]["detector"]["name"] == "par04-w-si"
    assert "workers" not in told["settings"]
    assert told["data"]["kind"] == "miniature"
    assert "checked to about 1 % on lead-argon" in told["data"]["note"]
    assert "hadronic physics approximate" in told["data"]["note"]
    assert len(told["data"]["checksum"]) == 64


def test_one_worker_and_other_chunks_give_the_same_showers(truth: Path, tmp_path: Path) -> None:
    simulate_showers(settings(workers=1, chunk=1), tmp_path / "one.h5", SEED)
    np.testing.assert_array_equal(showers(tmp_path / "one.h5"), showers(truth))
    assert [p.name for p in tmp_path.iterdir()] == ["one.h5"]


def test_another_seed_gives_other_showers(truth: Path, tmp_path: Path) -> None:
    simulate_showers(settings(events=2, workers=1), tmp_path / "other.h5", SEED + 1)
    assert not np.array_equal(showers(tmp_path / "other.h5"), showers(truth)[:2])


def test_a_finished_file_is_not_simulated_again(truth: Path) -> None:
    before = truth.stat().st_mtime_ns
    report = simulate_showers(settings(), truth, SEED)
    assert (report.reused, report.workers, truth.stat().st_mtime_ns) == (32, 0, before)
    assert report.cpu_seconds > 0


def test_an_interruption_keeps_chunks_and_a_rerun_ends_the_same(truth: Path, tmp_path: Path) -> None:
    out = tmp_path / "truth.h5"
    script = tmp_path / "script.py"
    script.write_text(
        "import sys; from pathlib import Path\n"
        "from facsim.simulate.showers import ShowerSimulation, simulate_showers\n"
        f"settings = ShowerSimulation.parse({settings(chunk=1).model_dump(mode='json')!r})\n"
        "try: simulate_showers(settings, Path(sys.argv[1]), 11)\n"
        "except KeyboardInterrupt: sys.exit(77)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    process = subprocess.Popen([sys.executable, str(script), str(out)], env=environment)
    parts = tmp_path / "truth.h5.parts"
    wait_for(lambda: len(list(parts.glob("part-*.h5"))) >= 3, process)
    workers = children(process.pid)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=120) == 77
    wait_for(lambda: not any(alive(pid) for pid in workers))
    assert len(workers) == 2
    assert not out.exists()
    kept = len(list(parts.glob("part-*.h5")))
    next(iter(parts.glob("part-*.h5"))).write_bytes(b"cut short")
    (parts / ".part-x.h5.1.tmp").write_bytes(b"left over")
    report = simulate_showers(settings(chunk=1), out, SEED)
    assert report.reused == kept - 1
    np.testing.assert_array_equal(showers(out), showers(truth))
    assert not parts.exists()


def test_a_full_disk_is_one_sentence_and_leaves_no_half_chunk(truth: Path, tmp_path: Path) -> None:
    out = tmp_path / "truth.h5"
    script = (
        "import resource, sys; from pathlib import Path\n"
        "from facsim.core.errors import FacsimError\n"
        "from facsim.simulate.showers import ShowerSimulation, simulate_showers\n"
        f"settings = ShowerSimulation.parse({settings(workers=1).model_dump(mode='json')!r})\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (8000, -1))\n"
        "try: simulate_showers(settings, Path(sys.argv[1]), 11)\n"
        "except FacsimError as error: print(error)\n"
    )
    command = [sys.executable, "-c", script, str(out)]
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert run.stdout.startswith(f"cannot write '{out}.parts{os.sep}part-")
    assert run.stdout.endswith(": File too large.\n")
    assert [p.name for p in (tmp_path / "truth.h5.parts").iterdir()] == ["settings.json"]


def test_parts_of_other_settings_are_not_mixed(tmp_path: Path) -> None:
    def stop(progress: Progress) -> None:
        raise KeyboardInterrupt

    out = tmp_path / "truth.h5"
    with pytest.raises(KeyboardInterrupt):
        simulate_showers(settings(events=4, workers=1), out, SEED, stop)
    with pytest.raises(FacsimError, match=r"truth\.h5\.parts' holds an unfinished simulation with other settings"):
        simulate_showers(settings(events=4, workers=1), out, SEED + 1)
    assert simulate_showers(settings(events=4, workers=1), out, SEED).events == 4


class Tasks:
    """Chunks for a pool, below the level of `simulate_showers`."""

    def __init__(self, folder: Path, simulation: ShowerSimulation) -> None:
        self.data = find_data(simulation.detector.materials)
        self.setup = {
            "detector": simulation.detector.model_dump(mode="json"),
            "hadrons": simulation.hadrons,
            "schema": simulation.shower_schema().to_dict(),
        }
        rows = simulation.table(SEED)
        self.tasks = [
            {
                "path": str(folder / f"{i}.h5"),
                "first": i,
                "seed": SEED,
                "rows": rows[i : i + 1].tolist(),
                "conditions": [0],
            }
            for i in range(len(rows))
        ]


def test_a_killed_worker_is_replaced(truth: Path, tmp_path: Path) -> None:
    work = Tasks(tmp_path, settings(events=4))
    pool = Pool(work.setup, work.data.environment(), 1)
    killed: list[int] = []

    def kill_once(message: dict[str, Any]) -> None:
        if not killed:
            killed.extend(pool.pids)
            os.kill(killed[0], signal.SIGKILL)

    pool.run(work.tasks, kill_once)
    assert len(killed) == 1
    assert pool.pids == []
    found = np.concatenate([showers(tmp_path / f"{i}.h5") for i in range(4)])
    np.testing.assert_array_equal(found, showers(truth)[:4])


@pytest.mark.parametrize("kept", [True, False])
def test_a_chunk_that_kills_twice_is_one_sentence(tmp_path: Path, kept: bool) -> None:
    work = Tasks(tmp_path, settings(events=1, energy=5))
    work.tasks[0]["rows"] *= 20
    pool = Pool(work.setup, work.data.environment(), 1, kept=kept)

    def kill(message: dict[str, Any]) -> None:
        os.kill(pool.pids[0], signal.SIGKILL)

    with pytest.raises(FacsimError, match=r"died twice on events 0 to 19: signal SIGKILL") as caught:
        pool.run(work.tasks, kill)
    assert ("a rerun resumes from them" in str(caught.value)) is kept
    assert "\n" not in str(caught.value)


def test_a_fatal_geant4_error_is_one_sentence(tmp_path: Path) -> None:
    work = Tasks(tmp_path, settings(events=1))
    broken = shutil.copytree(work.data.root, tmp_path / "broken")
    (broken / DIRECTORIES["G4LEDATA"] / "brem_SB" / "br74").unlink()
    environment = {
        key: value.replace(str(work.data.root), str(broken)) for key, value in work.data.environment().items()
    }
    with pytest.raises(FacsimError, match=r"stopped while it was set up: signal SIGABRT .*br74.*not opened") as caught:
        Pool(work.setup, environment, 1).run(work.tasks, lambda message: None)
    assert "\n" not in str(caught.value)


def test_a_worker_that_cannot_write_says_so(tmp_path: Path) -> None:
    work = Tasks(tmp_path, settings(events=1))
    (tmp_path / "file").write_text("")
    work.tasks[0]["path"] = str(tmp_path / "file" / "0.h5")
    with pytest.raises(FacsimError, match="cannot write"):
        Pool(work.setup, work.data.environment(), 1).run(work.tasks, lambda message: None)


def test_damaged_data_stop_a_simulation_before_it_starts(
    truth: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACSIM_CACHE", str(tmp_path))
    data = find_data({"G4_W", "G4_Si"})
    (data.root / DIRECTORIES["G4LEDATA"] / "brem_SB" / "br74").write_text("0 0 0\n")
    with pytest.raises(FacsimError, match=r"damaged.*br74"):
        simulate_showers(settings(), tmp_path / "out.h5", SEED)
    assert not (tmp_path / "out.h5.parts").exists()


def test_physics_without_its_data_is_refused(tmp_path: Path) -> None:
    detector = settings().detector.model_dump(mode="json") | {"physics": {"em": "option4"}}
    with pytest.raises(FacsimError, match=r"em=option4.*needs Geant4's official data"):
        simulate_showers(settings(detector=detector), tmp_path / "out.h5", SEED)


def test_pions_have_hadronic_physics_and_angles_are_conditions(tmp_path: Path) -> None:
    changes = {"detector": "fe-scint", "particle": ["pi-", "mu-"], "energy": 3, "events": 16, "workers": 1}
    angle = {"theta": {"uniform": [0, 0.3]}, "phi": {"uniform": [0, 3]}}
    simulate_showers(settings(angle=angle, **changes), tmp_path / "h.h5", SEED)
    with open_hdf5(tmp_path / "h.h5") as handle:
        schema = read_schema(handle)
        assert schema is not None
        events = read_rows(handle, schema, 0, 16)
    assert [f.name for f in schema.conditions] == ["incident_energy", "theta", "phi", "pdg"]
    visible = events.cells.sum(1)
    muons = events.condition("pdg") == 13
    # a minimum-ionising muon leaves ~2 MeV/cm: 48 x 0.5 cm of scintillator, if it does not stop in the 96 cm of iron
    assert np.median(visible[muons]) == pytest.approx(48, rel=0.25)
    widths = np.array([np.ptp(events.cells[i].nonzero()[0] % 10) for i in range(16)])
    assert widths[~muons].mean() > widths[muons].mean()


def test_geant4_is_timed_at_given_conditions(truth: Path) -> None:
    times = time_geant4(settings(), np.array([[200.0], [2000.0], [200.0], [2000.0]]))
    assert times.shape == (4,)
    assert times[[1, 3]].min() > times[[0, 2]].max() > 0
    with pytest.raises(FacsimError, match=r"expected conditions \['incident_energy'\]"):
        time_geant4(settings(), np.zeros((3, 2)))


def test_chunks_cover_all_events_and_spare_the_hurried() -> None:
    folder = Path("parts")
    energy = np.full(1000, 1000.0)
    chunks = cut_chunks(energy, 100, folder)
    assert [c.first for c in chunks] == [*range(0, 1000, 63)]
    assert chunks[-1].stop == 1000
    assert len(cut_chunks(energy, 10, folder)) == 100
    heavy = cut_chunks(np.full(1000, 1e6), 100, folder)
    assert all(c.stop - c.first == 2 for c in heavy)
    assert [c.first for c in cut_chunks(np.full(3, 1e9), 100, folder)] == [0, 1, 2]


def test_last_words_are_one_line_of_geant4() -> None:
    log = "--- WWWW\n*** G4Exception : em0003\n   issued by : G4X::Read()\n\n*** G4Exception: Aborting execution ***\n"
    assert last_words(log) == " (issued by : G4X::Read())"
    assert last_words("") == ""


def test_the_table_of_simulations_finds_geant4() -> None:
    assert find_simulation("calorimeter") is ShowerSimulation
    with pytest.raises(FacsimError, match="unknown task 'calorimetre'"):
        find_simulation("calorimetre")


def test_a_worker_ends_when_its_master_is_gone(tmp_path: Path) -> None:
    script = "import sys, json; from facsim.simulate.geant4_worker import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": str(SOURCE)} | find_data({"G4_W", "G4_Si"}).environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    work = Tasks(tmp_path, settings(events=1, energy=5))
    work.tasks[0]["rows"] *= 1000
    process.stdin.write(json.dumps(work.setup) + "\n" + json.dumps(work.tasks[0]) + "\n")
    process.stdin.flush()
    assert json.loads(process.stdout.readline())["kind"] == "ready"
    process.stdout.close()
    assert process.wait(timeout=120) == 1
    with contextlib.suppress(BrokenPipeError):
        process.stdin.close()


def wait_for(condition: Any, process: subprocess.Popen[Any] | None = None, limit: float = 180.0) -> None:
    """Wait until `condition` holds; fail when `process` ends or time is up."""
    end = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < end
        assert process is None or process.poll() is None
        time.sleep(0.02)


def children(pid: int) -> list[int]:
    """Processes started by `pid` (Linux, where the Geant4 wheel lives)."""
    return [
        int(word) for task in Path(f"/proc/{pid}/task").iterdir() for word in (task / "children").read_text().split()
    ]


def alive(pid: int) -> bool:
    """Whether a process runs, and is not a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
