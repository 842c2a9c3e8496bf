"""Loss curves of one process and of several that train together, on the showers that ship with facsim.

    OMP_NUM_THREADS=1 python benchmarks/ddp_parity.py [--processes 2] [--steps 240] [--json FILE]

Every phase of the two-stage model is cut into six windows. Compared are the mean losses of all but the first, and the
validation losses at the same steps (same events, same noise); the difference is relative to the mean size of the loss
in the phase. A second single process with another seed of the noise says how much two equal trainings differ anyway.
The goal is 2 %.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from facsim.core.sources import SubsetSource
from facsim.data import open_events
from facsim.simulate.sample import sample_path
from facsim.train import loop
from facsim.train.phase import Phase
from facsim.train.processes import Processes
from facsim.train.settings import TrainSettings

WINDOWS = 6
OPTIONS = {
    "layers": {
        "name": "flow-matching",
        "prior": "gaussian",
        "network": {"name": "residual-mlp", "width": 32, "depth": 2},
    },
    "pattern": {
        "name": "flow-matching",
        "prior": "gaussian",
        "network": {"name": "layer-transformer", "width": 16, "heads": 2, "depth": 1},
    },
}


class OtherNoise(Phase):
    """A phase with the same batches and other random numbers in its losses."""

    def _draw(self, *path: str | int) -> None:
        super()._draw(*path, "other")


def train(folder: Path, steps: int, other: bool) -> None:
    """Train in this process, which may be one of several."""
    if other:
        loop.Phase = OtherNoise
    truth = open_events(sample_path())
    parts = [SubsetSource(truth, np.arange(a, b)) for a, b in ((0, 320), (320, len(truth)))]
    settings = TrainSettings(steps=steps, batch_size=64, lr=4e-3, log_every=1, device="cpu", threads=1)
    trainer = loop.Trainer("two-stage", OPTIONS, parts[0], parts[1], folder, 1, settings, group=Processes.join())
    trainer.run()
    Processes.leave()


def curves(folder: Path, key: str) -> dict[str, np.ndarray]:
    """Values of `key` by phase, in order of steps."""
    rows: list[dict[str, Any]] = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    parts = dict.fromkeys(row["part"] for row in rows)
    return {part: np.array([r[key] for r in rows if r["part"] == part and r[key] is not None]) for part in parts}


def differences(a: Path, b: Path) -> dict[str, tuple[float, float]]:
    """Largest relative difference of windows of the loss and of validation losses, by phase."""
    found = {}
    for part in curves(a, "loss"):
        pairs = []
        for key in ("loss", "validation_loss"):
            x, y = curves(a, key)[part], curves(b, key)[part]
            if key == "loss":
                x, y = (np.array([w.mean() for w in np.array_split(v, WINDOWS)]) for v in (x, y))
            pairs.append(float(np.max(np.abs(x - y)[1:]) / np.mean(np.abs(x))))
        found[part] = (pairs[0], pairs[1])
    return found


def main() -> None:
    """Run and print the table."""
    parser = argparse.ArgumentParser(description="several processes against one")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--steps", type=int, default=240, help="of each of the four phases")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--other", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work is not None:
        train(arguments.work, arguments.steps, arguments.other)
        return
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(arguments.processes)]
    with tempfile.TemporaryDirectory() as folder:
        work = {name: Path(folder) / name for name in ("one", "several", "other noise")}
        for name, path in work.items():
            command = [sys.executable, *(torchrun if name == "several" else []), __file__, "--work", str(path)]
            command += ["--steps", str(arguments.steps), *(["--other"] if name == "other noise" else [])]
            subprocess.run(command, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
        several, other = (differences(work["one"], work[name]) for name in ("several", "other noise"))
    print("| phase | loss, windows | validation loss | one process, other noise: windows | validation |")
    print("|---|---|---|---|---|")
    for part, (windows, validation) in several.items():
        told = " | ".join(f"{100 * value:.2f} %" for value in (windows, validation, *other[part]))
        print(f"| {part} | {told} |")
    if arguments.json:
        arguments.json.write_text(json.dumps({"several": several, "other": other}))


if __name__ == "__main__":
    main()
