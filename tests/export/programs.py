"""How the C++ programs of the tests are built and called, and small graphs with their cards."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facsim.core.store import write_json
from facsim.export.card import file_facts
from facsim.export.cpp_project import runtime_library

SOURCES = Path(__file__).parent / "cpp"
COMPILERS = ("c++", "g++", "clang++")
FLAGS = "-O0 -Wall -Wextra -Wshadow -Wconversion -Werror"


def find_cmake() -> str | None:
    """The system's CMake, or that of the Python package cmake beside this Python."""
    return shutil.which("cmake", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")


def why_not() -> str:
    """What is missing to build C++ here, or nothing."""
    if not any(map(shutil.which, COMPILERS)):
        return f"there is no C++ compiler on PATH ({', '.join(COMPILERS)})"
    if find_cmake() is None or not any(map(shutil.which, ("make", "ninja"))):
        return "CMake with make or ninja is missing"
    return "" if runtime_library() else "onnxruntime is not installed"


def build(source: Path, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Configure and build a CMake project; what CMake said, which is an error's text where it failed."""
    cmake = find_cmake()
    assert cmake is not None
    steps = [cmake, "-S", str(source), "-B", str(folder), *options], [cmake, "--build", str(folder), "-j2"]
    for step in steps:
        done = subprocess.run(step, capture_output=True, text=True, check=False)
        if done.returncode:
            break
    return done


def page() -> str:
    """The program of docs/cpp.md, and its fragments in a function."""
    text = (Path(__file__).parents[2] / "docs" / "cpp.md").read_text(encoding="utf-8")
    program, *fragments = re.findall(r"```cpp\n(.*?)```", text, re.DOTALL)
    assert len(fragments) == 2
    return program + PAGE.replace("FRAGMENTS", "".join(fragments))


PAGE = """
struct Particle {
    std::uint64_t id;
    float energy;
    std::mt19937_64 generator;
};
void full_simulation(const float*, float*) {}
void log(const std::string&) {}
void deposit(std::uint64_t, const float*, std::size_t) {}
void fragments(const facsim::Model& model, std::vector<Particle>& particles) {
FRAGMENTS
}
"""


@dataclass(frozen=True)
class Built:
    """Folder of the programs, and how the driver is called."""

    folder: Path
    project: Path

    @property
    def example(self) -> Path:
        return self.folder / "facsim" / "sampling_job"

    def call(self, *words: object, program: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
        """The driver, or another program, with the ONNX Runtime of this Python unless `env` says otherwise."""
        known = {**os.environ, "FACSIM_ONNXRUNTIME": str(runtime_library()), **env}
        command = [str(program or self.folder / "driver"), *map(str, words)]
        return subprocess.run(command, capture_output=True, text=True, check=False, env=known, timeout=120)

    def text(self, *words: object, **options: Any) -> str:
        """What a call that must succeed prints."""
        done = self.call(*words, **options)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def error(self, *words: object, **env: str) -> str:
        """The one sentence of a call that must be refused."""
        done = self.call(*words, **env)
        assert done.returncode == 1, (done.returncode, done.stdout, done.stderr)
        sentence = done.stderr.removesuffix("\n")
        assert "\n" not in sentence
        assert sentence.endswith(".")
        return sentence


def write_toy(folder: Path, change: Callable[[Any], None] | None = None, **card: Any) -> tuple[Path, Path]:
    """Graph and card of events = condition @ W + noise + pick with W = [[1, 2, 3], [0, 1, -1]].

    `change` is given the ONNX model before it is written; entries of `card` replace those of the card.
    """
    onnx = pytest.importorskip("onnx")
    helper, real = onnx.helper, onnx.TensorProto.FLOAT
    shapes = {"condition": ["batch", 2], "noise": ["batch", 3], "pick": ["batch", 1]}
    inputs = [helper.make_tensor_value_info(name, real, shape) for name, shape in shapes.items()]
    weights = onnx.numpy_helper.from_array(np.array([[1, 2, 3], [0, 1, -1]], np.float32), "W")
    nodes = [
        helper.make_node("MatMul", ["condition", "W"], ["product"]),
        helper.make_node("Add", ["product", "noise"], ["sum"]),
        helper.make_node("Add", ["sum", "pick"], ["events"]),
    ]
    outputs = [helper.make_tensor_value_info("events", real, ["batch", 3])]
    graph = helper.make_graph(nodes, "toy", inputs, outputs, [weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    if change is not None:
        change(model)
    path = folder / "toy.onnx"
    path.write_bytes(model.SerializeToString())
    return path, write_card(path, **card)


def toy_card() -> dict[str, Any]:
    """The card of `write_toy`, without the facts of its graph."""
    columns = [
        {"name": "energy", "unit": "MeV", "min": 100, "max": 1000},
        {"name": "eta", "unit": "", "min": 2, "max": 5},
    ]
    noise = [
        {"name": "noise", "shape": ["batch", 3], "distribution": "normal", "dtype": "float32"},
        {"name": "pick", "shape": ["batch", 1], "distribution": "uniform", "dtype": "float32"},
    ]
    out = [{"name": "a", "unit": "mm"}, {"name": "b", "unit": "MeV"}, {"name": "n", "unit": ""}]
    return {
        "format": "facsim-card-1",
        "model": "toy",
        "inputs": {"condition": {"shape": ["batch", 2], "dtype": "float32", "columns": columns}, "noise": noise},
        "output": {"name": "events", "shape": ["batch", 3], "dtype": "float32", "columns": out, "order": "rows"},
        "schema": {"representation": "table", "geometry": None},
    }


def write_card(graph: Path, **changes: Any) -> Path:
    """A card beside `graph`, with its size and checksum; entries in `changes` named by dotted paths replace others."""
    card: Any = {**toy_card(), "graph": file_facts(graph)}
    for place, value in changes.items():
        *parents, last = place.split(".")
        at = card
        for key in parents:
            at = at[int(key)] if isinstance(at, list) else at[key]
        at[int(last) if isinstance(at, list) else last] = value
    path = graph.with_suffix(".card.json")
    write_json(path, card)
    return path


def save(folder: Path, arrays: Mapping[str, Any]) -> list[Path]:
    """Raw float32 files, in the order of `arrays`."""
    paths = [folder / f"{name}.f32" for name in arrays]
    for path, array in zip(paths, arrays.values(), strict=True):
        np.ascontiguousarray(array, np.float32).tofile(path)
    return paths
