"""Reconstructed jets from generator-level ones: responses and time of surrogates that were trained for as long.

OMP_NUM_THREADS=1 python benchmarks/jets_reco.py TRUTH [--seconds 120] [--judged 6000] [--seed 1] [--only NAME ...]
    [--cms FOLDER]

TRUTH is a directory in which `facsim simulate jets-reco.yaml` was done. All surrogates are trained for the same
processor time on one thread and judged on jets that none has seen: relative differences of mean and width (half of
the central 68 %) of the responses of jet pT and mass from truth's, over all jets and in the worst bin of pT and of
|eta|, wanted 2 %; `facsim-c2st-1` on the quantities of the task's physics; and microseconds of processor time a jet
in batches of 1000. The detector's time is that of the parametric detector with its clustering on the same jets,
without Pythia.

FOLDER is tests/samples of the source distribution of coffea 2026.9.0 (`benchmarks/detector_check.py` says how to get
it): CMS's jets of full simulation. NanoAOD has no constituents of generator-level jets, so that surrogates cannot be
given these very jets. What can be compared is the response of jet pT in bins of pT and |eta|: of CMS's pairs, and of
truth's and surrogates' jets in the same bins, whose constituents are those of other processes.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.events import Events, make_events
from facsim.core.rng import generator
from facsim.core.sources import MemorySource
from facsim.core.store import StoreReader
from facsim.data.nanoaod import NanoAODReader
from facsim.evaluate.jets_reco_physics import JetsRecoPhysics
from facsim.evaluate.jets_response import ETA, PT, JetPairs, jet_pairs, response_errors
from facsim.metrics.classifier import classifier_test
from facsim.metrics.replicas import half_width
from facsim.models.base import EventModel
from facsim.models.checkpoint import build_model
from facsim.models.sampling import TorchSampler
from facsim.simulate.baselines import find_baseline
from facsim.simulate.jets_reco import JetRecoSimulation
from facsim.train.loop import Trainer
from facsim.train.settings import TrainSettings

NET = {"name": "epic", "width": 48, "depth": 3}
FLOW = {"name": "flow-matching", "steps": 8, "network": NET}
CONTENDERS: dict[str, tuple[str, dict[str, Any]]] = {
    "reco-vae, as published": ("reco-vae", {"network": NET}),
    "reco-vae, energy score": ("reco-vae", {"network": NET, "jets": "energy-score"}),
    "flow-matching": ("single-stage", {"method": FLOW}),
    "flow-matching, attention": ("single-stage", {"method": FLOW, "given": {"attend": True}}),
    "flow-matching, totals": ("single-stage", {"method": FLOW, "totals": True}),
    "flow-matching, attention, totals": ("single-stage", {"method": FLOW, "given": {"attend": True}, "totals": True}),
}
NANO = ("nano_tt_v12.root", "nano_tt_v15.root")
PHYSICS = JetsRecoPhysics()
EDGES = {PT: (30.0, 60.0, 120.0, 500.0), ETA: (0.0, 1.3, 2.5)}


def trained(name: str, options: dict[str, Any], events: Events, given: argparse.Namespace) -> tuple[EventModel, int]:
    """A model after `given.seconds` of processor time, and its steps; two short trainings tell the time of a step."""
    phases = build_model(name, events.schema, options).phases
    spent: list[float] = []
    steps = [given.probe, 3 * given.probe, 0]
    for attempt in range(3):
        begin = time.process_time()
        with tempfile.TemporaryDirectory() as folder:
            settings = TrainSettings(
                steps={phase: max(1, steps[attempt] // len(phases)) for phase in phases},
                batch_size=given.batch,
                lr=given.lr,
                device="cpu",
            )
            model = Trainer(name, options, MemorySource(events), None, Path(folder), given.seed, settings).run()
        spent.append(time.process_time() - begin)
        if attempt == 1:
            steps[2] = max(1, int(given.seconds * 2 * given.probe / max(spent[1] - spent[0], 1e-3)))
    print(f"{name}: {steps[2]} steps in {spent[2]:.0f} s", file=sys.stderr)
    return model, steps[2]


def sampled(sampler: Any, truth: Events, seed: int) -> tuple[Events, float]:
    """Events at the conditions of `truth`, and the least processor time, microseconds a jet in batches of 1000."""
    spent, parts, rng = [], [], generator(seed, "sampled")
    for first in range(0, len(truth), 1000):
        cond = truth.cond[first : first + 1000]
        begin = time.process_time()
        made = sampler.sample(cond, rng)
        spent.append((time.process_time() - begin) / len(cond))
        parts.append(getattr(made, "x", made)[..., :3])
    x = np.concatenate(parts)
    return make_events(truth.schema, x, truth.cond, mask=x[..., 2] > 0), 1e6 * min(spent)


def auc(truth: Events, made: Events, given: argparse.Namespace) -> str:
    """The classifier test on quantities, conditions first."""
    few = slice(0, given.classified)
    inputs = []
    for events in (truth[few], made[few]):
        conditions = PHYSICS.conditions(events.cond)
        inputs.append(np.hstack([conditions, PHYSICS.observe(events)]))
    result = classifier_test(*inputs, given.seed, conditions=conditions.shape[1])
    return f"{result.auc:.3f} ± {result.error:.3f}"


def row(name: str, a: Events, b: Events, note: str, given: argparse.Namespace) -> None:
    """One line of the table."""
    found = response_errors(jet_pairs(a), jet_pairs(b), given.seed)
    cells = []
    for of in ("pt", "mass"):
        for what in ("mean", "width"):
            values = [found.get(f"{of}_response_{what}/{where}") for where in ("all", PT, ETA)]
            cells.append(" / ".join("-" if v is None else f"{100 * v.value:.1f}" for v in values))
    print(f"| {name} | {' | '.join(cells)} | {auc(a, b, given)} | {note} |", flush=True)


def in_bins(ratio: NDArray[Any], pt: NDArray[Any], eta: NDArray[Any]) -> list[str]:
    """Mean and width of responses in bins of pT and |eta|."""
    cells = []
    for low, high in zip(EDGES[ETA], EDGES[ETA][1:], strict=False):
        for lowest, highest in zip(EDGES[PT], EDGES[PT][1:], strict=False):
            part = ratio[(pt >= lowest) & (pt < highest) & (np.abs(eta) >= low) & (np.abs(eta) < high)]
            part = part[np.isfinite(part)]
            width = half_width(part)
            error = part.std() / len(part) ** 0.5
            cells.append(f"{part.mean():.3f} ± {error:.3f}, {width:.3f}")
    return cells


def compare_cms(folder: Path, samples: dict[str, JetPairs]) -> None:
    """Responses of jet pT beside those of CMS's pairs."""
    readers = [NanoAODReader(folder / name) for name in NANO]
    cms = [reader.read(0, len(reader)) for reader in readers]
    x, cond = (np.concatenate([getattr(events, name) for events in cms]) for name in ("x", "cond"))
    names = [
        f"|eta| {a:g} to {b:g}, pT {c:g} to {d:g}"
        for a, b in zip(EDGES[ETA], EDGES[ETA][1:], strict=False)
        for c, d in zip(EDGES[PT], EDGES[PT][1:], strict=False)
    ]
    print("\nmean ± error, width of the response of jet pT:\n\n| | " + " | ".join(names) + " |")
    print("|---" * (len(names) + 1) + "|")
    print(f"| CMS, {len(x)} pairs | " + " | ".join(in_bins(x[:, 0] / cond[:, 0], cond[:, 0], cond[:, 1])) + " |")
    for name, pairs in samples.items():
        print(f"| {name} | " + " | ".join(in_bins(pairs.response("pt"), pairs.gen_pt, pairs.gen_eta)) + " |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("truth", type=Path)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--judged", type=int, default=6000)
    parser.add_argument("--classified", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--probe", type=int, default=20)
    parser.add_argument("--only", nargs="*", default=list(CONTENDERS))
    parser.add_argument("--cms", type=Path)
    given = parser.parse_args()
    store = StoreReader(given.truth / "truth.h5")
    events = store.read(0, len(store))
    parts = events[: given.judged], events[given.judged : 2 * given.judged], events[2 * given.judged :]
    reference, null, train = parts
    print(f"{len(train)} jets for training, {given.judged} judged, {given.seconds:g} s each, seed {given.seed}\n")
    print("| | mean pT | width pT | mean mass | width mass | AUC | µs a jet; steps |\n|---|---|---|---|---|---|---|")
    detector = JetRecoSimulation(events=1).time(null.cond[:1], given.seed)
    note = "" if detector is None else f"{1000 * detector[0]:.0f} (detector)"
    row("truth against truth", reference, null, note, given)
    samples = {"truth": jet_pairs(reference)}
    smearing = find_baseline("jet-smearing").fit(MemorySource(train), seed=given.seed)
    made, spent = sampled(smearing, null, given.seed)
    row("jet-smearing", reference, made, f"{spent:.1f}", given)
    samples["jet-smearing"] = jet_pairs(made)
    for name in given.only:
        model, steps = trained(*CONTENDERS[name], train, given)
        made, spent = sampled(TorchSampler(model), null, given.seed)
        row(name, reference, made, f"{spent:.1f}; {steps}", given)
        samples[name] = jet_pairs(made)
    if given.cms is not None:
        compare_cms(given.cms, samples)


if __name__ == "__main__":
    main()
