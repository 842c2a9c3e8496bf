"""Every operation that C is written for gives what ONNX Runtime gives, on graphs of one or a few nodes."""

from __future__ import annotations

import ctypes
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facsim.core.errors import FacsimError
from facsim.export.c_check import COMPILERS, CModel, compile_c
from facsim.export.c_indices import affine, broadcast, number, runs
from facsim.export.c_source import CFacts, export_c
from facsim.export.check import open_session
from facsim.models.base import NoiseSpec

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

needs_compiler = pytest.mark.skipif(
    not any(map(shutil.which, COMPILERS)), reason=f"there is no C compiler on PATH ({', '.join(COMPILERS)})"
)
EVENTS = 40
RNG = np.random.default_rng(7)
W = RNG.normal(size=(6, 37)).astype(np.float32)
IMAGE = (2, 9, 11)
TO_IMAGE = (RNG.normal(size=(6, 198)) * (RNG.random((6, 198)) < 0.4)).astype(np.float32)


class Net:
    """A graph under construction: x of shape (batch, 6) uniform in (-3, 3), made of the condition and noise."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def __call__(self, op: str, *inputs: Any, n: int = 1, **attributes: Any) -> Any:
        names = [value if isinstance(value, str) else self.keep(value) for value in inputs]
        outputs = [f"v{len(self.nodes)}_{k}" for k in range(n)]
        self.nodes.append(helper.make_node(op, names, outputs, name=f"/{op}_{len(self.nodes)}", **attributes))
        return outputs[0] if n == 1 else outputs

    def keep(self, value: Any) -> str:
        array = np.asarray(value)
        array = array.astype(np.float32) if array.dtype == np.float64 else array
        self.constants.append(numpy_helper.from_array(array, f"k{len(self.constants)}"))
        return f"k{len(self.constants) - 1}"

    def save(self, build: Callable[[Net, str], str], path: Path, opset: int = 20) -> None:
        x = self("Concat", "condition", self("Sub", self("Mul", "noise", 6.0), 3.0), axis=1)
        y = self("Reshape", build(self, x), np.array([0, -1]))
        inputs = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", size])
            for name, size in (("condition", 2), ("noise", 4))
        ]
        self.nodes.append(helper.make_node("Cast", [y], ["events"], name="/out", to=TensorProto.FLOAT))
        output = [helper.make_tensor_value_info("events", TensorProto.FLOAT, None)]
        graph = helper.make_graph(self.nodes, "toy", inputs, output, self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)
        onnx.save(model, str(path))


def _if(net: Net, x: str) -> str:
    branches = []
    for name, op in (("then_branch", "Neg"), ("else_branch", "Abs")):
        output = helper.make_tensor_value_info("r", TensorProto.FLOAT, None)
        branches.append((name, helper.make_graph([helper.make_node(op, [x], ["r"], name="/in")], name, [], [output])))
    return net("If", net("Equal", net("Gather", net("Shape", x), np.array(1), axis=0), np.array(6)), **dict(branches))


def _top(net: Net, x: str) -> str:
    values, places = net("TopK", x, np.array([3]), n=2, axis=1)
    return net("Concat", values, net("Cast", places, to=TensorProto.FLOAT), axis=1)


def _index(net: Net, x: str, low: float = 0, high: float = 5) -> str:
    """Whole numbers of x in [low, high]."""
    return net("Cast", net("Clip", net("Floor", x), float(low), float(high)), to=TensorProto.INT64)


def _image(net: Net, x: str) -> str:
    """Two channels of 9 x 11 cells, many of them 0."""
    return net("Reshape", net("MatMul", x, TO_IMAGE), np.array([0, *IMAGE]))


def _kernel(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


def _conv(weight: np.ndarray, bias: bool = True, **attributes: Any) -> Callable[[Net, str], str]:
    offsets = [_kernel(len(weight))] if bias else []
    return lambda n, x: n("Conv", _image(n, x), weight, *offsets, **attributes)


def _student(net: Net, x: str) -> str:
    """What a convolutional student does to an image."""
    seen = net("Log", net("Add", net("Clip", net("Div", _image(net, x), 0.7), 0.0), 1.0))
    first = net("AveragePool", net("Relu", net("Conv", seen, _kernel(3, 2, 3, 3))), kernel_shape=[2, 2], strides=[2, 2])
    last = net("Flatten", net("Relu", net("Conv", first, _kernel(4, 3, 2, 2))))
    return net("Gemm", last, _kernel(24, 1), _kernel(1))


GRAPHS: dict[str, Callable[[Net, str], str]] = {
    "gemm": lambda n, x: n("Gemm", x, W.T.copy(), W[0], transB=1, alpha=0.5),
    "gemm-narrow": lambda n, x: n("Gemm", x, W[:, :3].copy()),
    "matmul": lambda n, x: n("MatMul", x, W),
    "matmul-rows": lambda n, x: n("MatMul", n("Reshape", x, np.array([0, 3, 2])), W[:2].copy()),
    "matmul-both": lambda n, x: n(
        "MatMul", n("Reshape", x, np.array([0, 3, 2])), n("Reshape", n("Exp", x), np.array([0, 2, 3]))
    ),
    "layers": lambda n, x: n("Gemm", n("Elu", n("Gemm", x, W)), RNG.normal(size=(37, 5)).astype(np.float32)),
    "norm": lambda n, x: n("LayerNormalization", n("MatMul", x, W), W[1], W[2], axis=-1),
    "softmax": lambda n, x: n("Softmax", n("MatMul", x, W), axis=-1),
    **{
        op: (lambda n, x, op=op: n(op, n("MatMul", x, W)))  # type: ignore[misc]
        for op in ("Exp", "Sigmoid", "Tanh", "Erf", "Softplus", "Elu", "LeakyRelu", "Relu", "Neg", "Abs", "Sin", "Cos")
    },
    **{
        f"{op}-small": (lambda n, x, op=op: n(op, x))  # type: ignore[misc]
        for op in ("Floor", "Ceil", "Round", "Sign", "Reciprocal", "Elu", "Gelu", "Atan")
    },
    "log": lambda n, x: n("Log", n("Sqrt", n("Add", n("Abs", x), 0.1))),
    "pow": lambda n, x: n("Add", n("Pow", x, 3.0), n("Pow", n("Abs", x), 1.7)),
    "clip": lambda n, x: n("Clip", n("MatMul", x, W), -1.0, 2.0),
    "clip-above": lambda n, x: n("Clip", x, "", 1.0),
    "max-min": lambda n, x: n("Max", n("Min", x, 1.0), n("Neg", x), -0.5),
    "mod": lambda n, x: n("Mod", n("Cast", n("Floor", x), to=TensorProto.INT64), np.array(4)),
    "where": lambda n, x: n("Where", n("Greater", x, 0.0), n("Exp", x), n("Mul", x, 2.0)),
    "where-wide": lambda n, x: n("Where", n("Less", n("MatMul", x, W), W[0]), 0.0, n("Exp", n("MatMul", x, W))),
    "logic": lambda n, x: n("And", n("Not", n("GreaterOrEqual", x, 1.0)), n("Or", n("Less", x, 0.0), np.array([True]))),
    "broadcast": lambda n, x: n(
        "Mul", n("Reshape", x, np.array([0, 3, 2, 1])), RNG.normal(size=(3, 1, 4)).astype(np.float32)
    ),
    "outer": lambda n, x: n("Sub", n("Unsqueeze", x, np.array([2])), n("Unsqueeze", x, np.array([1]))),
    "expand": lambda n, x: n("Expand", n("Unsqueeze", x, np.array([1])), np.array([1, 5, 1])),
    "transpose": lambda n, x: n("Transpose", n("Reshape", x, np.array([0, 3, 2])), perm=[0, 2, 1]),
    "slice": lambda n, x: n("Slice", x, np.array([5]), np.array([0]), np.array([1]), np.array([-2])),
    "strided-product": lambda n, x: n(
        "MatMul", n("Slice", x, np.array([0]), np.array([6]), np.array([1]), np.array([2])), W[:3].copy()
    ),
    "split": lambda n, x: n("Concat", *n("Split", x, np.array([2, 3, 1]), n=3, axis=1)[::-1], axis=1),
    "pad": lambda n, x: n("Pad", x, np.array([0, 2, 0, 1]), 0.25),
    "tile": lambda n, x: n("Tile", x, np.array([1, 3])),
    "concat-constant": lambda n, x: n("Concat", x, n("Mul", n("Slice", x, [0], [1], [1]), 0.0), x, axis=1),
    "gather": lambda n, x: n("Gather", n("Exp", x), np.array([4, -1, 0, 0]), axis=1),
    "gather-by-event": lambda n, x: n("Gather", W[0], _index(n, x), axis=0),
    "gather-rows": lambda n, x: n("Gather", W, _index(n, x), axis=0),
    "gather-negative": lambda n, x: n("Gather", W[0], _index(n, x, -3, 2), axis=0),
    "gather-elements": lambda n, x: n("GatherElements", x, _index(n, n("Neg", x)), axis=-1),
    "sum": lambda n, x: n("ReduceSum", n("Reshape", x, np.array([0, 3, 2])), np.array([1]), keepdims=0),
    "mean": lambda n, x: n("ReduceMean", x, np.array([-1]), keepdims=1),
    "largest": lambda n, x: n("ReduceMax", n("Reshape", x, np.array([0, 3, 2])), np.array([2])),
    "smallest": lambda n, x: n("ReduceMin", x, np.array([1])),
    "product": lambda n, x: n("ReduceProd", x, np.array([1])),
    "cumulative": lambda n, x: n("CumSum", x, np.array(1)),
    "cumulative-back": lambda n, x: n(
        "CumSum", n("Reshape", x, np.array([0, 3, 2])), np.array(1), exclusive=1, reverse=1
    ),
    "arg-max": lambda n, x: n("ArgMax", x, axis=1),
    "top-k": _top,
    "matmul-channels": lambda n, x: n(
        "MatMul", n("Transpose", _image(n, x), perm=[0, 2, 3, 1]), np.array([[1.0, 0, -0.3], [0, 1.0, 0]])
    ),
    "matmul-cells": lambda n, x: n("MatMul", np.array(TO_IMAGE[:2, :9]), n("MatMul", _image(n, x), _kernel(11, 4))),
    "matmul-long": lambda n, x: n("MatMul", n("Reshape", _image(n, x), np.array([0, 2, 99])), _kernel(99, 1)),
    "sum-long": lambda n, x: n("ReduceSum", n("Exp", n("MatMul", x, _kernel(6, 999))), np.array([1])),
    "conv": _conv(_kernel(3, 2, 3, 4)),
    "conv-one-cell": _conv(_kernel(5, 2, 1, 1), bias=False),
    "conv-few-places": _conv(_kernel(3, 2, 8, 9)),
    "conv-padded": _conv(_kernel(3, 2, 3, 3), pads=[1, 2, 0, 1]),
    "conv-strides": _conv(_kernel(3, 2, 3, 3), strides=[2, 3], pads=[1, 1, 1, 1]),
    "conv-apart": _conv(_kernel(3, 2, 3, 2), dilations=[2, 3]),
    "conv-groups": _conv(_kernel(4, 1, 2, 2), group=2),
    "conv-groups-strides": _conv(_kernel(4, 1, 2, 2), group=2, strides=[2, 2], dilations=[1, 2]),
    "mean-of-squares": lambda n, x: n("AveragePool", _image(n, x), kernel_shape=[2, 3], strides=[2, 3]),
    "mean-overlapping": lambda n, x: n("AveragePool", _image(n, x), kernel_shape=[3, 2]),
    "largest-of-squares": lambda n, x: n("MaxPool", _image(n, x), kernel_shape=[4, 2], strides=[4, 1]),
    "slopes": lambda n, x: n("PRelu", _image(n, x), _kernel(2, 1, 1)),
    "batch-norm": lambda n, x: n("BatchNormalization", _image(n, x), *map(np.abs, _kernel(4, 2)), epsilon=1e-3),
    "student": _student,
    "if": _if,
}


def _export(build: Callable[[Net, str], str], folder: Path) -> tuple[Path, CFacts]:
    graph = folder / "model.onnx"
    Net().save(build, graph)
    ranges = [{"name": f"c{k}", "unit": "", "min": -3.0, "max": 3.0} for k in range(2)]
    size = open_session(graph).run(None, {"condition": np.zeros((1, 2), "f4"), "noise": np.zeros((1, 4), "f4")})[0].size
    facts = CFacts("op", ranges, [{"name": "y", "unit": ""}], (size,), {"noise": NoiseSpec((1, 4), "uniform")}, {})
    export_c(graph, folder, facts)
    return graph, facts


@needs_compiler
@pytest.mark.parametrize("name", GRAPHS)
def test_operation_gives_what_onnx_runtime_gives(name: str, tmp_path: Path) -> None:
    graph, facts = _export(GRAPHS[name], tmp_path)
    compile_c(tmp_path / "op.c", tmp_path / "op.so", ("-O1", "-Wall", "-Wextra", "-pedantic", "-Werror"))
    model = CModel.of(ctypes.CDLL(str(tmp_path / "op.so")), facts)
    noise = model.noise(3, np.arange(EVENTS))
    cond = np.random.default_rng(1).uniform(-3, 3, (EVENTS, 2)).astype(np.float32)
    session = open_session(graph)
    expected = [
        session.run(None, {"condition": cond[k : k + 1], "noise": noise["noise"][k : k + 1]})[0] for k in range(EVENTS)
    ]
    largest = max(
        1.0, float(np.abs(expected).max())
    )  # sums of numbers of both signs are rounded as their largest part is
    np.testing.assert_allclose(model.sample(cond, noise)[0], np.concatenate(expected), rtol=3e-6, atol=3e-6 * largest)


@pytest.mark.parametrize(
    ("build", "told"),
    [
        (lambda n, x: n("Det", n("Reshape", n("Tile", x, np.array([1, 6])), np.array([0, 6, 6]))), "operation Det"),
        (lambda n, x: n("Softmax", n("Reshape", x, np.array([0, 3, 2])), axis=1), "not the last one"),
        (
            lambda n, x: n("Gemm", n("MatMul", x, W[:, :6].copy()), n("Expand", x, np.array([6, 6]))),
            "depends on the event",
        ),
        (
            lambda n, x: n(
                "Pad",
                x,
                n("Cast", n("Round", n("Expand", n("Mul", n("ReduceMax", x, keepdims=0), 0.0), np.array([4]))), to=7),
            ),
            "shape depends",
        ),
        (
            lambda n, x: n("Conv", _image(n, x), n("Reshape", _image(n, x), np.array([1, 2, 9, 11]))),
            "depend on the event",
        ),
        (lambda n, x: n("Conv", _image(n, x), _kernel(1, 2, 3, 3), auto_pad="SAME_UPPER"), "its own padding"),
        (lambda n, x: n("AveragePool", _image(n, x), kernel_shape=[2, 2], pads=[1, 1, 0, 0]), "beyond the image"),
        (lambda n, x: n("Conv", n("Unsqueeze", x, np.array([1])), _kernel(1, 1, 3)), "other things than images"),
    ],
    ids=["unknown", "axis", "weights", "shape", "conv-weights", "own-padding", "pool-padding", "no-image"],
)
def test_what_c_cannot_say_is_told(build: Callable[[Net, str], str], told: str, tmp_path: Path) -> None:
    with pytest.raises(FacsimError, match=rf"the graph's node .*{told}.*export\.c=false"):
        _export(build, tmp_path)
    assert not list(tmp_path.glob("op.*"))


@st.composite
def _shapes(draw: st.DrawFn) -> tuple[tuple[int, ...], tuple[int, ...]]:
    target = tuple(draw(st.lists(st.integers(1, 4), min_size=1, max_size=4)))
    shape = tuple(draw(st.sampled_from([1, n])) for n in target)
    return shape[draw(st.integers(0, len(shape))) :], target


@given(_shapes())
def test_broadcast_finds_the_element(shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    shape, target = shapes
    size = int(np.prod(shape))
    expected = np.broadcast_to(np.arange(size).reshape(shape), target).ravel()
    text = broadcast(shape, target).replace("/", "//")
    assert [eval(text, {"i": i}) for i in range(expected.size)] == expected.tolist()


@given(st.lists(st.integers(0, 9), min_size=1, max_size=12))
def test_runs_put_elements_together(indices: list[int]) -> None:
    found = np.full(len(indices), -1)
    for first, source, n in runs(np.array(indices)):
        found[first : first + n] = np.arange(source, source + n)
    assert found.tolist() == indices


@given(st.integers(0, 5), st.integers(-3, 3), st.integers(2, 6))
def test_affine_maps_are_recognised(first: int, step: int, n: int) -> None:
    line = first + step * np.arange(n)
    assert affine(line) == (first, step)
    assert affine(np.concatenate([line, [line[-1] + step + 1]])) is None


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_numbers_are_written_to_the_last_digit(value: float) -> None:
    text = number(np.float32(value), "float").strip("()").removesuffix("f")
    assert np.float32(text) == np.float32(value)
    assert any(c in text for c in ".en")
