"""What the networks cost: clouds against the number of points, showers against width, on one CPU thread.

OMP_NUM_THREADS=1 python benchmarks/networks.py [--repeats 10] [--batches 1 100] [--only cylinder-conv]

Times are the least of the repeats, taken in turns, so that a busy machine touches all alike; compare them within one
run only. Showers are those of `ds2-electrons` (45 layers x 16 sectors x 9 rings) with 12 conditions of each layer; a
time is that of one evaluation of the network, of which a sampler needs one a step.
"""

from __future__ import annotations

import argparse
import io
import logging
import time
import warnings
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any

import onnxruntime
import torch

from facsim.models.choices import Choice
from facsim.models.nets import NETWORKS, Network, build_network
from facsim.models.space import Space, cloud, cylinder
from facsim.physics.geometries import GEOMETRIES

POINTS = (32, 64, 128, 256, 512)
GRIDS: dict[str, list[dict[str, Any]]] = {
    "layer-transformer": [{"width": width} for width in (32, 64, 96, 128)],
    "patch-transformer": [{"width": 64}, {"width": 64, "patch": [5, 16, 9]}, {"width": 96}],
    "cylinder-conv": [
        *({"width": width} for width in (8, 16, 24, 32, 48, 64)),
        {"width": 16, "levels": 2},
        {"width": 16, "levels": 3, "depth": 1},
        {"width": 24, "levels": 3, "depth": 1},
        {"width": 32, "levels": 3, "depth": 1},
    ],
    "residual-mlp": [{"width": 192}],
}
N_COND = 12
Call = Callable[[], Any]


def fastest(calls: dict[Any, Call], repeats: int) -> dict[Any, float]:
    """Least wall time of each call in ms, after one that is not counted."""
    best = dict.fromkeys(calls, float("inf"))
    with torch.inference_mode():
        for call in calls.values():
            call()
        for _ in range(repeats):
            for key, call in calls.items():
                begin = time.perf_counter()
                call()
                best[key] = min(best[key], 1e3 * (time.perf_counter() - begin))
    return best


def parameters(network: Network) -> int:
    return sum(p.numel() for p in network.parameters())


def onnx_session(network: Network, inputs: tuple[torch.Tensor, ...]) -> Any:
    """A session of ONNX Runtime on one thread."""
    graph, names = io.BytesIO(), ["x", "t", "cond"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        axes = {name: {0: "batch"} for name in [*names, "out"]}
        torch.onnx.export(
            network, inputs, graph, input_names=names, output_names=["out"], dynamic_axes=axes, dynamo=False
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(graph.getvalue(), options, providers=["CPUExecutionProvider"])


def events(space: Space, n: int) -> tuple[torch.Tensor, ...]:
    cond = torch.randn(n, len(space.layers), N_COND) if space.layers else torch.randn(n, N_COND)
    return torch.randn(n, *space.shape), torch.rand(n), cond


def clouds(repeats: int, batch: int = 4) -> None:
    """Time of clouds of all numbers of points, and how it grows when that number doubles."""
    names = [name for name, kind in NETWORKS.items() if "cloud" in kind.representations]
    calls: dict[Any, Call] = {}
    sizes = {}
    for name in names:
        network = build_network(Choice(name=name), cloud(max(POINTS), 3), 3, 3, N_COND).eval()
        sizes[name] = parameters(network)
        for points in POINTS:
            x, t, cond = events(cloud(points, 3), batch)
            calls[name, points] = lambda network=network, x=x, t=t, cond=cond: network(x, t, cond)
    best = fastest(calls, repeats)
    print(f"ms a cloud at batch {batch}, and times that of half the points\n")
    print("| network | parameters | " + " | ".join(f"{points} points" for points in POINTS) + " |")
    print("|---" * (2 + len(POINTS)) + "|")
    for name in names:
        row = [best[name, points] / batch for points in POINTS]
        growth = ["", *(f" (x {b / a:.2f})" for a, b in pairwise(row))]
        cells = [f"{ms:.3f}{more}" for ms, more in zip(row, growth, strict=True)]
        print(f"| {name} | {sizes[name]} | " + " | ".join(cells) + " |")


def grids(names: Iterable[str], batches: list[int], repeats: int) -> None:
    """Time of showers, with torch and ONNX Runtime."""
    space = cylinder(GEOMETRIES["ds2-electrons"])
    rows = [(name, options) for name in names for options in GRIDS[name]]
    calls: dict[Any, Call] = {}
    sizes = []
    for i, (name, options) in enumerate(rows):
        network = build_network(Choice(name=name, **options), space, 1, 1, N_COND, zero=False).eval()
        session = onnx_session(network, events(space, 3))
        sizes.append(parameters(network))
        for n in batches:
            given = events(space, n)
            feed = dict(zip(("x", "t", "cond"), (a.numpy() for a in given), strict=True))
            calls[i, "torch", n] = lambda network=network, given=given: network(*given)
            calls[i, "onnxruntime", n] = lambda session=session, feed=feed: session.run(None, feed)
    best = fastest(calls, repeats)
    columns = [(engine, n) for engine in ("torch", "onnxruntime") for n in batches]
    print("ms a shower and evaluation of the network\n")
    print("| network | parameters | " + " | ".join(f"{engine}, batch {n}" for engine, n in columns) + " |")
    print("|---" * (2 + len(columns)) + "|")
    for i, (name, options) in enumerate(rows):
        what = ", ".join(f"{key} {value}" for key, value in options.items())
        print(f"| {name}, {what} | {sizes[i]} | " + " | ".join(f"{best[i, e, n] / n:.2f}" for e, n in columns) + " |")


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 100])
    parser.add_argument("--only", choices=sorted(GRIDS), help="one network of showers, and no clouds")
    args = parser.parse_args()
    torch.set_num_threads(1)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    if not args.only:
        clouds(args.repeats)
        print()
    grids([args.only] if args.only else GRIDS, args.batches, args.repeats)


if __name__ == "__main__":
    main()
