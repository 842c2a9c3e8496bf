"""Full against fast simulation in one Geant4 run, for several numbers of candidates, and for photons.

OMP_NUM_THREADS=1 python benchmarks/geant4_demo.py [--events 1000] [--candidates 1 2 4 8] [--photons 2 5 10 20 50]
    [--photon-events 1000] [--json FILE]

50 GeV electrons through 0.1 radiation lengths of silicon onto `par04-w-si`, as `facsim geant4 demo` does it, with the
shipped surrogate `par04`: events of full simulation once, four times as many of the fast one for each number of
candidates. Then photons without material, each converted to a pair (`simulate.hook.pairs`), against Geant4's photons,
with the surrogate's own number of candidates. CPU time on one thread each, fractions fast over full. `--photons`
without numbers leaves them out.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from facsim.pipeline.geant4_demo import FAST_TIMES, MEV, Beam
from facsim.pipeline.geant4_model import hook_model
from facsim.pipeline.geant4_results import Costs, gather
from facsim.pipeline.geant4_run import FAST_CHUNK, one_thread, run_fast, run_front, run_full
from facsim.provenance import hardware
from facsim.simulate.detector_files import load_detector
from facsim.simulate.gun import PDG
from facsim.simulate.hook.calls import Calls

SHOWN = ("response", "resolution", "hits", "depth", "depth_width", "radius")


def measured(beam: Beam, candidates: list[int | None]) -> Iterator[dict[str, Any]]:
    """Results of the beam for each number of candidates, against the same events of full simulation."""
    detector = load_detector(beam.detector)
    with one_thread(), tempfile.TemporaryDirectory() as folder:
        calls = Calls(detector, beam.material, MEV * beam.energy, PDG[beam.particle], beam.seed, Path(folder))
        events = FAST_TIMES * beam.events
        models = [hook_model(beam.model, detector, number) for number in candidates]
        files = run_front(calls, events, quiet)
        full = run_full(calls, models[0], beam.events, quiet)
        for model in models:
            model.warm_up()
            fast = run_fast(calls, files, model, beam.seed, events, quiet)
            costs = Costs(full.ms, fast.watches, calls, events, FAST_CHUNK, 0.0)
            yield gather(asdict(beam), model, costs, fast.fates, full.observed, fast.observed)


def quiet(fraction: float, note: str) -> None:
    """Say nothing."""


def row(name: str, found: dict[str, Any]) -> str:
    """A row of the table."""
    times, compared = found["times"], {item["name"]: item for item in found["comparison"]}
    cells = [f"{compared[key]['ratio']:.4f} ± {compared[key]['ratio_error']:.4f}" for key in SHOWN]
    parts = times["fast_parts"]
    spent = f"{times['full_ms']:.1f} / {times['fast_ms']:.2f}"
    split = f"{parts['surrogate']:.2f} / {parts['rest']:.2f}"
    faster = f"{times['ratio']:.1f} ± {times['ratio_error']:.1f}"
    return f"| {' | '.join([name, spent, split, faster, *cells])} |"


def header(first: str) -> str:
    """The head of a table."""
    names = [first, "ms, full / fast", "of it surrogate / Geant4 again", "times faster", *SHOWN]
    return f"| {' | '.join(names)} |\n|{'---|' * len(names)}"


def main() -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(description="full against fast simulation in one Geant4 run")
    parser.add_argument("--events", type=int, default=1000)
    parser.add_argument("--candidates", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--photons", type=float, nargs="*", default=[2, 5, 10, 20, 50])
    parser.add_argument("--photon-events", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    print(f"{hardware()['cpu']}; seed {options.seed}; {options.events} full events, {FAST_TIMES} times as many fast")
    print(header("candidates"), flush=True)
    kept = []
    for found in measured(Beam(events=options.events, seed=options.seed), options.candidates):
        kept.append(found)
        print(row(str(found["model"]["candidates"]), found), flush=True)
    if options.photons:
        print(f"\nphotons, {options.photon_events} full events each\n{header('GeV')}", flush=True)
    for energy in options.photons:
        beam = Beam(options.photon_events, energy, "gamma", 0.0, seed=options.seed)
        for found in measured(beam, [None]):
            kept.append(found)
            print(row(f"{energy:g}", found), flush=True)
    if options.json:
        options.json.write_text(json.dumps(kept, indent=1))


if __name__ == "__main__":
    main()
