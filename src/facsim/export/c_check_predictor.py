"""Compile the exported C of a predictor, call it, and compare it with the graph it was written from."""

from __future__ import annotations

import ctypes
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.export.c_check import FLAGS, JUMPS, NUDGE, POINTER, compile_c, difference
from facsim.export.c_predictor import PredictorFacts
from facsim.export.check import open_session
from facsim.export.onnx import SCORES

AGREES = 1e-4
"""Largest difference, relative to the larger of the score and its column's usual size. In single precision sums over
thousands of cells depend on their order in the fifth digit: graphs were seen 5e-5 from double precision, C 4e-6."""
LIBRARY = "predictor.so"
Given = Mapping[str, NDArray[Any]]
DRIVER = """
#include "{name}.h"
double time_{name}(int n, {arguments}float *out);
double time_{name}(int n, {arguments}float *out)
{{
    double sum = 0;
    int k;
    for (k = 0; k < n; ++k) {{
        {name}_predict(1, {passed}out);
        sum += out[0];
    }}
    return sum;
}}
"""


@dataclass
class CPredictor:
    """A compiled predictor with the arrays of NumPy.

    Args:
        library: of `compile_predictor`. facts: of the source.
    """

    library: ctypes.CDLL
    facts: PredictorFacts

    def __post_init__(self) -> None:
        arguments = [ctypes.c_int32, *[POINTER] * (len(self.facts.inputs) + 1)]
        self.call = getattr(self.library, f"{self.facts.name}_predict")
        self.call.argtypes = arguments
        self.loop = getattr(self.library, f"time_{self.facts.name}")
        self.loop.argtypes, self.loop.restype = arguments, ctypes.c_double

    def predict(self, given: Given) -> tuple[NDArray[np.float32], int]:
        """Scores (N, D) of the events `given` by the names of inputs, (N, ...) each, and the state of the call."""
        arrays = self._arrays(given)
        out = np.zeros((len(arrays[0]), len(self.facts.outputs)), np.float32)
        return out, int(self.call(len(out), *map(_pointer, arrays), _pointer(out)))

    def prepared(self, given: Given) -> Callable[[], int]:
        """A call of the predictor with the events `given`, from and to arrays that are kept."""
        arrays = self._arrays(given)
        out = np.zeros((len(arrays[0]), len(self.facts.outputs)), np.float32)
        kept = [*arrays, out]
        pointers = [_pointer(array) for array in kept]
        return lambda: int(self.call(len(kept[-1]), *pointers))

    def time(self, given: Given, seconds: float = 0.3) -> dict[str, float]:
        """Microseconds of a call with one event, from C: median and least of passes over up to 100 events."""
        arrays = [array[:100] for array in self._arrays(given)]
        out = np.zeros((1, len(self.facts.outputs)), np.float32)
        times: list[float] = []
        end = time.perf_counter() + seconds
        while len(times) < 5 or time.perf_counter() < end:
            start = time.perf_counter()
            self.loop(len(arrays[0]), *map(_pointer, arrays), _pointer(out))
            times.append(1e6 * (time.perf_counter() - start) / len(arrays[0]))
        return {"us_per_call": float(np.median(times)), "us_per_call_least": min(times)}

    def _arrays(self, given: Given) -> list[NDArray[np.float32]]:
        return [np.ascontiguousarray(given[name], np.float32) for name in self.facts.inputs]


def _pointer(array: NDArray[np.float32]) -> Any:
    return array.ctypes.data_as(POINTER)


def compile_predictor(
    source: Path, facts: PredictorFacts, folder: Path, flags: tuple[str, ...] = ()
) -> tuple[CPredictor, str]:
    """The predictor `source` compiled into `folder` with a loop that times it, and the compiler's version.

    Raises:
        FacsimError: there is no compiler, or it refuses the source.
    """
    driver, library = folder / "driver.c", folder / LIBRARY
    arguments = "".join(f"const float *{name}, " for name in facts.inputs)
    passed = "".join(f"{name} + {size} * k, " for name, size in facts.sizes.items())
    driver.write_text(DRIVER.format(name=facts.name, arguments=arguments, passed=passed), encoding="utf-8")
    compiler = compile_c(source, library, (*flags, str(driver), f"-I{source.parent.resolve()}"))
    return CPredictor(ctypes.CDLL(str(library)), facts), compiler


def check_c_predictor(source: Path, graph: Path, facts: PredictorFacts, given: Given) -> dict[str, Any]:
    """Compile `source` and compare it with the ONNX file `graph` on the events `given`: what the check file holds.

    The two must agree to 1e-4 of each score or its column's usual size, except in one of two hundred, and where the
    graph moves as far when all inputs change by a millionth: rounding decides between steps of a score.

    Raises:
        FacsimError: there is no compiler, or the two disagree.
    """
    with TemporaryDirectory() as folder:
        model, compiler = compile_predictor(source, facts, Path(folder))
        found, state = model.predict(given)
        times = model.time(given)
    session = open_session(graph)
    arrays = {name: np.asarray(given[name], np.float32) for name in facts.inputs}
    expected = session.run([SCORES], arrays)[0]
    factors = (np.float32(1 - NUDGE), np.float32(1 + NUDGE))
    nudged = [session.run([SCORES], {name: a * factor for name, a in arrays.items()})[0] for factor in factors]
    result = {
        "compiler": compiler,
        "flags": " ".join(FLAGS),
        "machine": platform.machine(),
        "events": len(expected),
        **difference(found, expected, nudged, AGREES),
        **times,
    }
    if state or result["share_beyond"] > JUMPS or not result["finite"]:
        raise FacsimError(
            f"the exported C '{source}' disagrees with the graph '{graph}': {100 * result['share_beyond']:.2g} % of "
            f"scores differ by more than {AGREES:g}, the largest by {result['max_relative_difference']:.2g}; please "
            "report this with the versions shown by 'facsim info'."
        )
    return {"passed": True, **result}
