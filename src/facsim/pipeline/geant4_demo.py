"""Full against fast simulation in one Geant4 run: material in front, a calorimeter, and a surrogate that takes over."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.core.store import atomic_path, read_json, write_json
from facsim.pipeline.geant4_fast import Stopwatch
from facsim.pipeline.geant4_model import HookModel, hook_model
from facsim.pipeline.geant4_results import FORMAT, Costs, gather
from facsim.pipeline.geant4_run import FAST_CHUNK, one_thread, run_fast, run_front, run_full
from facsim.report.geant4_page import FILES, write_pictures
from facsim.run import Reporter, Silent
from facsim.simulate.detector_files import load_detector
from facsim.simulate.gun import PDG
from facsim.simulate.hook.calls import Calls, read_records
from facsim.simulate.hook.guard import PHOTONS, SHOWERS

MEV = 1e3
BEAMS = ("e-", "e+", "gamma")
FAST_TIMES = 4
"""Events of the fast simulation for each of the full one, so that it adds little to the error of a comparison."""
SMOKE = 10
MOST, MOST_MATERIAL, MOST_ENERGY = 100_000, 2.0, 1e5
RESULTS = "results.json"


@dataclass(frozen=True)
class Beam:
    """What is simulated.

    Args:
        events: of the full simulation; the fast one has four times as many.
        energy: kinetic energy, GeV. particle: `e-`, `e+` or `gamma`.
        material: radiation lengths of silicon in front of the calorimeter.
        detector: the calorimeter: a preset or a YAML file.
        model: a shipped model or the directory of a run. candidates: draws of which it keeps one.
        seed: of everything.
    """

    events: int = 200
    energy: float = 50.0
    particle: str = "e-"
    material: float = 0.1
    detector: str = "par04-w-si"
    model: str = "par04"
    candidates: int | None = None
    seed: int = 1

    def check(self) -> None:
        """Refuse what cannot be simulated.

        Raises:
            FacsimError: it cannot.
        """
        if not 2 <= self.events <= MOST:
            raise FacsimError(f"the number of events must be between 2 and {MOST}, and {self.events} is not.")
        if not 0 < self.energy <= MOST_ENERGY:
            raise FacsimError(
                f"the beam's energy must be a positive number of GeV, at most {MOST_ENERGY:g}, and {self.energy:g} is "
                "none."
            )
        if not 0 <= self.material <= MOST_MATERIAL:
            raise FacsimError(
                f"the material in front must be between 0 and {MOST_MATERIAL:g} radiation lengths, and "
                f"{self.material:g} is not."
            )
        if self.particle not in BEAMS:
            raise FacsimError(
                f"a beam of '{self.particle}' would all go back to full simulation: expected one of {list(BEAMS)}."
            )


def geant4_demo(
    out: str | Path = "runs/geant4",
    *,
    smoke: bool = False,
    force: bool = False,
    reporter: Reporter | None = None,
    **beam: Any,
) -> dict[str, Any]:
    """Run the same beam through full and through fast simulation and write what came of it into the folder `out`.

    Args:
        out: new folder for `results.json`, `index.html` and the pictures.
        smoke: in miniature.
        force: replace an `out` of an earlier demonstration that holds nothing else.
        reporter: who is told of the progress.
        beam: as `Beam`: events, energy, particle, material, detector, model, candidates, seed.

    Returns:
        What `results.json` holds, and where it is.

    Raises:
        MissingExtraError: Geant4 is not installed.
        FacsimError: settings that cannot be, a model that does not fit, or a folder that is there already.
    """
    settings, folder, teller = Beam(**beam), Path(out).resolve(), reporter or Silent()
    settings.check()
    _check_free(folder, force)
    if smoke:
        settings = Beam(**{**asdict(settings), "events": min(settings.events, SMOKE)})
    detector = load_detector(settings.detector)
    with one_thread(), tempfile.TemporaryDirectory(prefix="facsim-geant4-") as scratch:
        pid = PDG[settings.particle]
        calls = Calls(detector, settings.material, MEV * settings.energy, pid, settings.seed, Path(scratch))
        watch = Stopwatch()
        with watch.on("start_up"):
            model = hook_model(settings.model, detector, settings.candidates)
            model.warm_up()
        results, drawn = _simulate(settings, calls, model, watch.ms["start_up"], teller)
    with atomic_path(folder) as temporary:
        write_json(temporary / RESULTS, results)
        write_pictures(results, model.geometry, drawn, temporary)
        _check_free(folder, force)  # again, as that was minutes ago
        if force and folder.is_dir():
            shutil.rmtree(folder)
    return {**results, "folder": str(out)}


def _check_free(folder: Path, force: bool) -> None:
    """Refuse a folder that holds anything but, with `force`, the files of an earlier demonstration.

    Raises:
        FacsimError: it does, it is a file, or it cannot be written.
    """
    above = next((place for place in folder.parents if place.exists()), folder)
    if not above.is_dir() or not os.access(above, os.W_OK):
        raise FacsimError(f"'{folder}' cannot be made, as '{above}' is no folder to write to: choose another --out.")
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    known = folder / RESULTS
    found = read_json(known) if known.is_file() else None
    own = isinstance(found, dict) and found.get("format") == FORMAT
    if not own:
        raise FacsimError(f"'{folder}' is there already and no earlier demonstration: choose another --out.")
    if not force:
        raise FacsimError(f"'{folder}' holds an earlier demonstration: choose another --out, or replace it by --force.")
    others = sorted(path.name for path in folder.iterdir() if path.name not in {*FILES, RESULTS} or not path.is_file())
    if others:
        raise FacsimError(
            f"'{folder}' holds more than the earlier demonstration, {others[:5]}: move that away, or choose another "
            "--out."
        )


def _simulate(
    settings: Beam, calls: Calls, model: HookModel, started_ms: float, reporter: Reporter
) -> tuple[dict[str, Any], dict[str, NDArray[np.float32]]]:
    """Results, and one event of each kind to draw."""
    events = FAST_TIMES * settings.events
    with reporter.progress("up to the calorimeter") as advance:
        files = run_front(calls, events, advance)
    _check_any(files, model, settings)
    with reporter.progress("full simulation") as advance:
        full = run_full(calls, model, settings.events, advance)
    with reporter.progress("fast simulation") as advance:
        fast = run_fast(calls, files, model, settings.seed, events, advance)
    costs = Costs(full.ms, fast.watches, calls, events, FAST_CHUNK, started_ms)
    results = gather(asdict(settings), model, costs, fast.fates, full.observed, fast.observed)
    return results, {"full": full.drawn, "fast": fast.drawn}


def _check_any(files: list[Path], model: HookModel, settings: Beam) -> None:
    """Refuse a beam of which the surrogate would take nothing.

    Raises:
        FacsimError: it would.
    """
    for file in files:
        found = model.guard.sort(read_records(file))
        if len(found[SHOWERS]) + len(found[PHOTONS]):
            return
    low, high = model.guard.low / MEV, model.guard.high / MEV
    if settings.particle == "gamma" and not model.guard.photons:
        raise FacsimError(
            f"photons in '{settings.detector}' would all go back to full simulation, as they are converted only in one "
            "repeated group of layers of known materials, read out in equal, thin layers: choose another --particle."
        )
    raise FacsimError(
        f"no particle of {settings.particle} at {settings.energy:g} GeV reaches the calorimeter where '{model.name}' "
        f"was trained, from {low:.3g} to {high:.3g} GeV: choose another --energy, or another --model."
    )
