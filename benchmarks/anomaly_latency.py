"""Latency of anomaly scores of images at batch 1 on one thread: dense and from hits alone, in torch and ONNX Runtime.

OMP_NUM_THREADS=1 python benchmarks/anomaly_latency.py [--events 100] [--calls 2000] [--published] [--figure FILE]

Events are dijets of Pythia above pT = 250 GeV with other collisions laid over them, in the parametric detector, as
images of 360 x 286 cells of three channels, and summed 5 by 5 (72 x 58). Weights are random: they do not change times.
Candidates are called in turns. The process time beside the wall time is what a machine without other work would need.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic

from facsim.core.events import make_events
from facsim.core.image import regular_image
from facsim.core.rng import generator
from facsim.core.schema import Feature, Schema
from facsim.evaluate.latency import Call, latency_of, measure_latency
from facsim.evaluate.timing import hardware
from facsim.export.check import check_predictor, open_session
from facsim.export.onnx import export_predictor
from facsim.models import Predictor
from facsim.models.checkpoint import build_model
from facsim.physics.detector import respond
from facsim.physics.detector_images import CHANNELS, images
from facsim.physics.detector_settings import Detector
from facsim.simulate.pythia_events import Collisions

DIJETS = ("HardQCD:all = on", "PhaseSpace:pTHatMin = 250")
PUBLISHED = {"widths": [128, 64, 32, 16, 8], "strides": [3, 2, 2, 2, [3, 2]], "latent": 240}
PATTERNS = {"output": "patterns"}
SPARSE = {"output": "patterns", "sparse": True}
MODELS: dict[str, dict[str, tuple[str, dict[str, Any]]]] = {
    "360 x 286": {
        "published widths": ("autoencoder", PUBLISHED),
        "default": ("autoencoder", {}),
        "patterns": ("autoencoder", PATTERNS),
        "sparse": ("autoencoder", SPARSE),
    },
    "72 x 58": {
        "default": ("autoencoder", {}),
        "patterns": ("autoencoder", PATTERNS),
        "sparse": ("autoencoder", SPARSE),
        "codae": ("codae", {}),
    },
}


def full_images(n: int, pile_up: float, seed: int) -> np.ndarray:
    """Events (n, 360, 286, 3), GeV."""
    detector = Detector()
    particles = Collisions(DIJETS, seed, pile_up=pile_up).next(n)
    return images(respond(particles, detector, generator(seed, "detector")), detector)


def summed(x: np.ndarray) -> np.ndarray:
    """Images summed 5 by 5 after two empty cells on either side of pseudorapidity: (n, 72, 58, 3)."""
    wide = np.pad(x, ((0, 0), (0, 0), (2, 2), (0, 0)))
    return wide.reshape(len(x), 72, 5, 58, 5, 3).sum((2, 4))


def candidates(size: str, x: np.ndarray, folder: Path) -> Iterator[tuple[str, Call]]:
    """What is timed on events (n, rows, columns, 3), by name; graphs go to `folder` and are checked."""
    geometry = regular_image("image", (-np.pi, np.pi, x.shape[1]), (-2.5, 2.5, x.shape[2]))
    schema = Schema("grid", tuple(Feature(name, "GeV") for name in CHANNELS), (), geometry)
    events = make_events(schema, x.reshape(len(x), -1, 3), np.zeros((len(x), 0), np.float32), 0)
    tensors = torch.from_numpy(events.x)
    for name, (kind, options) in MODELS[size].items():
        torch.manual_seed(1)
        model = build_model(kind, schema, options).eval()
        assert isinstance(model, Predictor)
        yield f"{name} | torch", _in_torch(model, tensors)
        graphs = [folder / f"{size} {name} {kind}.onnx" for kind in ("fp32", "int8")]
        export_predictor(model, graphs[0])
        check_predictor(model, graphs[0], events, batches=(1, 3))
        quantize_dynamic(graphs[0], graphs[1], weight_type=QuantType.QUInt8)
        for precision, graph in zip(("fp32", "int8"), graphs, strict=True):
            yield f"{name} | onnxruntime {precision}", _in_onnxruntime(graph, events.x)


def _in_torch(model: Predictor, x: torch.Tensor) -> Call:
    def call(index: int) -> Any:
        with torch.inference_mode():
            return model.predict(x[index % len(x)][None], torch.zeros(1, 0))

    return call


def _in_onnxruntime(graph: Path, x: np.ndarray) -> Call:
    session = open_session(graph)
    return lambda index: session.run(None, {"events": x[index % len(x)][None]})


def figure(times: dict[str, dict[str, np.ndarray]], path: Path) -> None:
    """The part of calls that take longer than a time, for each size."""
    _, axes = plt.subplots(1, len(times), figsize=(12, 6), sharey=True, layout="constrained")
    for axis, (size, each) in zip(axes, times.items(), strict=True):
        for index, (name, found) in enumerate(each.items()):
            wall = np.sort(found[:, 0])
            style = ("-", "--", ":")[index % 3]
            axis.plot(wall, 1 - np.arange(len(wall)) / len(wall), style, color=f"C{index // 3}", label=name)
        axis.set(xscale="log", yscale="log", xlabel="wall time of a call, ms", title=size)
        axis.legend(fontsize="x-small", loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=3)
    axes[0].set_ylabel("part of calls that take longer")
    plt.savefig(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=100)
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--pile-up", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--published", action="store_true", help="time patterns and hits alone at published widths too")
    parser.add_argument("--figure", type=Path)
    asked = parser.parse_args()
    if asked.published:
        for name, options in (("patterns", PATTERNS), ("sparse", SPARSE)):
            MODELS["360 x 286"][f"published widths, {name}"] = ("autoencoder", {**PUBLISHED, **options})
    torch.set_num_threads(1)
    logging.disable(logging.WARNING)  # the quantiser tells of every array of integers
    full = full_images(asked.events, asked.pile_up, asked.seed)
    print(f"{hardware()}, one thread, batch 1, {asked.events} events, seed {asked.seed}\n")
    times: dict[str, dict[str, np.ndarray]] = {}
    with TemporaryDirectory() as folder:
        for size, x in zip(MODELS, (full, summed(full)), strict=True):
            share = 100 * (x > 0).reshape(len(x), -1).mean(1)
            print(f"{size}: {share.mean():.2f} % of the numbers are hit ({share.min():.2f} to {share.max():.2f})")
            times[size] = measure_latency(dict(candidates(size, x, Path(folder))), asked.calls)
    print("\n| size | model | engine | median, ms | 99 % | 99.9 % | processor, ms | calls |\n" + "|---" * 8 + "|")
    for size, each in times.items():
        for name, found in each.items():
            of = latency_of(found)
            numbers = " | ".join(f"{value:.1f}" for value in (of.median, of.p99, of.p999, of.cpu))
            print(f"| {size} | {name} | {numbers} | {of.calls} |")
    if asked.figure:
        figure(times, asked.figure)


if __name__ == "__main__":
    main()
