"""Latency of students of anomaly scores at batch 1 on one thread: in torch, ONNX Runtime with variants, and C.

OMP_NUM_THREADS=1 python benchmarks/student_latency.py [--events 100] [--calls 2000] [--seed 1]

Events as in `anomaly_latency.py`, summed 5 by 5 to images of 72 x 58 cells of three channels. Weights are random:
they do not change times. Candidates are called in turns, so that what follows a similar one finds a warmer cache; C
is called through ctypes, which takes some microseconds, and `alone` is its least time of a call within a loop in C."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from anomaly_latency import full_images, summed

from facsim.core.image import regular_image
from facsim.core.schema import Feature, Schema
from facsim.evaluate.latency import Call, latency_of, measure_latency
from facsim.evaluate.timing import hardware
from facsim.export.c_check_predictor import check_c_predictor, compile_predictor
from facsim.export.c_predictor import export_c_predictor, predictor_facts
from facsim.export.card import make_card
from facsim.export.check import open_session
from facsim.export.onnx import export_predictor
from facsim.export.variants import pruned, quantised
from facsim.models import Predictor
from facsim.models.checkpoint import build_model, count_parameters
from facsim.physics.detector_images import CHANNELS

TEACHER = {"name": "autoencoder", "latent": 8}
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "conv, hits": ("student", {"teacher": TEACHER, "cells": "hit"}),
    "conv, logarithms": ("student", {"teacher": TEACHER}),
    "dense on regions": ("student", {"teacher": TEACHER, "input": "regional"}),
    "dense on regions, each channel": ("student", {"teacher": TEACHER, "input": "regional", "maps": "each"}),
    "contrast, features": ("contrast", {}),
    "contrast, image": ("contrast", {"network": "image"}),
}


def candidates(model: Predictor, name: str, x: np.ndarray, folder: Path) -> Iterator[tuple[str, Call, float]]:
    """Engine, call, and the least microseconds of a call alone (of C, else NaN), of events (n, V, C)."""
    tensors, none = torch.from_numpy(x), torch.zeros(1, 0)

    def in_torch(k: int) -> Any:
        with torch.inference_mode():
            return model.predict(tensors[k % len(x)][None], none)

    graph, int8, zeros = (folder / f"{part}.onnx" for part in ("full", "int8", "pruned"))
    export_predictor(model, graph, 20)
    quantised(graph, int8, [{"events": x[:32]}])
    pruned(graph, zeros, 0.5)
    facts = predictor_facts(make_card(model, name, graph, np.zeros((9, 0)), [], {}), "model", "")
    source = export_c_predictor(graph, folder, facts)[0]
    alone = check_c_predictor(source, graph, facts, {"events": x})["us_per_call_least"]
    compiled = compile_predictor(source, facts, folder)[0]
    ready = [compiled.prepared({"events": event[None]}) for event in x]
    yield "torch", in_torch, np.nan
    for engine, path in (("onnxruntime", graph), ("onnxruntime int8", int8), ("onnxruntime pruned", zeros)):
        session = open_session(path)
        yield engine, lambda k, session=session: session.run(None, {"events": x[k % len(x)][None]}), np.nan
    yield "C", lambda k: ready[k % len(x)](), alone


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=100)
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--pile-up", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    logging.disable(logging.WARNING)
    images = summed(full_images(asked.events, asked.pile_up, asked.seed))
    geometry = regular_image("image", (-np.pi, np.pi, images.shape[1]), (-2.5, 2.5, images.shape[2]))
    schema = Schema("grid", tuple(Feature(name, "GeV") for name in CHANNELS), (), geometry)
    x = np.ascontiguousarray(images.reshape(len(images), -1, 3), np.float32)
    print(f"{hardware()}, one thread, batch 1, {asked.events} events, seed {asked.seed}\n")
    print("| model | parameters | engine | median, us | 99 % | processor, us | alone, us |\n" + "|---" * 7 + "|")
    for words, (name, options) in MODELS.items():
        torch.manual_seed(1)
        model = build_model(name, schema, options).eval()
        assert isinstance(model, Predictor)
        own = model.student if name == "student" else model
        with TemporaryDirectory() as folder:
            found = list(candidates(model, name, x, Path(folder)))
            times = measure_latency({engine: call for engine, call, _ in found}, asked.calls)
        for engine, _, alone in found:
            of = latency_of(times[engine])
            numbers = " | ".join(f"{1e3 * value:.1f}" for value in (of.median, of.p99, of.cpu))
            least = "" if np.isnan(alone) else f"{alone:.1f}"
            print(f"| {words} | {count_parameters(own)} | {engine} | {numbers} | {least} |")


if __name__ == "__main__":
    main()
