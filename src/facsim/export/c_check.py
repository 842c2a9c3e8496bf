"""Compile exported C, call it, and compare it with the graph it was written from, on the same noise."""

from __future__ import annotations

import ctypes
import platform
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.export.c_source import CFacts
from facsim.export.check import open_session

COMPILERS = ("cc", "gcc", "clang")
FLAGS = ("-std=c99", "-O3", "-fPIC", "-shared")
AGREES = 1e-5
"""Largest difference, relative to the larger of the number and the column's usual size."""
JUMPS = 5e-3
"""Share of numbers that may differ by more: beside an atom a quantile function enlarges what is rounded on the way,
which no change of the inputs shows; 0 to 0.3 % of numbers were seen to, by model and seed."""
NUDGE = 1e-6
"""Part by which noise and conditions are changed to see how steep the graph is: ten units in the last place of float32,
since one may be lost in the first sum."""
POINTER = ctypes.POINTER(ctypes.c_float)


def find_compiler() -> str:
    """Path of the system's C compiler.

    Raises:
        FacsimError: there is none.
    """
    for name in COMPILERS:
        found = shutil.which(name)
        if found:
            return found
    raise FacsimError(
        f"exported C is checked by compiling it, and none of the compilers {', '.join(COMPILERS)} is on PATH: install "
        "one, or leave the C export out with --set export.c=false."
    )


def compile_c(source: Path, library: Path, flags: tuple[str, ...] = ()) -> str:
    """Compile `source` to the shared library `library`; returns the first line of the compiler's version.

    Raises:
        FacsimError: there is no compiler, or it refuses the source.
    """
    compiler = find_compiler()
    command = [compiler, *FLAGS, *flags, str(source), "-o", str(library), "-lm"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        why = " ".join(done.stderr.split())[:300]
        raise FacsimError(f"the C compiler '{compiler}' refuses the exported '{source}' ({why}); please report this.")
    version = subprocess.run([compiler, "--version"], capture_output=True, text=True, check=False).stdout
    return version.splitlines()[0] if version else compiler


@dataclass
class CModel:
    """A compiled model with the arrays of NumPy: what `NAME_sample`, `_noise` and `_generate` do, event by event."""

    library: ctypes.CDLL
    facts: CFacts

    @classmethod
    def of(cls, library: ctypes.CDLL, facts: CFacts) -> CModel:
        """The model in a shared library."""
        many, long = [POINTER] * len(facts.noise), ctypes.c_uint64
        getattr(library, f"{facts.name}_sample").argtypes = [POINTER, *many, POINTER]
        getattr(library, f"{facts.name}_generate").argtypes = [POINTER, long, long, POINTER]
        getattr(library, f"{facts.name}_noise").argtypes = [long, long, *many]
        getattr(library, f"{facts.name}_noise").restype = None
        getattr(library, f"{facts.name}_in_range").argtypes = [POINTER]
        return cls(library, facts)

    def _function(self, name: str) -> Any:
        return getattr(self.library, f"{self.facts.name}_{name}")

    def sample(
        self, cond: NDArray[Any], noise: Mapping[str, NDArray[np.float32]]
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Events (N, *shape) at the conditions (N, K) for given noise, and the state of each."""
        cond = np.ascontiguousarray(cond, np.float32)
        arrays = [np.ascontiguousarray(noise[name]) for name in self.facts.noise]
        out = np.zeros((len(cond), *self.facts.shape), np.float32)
        call = self._function("sample")
        states = [call(_at(cond, k), *(_at(array, k) for array in arrays), _at(out, k)) for k in range(len(cond))]
        return out, np.array(states)

    def noise(self, seed: int, events: NDArray[np.integer[Any]]) -> dict[str, NDArray[np.float32]]:
        """The noise of the `events` (N,) of a seed."""
        sizes = self.facts.noise_sizes
        arrays = {name: np.zeros((len(events), n), np.float32) for name, n in sizes.items()}
        for k, event in enumerate(events):
            self._function("noise")(seed, int(event), *(_at(array, k) for array in arrays.values()))
        return {name: array.reshape(len(events), *self.facts.noise[name].shape[1:]) for name, array in arrays.items()}

    def generate(self, cond: NDArray[Any], seed: int, first: int = 0) -> NDArray[np.float32]:
        """Events (N, *shape) number `first`, `first` + 1 ... of a seed at the conditions (N, K)."""
        cond = np.ascontiguousarray(cond, np.float32)
        out = np.zeros((len(cond), *self.facts.shape), np.float32)
        call = self._function("generate")
        for k in range(len(cond)):
            call(_at(cond, k), seed, first + k, _at(out, k))
        return out


def _at(array: NDArray[np.float32], event: int) -> Any:
    return array[event : event + 1].ctypes.data_as(POINTER)


DRIVER = """
#include "{name}.h"
double time_{name}(const float *condition, int n, uint64_t first, float *out);
double time_{name}(const float *condition, int n, uint64_t first, float *out)
{{
    double sum = 0;
    int k;
    for (k = 0; k < n; ++k) {{
        {name}_generate(condition + {conditions} * k, 1, first + (uint64_t)k, out);
        sum += out[0];
    }}
    return sum;
}}
"""


def compile_timed(source: Path, facts: CFacts, folder: Path, flags: tuple[str, ...] = ()) -> tuple[ctypes.CDLL, str]:
    """A library in `folder` of the model and of a loop that times it, and the compiler's version."""
    driver, library = folder / "driver.c", folder / "driver.so"
    driver.write_text(DRIVER.format(name=facts.name, conditions=len(facts.ranges)), encoding="utf-8")
    compiler = compile_c(source, library, (*flags, str(driver), f"-I{source.parent.resolve()}"))
    return ctypes.CDLL(str(library)), compiler


def time_c(library: ctypes.CDLL, facts: CFacts, cond: NDArray[Any], seconds: float = 0.3) -> dict[str, float]:
    """Microseconds of one call of `NAME_generate` from C, random numbers included: median and least of many hundreds.

    Args:
        library: of `compile_timed`. cond: conditions (N, K), of which 100 are gone through.
        seconds: how long is measured.
    """
    cond = np.ascontiguousarray(cond[:100], np.float32)
    out = np.zeros((1, *facts.shape), np.float32)
    call = getattr(library, f"time_{facts.name}")
    call.argtypes, call.restype = [POINTER, ctypes.c_int, ctypes.c_uint64, POINTER], ctypes.c_double
    times: list[float] = []
    end = time.perf_counter() + seconds
    while len(times) < 5 or time.perf_counter() < end:
        start = time.perf_counter()
        call(_at(cond, 0), len(cond), len(times) * len(cond), _at(out, 0))
        times.append(1e6 * (time.perf_counter() - start) / len(cond))
    return {"us_per_call": float(np.median(times)), "us_per_call_least": min(times)}


def check_c(
    source: Path, graph: Path, facts: CFacts, cond: NDArray[Any], seed: int, events: int = 2000
) -> dict[str, Any]:
    """Compile `source` and compare it with the ONNX file `graph` at the conditions (N, K): what the check file holds.

    The two must agree to 1e-5 of each number or its column's usual size, except in one number of two hundred, and where
    the graph itself moves as far when noise or conditions change by a millionth: rounding then decides between values
    that occur exactly, or a steep quantile function enlarges it.

    Raises:
        FacsimError: there is no compiler, or the two disagree.
    """
    conditions = np.resize(cond, (events, cond.shape[1])).astype(np.float32)
    with TemporaryDirectory() as folder:
        library, compiler = compile_timed(source, facts, Path(folder))
        model = CModel.of(library, facts)
        noise = model.noise(seed, np.arange(events))
        found, _ = model.sample(conditions, noise)
        drawn = model.generate(conditions[:10], seed)
        times = time_c(library, facts, conditions)
    session = open_session(graph)
    expected = session.run(None, {"condition": conditions, **noise})[0]
    nudged = [session.run(None, inputs)[0] for inputs in _nudges(conditions, noise)]
    result = {
        "compiler": compiler,
        "flags": " ".join(FLAGS),
        "machine": platform.machine(),
        "events": events,
        **difference(found, expected, nudged),
        "generate_equals_sample": bool(np.array_equal(drawn, found[:10])),
        **times,
    }
    agrees = result["share_beyond"] <= JUMPS and result["finite"] and result["generate_equals_sample"]
    if not agrees:
        raise FacsimError(
            f"the exported C '{source}' disagrees with the graph '{graph}': {100 * result['share_beyond']:.2g} % of "
            f"numbers differ by more than {AGREES:g}, the largest by {result['max_relative_difference']:.2g}; please "
            "report this with the versions shown by 'facsim info'."
        )
    return {"passed": True, **result}


def _nudges(
    conditions: NDArray[np.float32], noise: Mapping[str, NDArray[np.float32]]
) -> Iterator[dict[str, NDArray[np.float32]]]:
    """Inputs whose noise, and whose conditions, are changed in the last digits of float32, down and up."""
    for factor in (np.float32(1 - NUDGE), np.float32(1 + NUDGE)):
        yield {"condition": conditions, **{key: z * factor for key, z in noise.items()}}
        yield {"condition": conditions * factor, **noise}


def difference(
    found: NDArray[Any], expected: NDArray[Any], nudged: Sequence[NDArray[Any]] = (), agrees: float = AGREES
) -> dict[str, Any]:
    """How events (N, ...) differ, relative to the larger of each number and the usual size of its column.

    `share_within` is the share of numbers that differ by less than `agrees`, `share_beyond` of those that differ by
    more, and by more than `expected` differs from any of `nudged`; `median_` and `max_relative_difference`
    are of all.
    """
    a, b, *others = (np.asarray(x, np.float64).reshape(len(x), -1) for x in (found, expected, *nudged))
    scale = np.maximum(np.abs(b), np.sqrt(np.mean(b**2, 0)) + 1e-30)
    relative = np.abs(a - b) / scale
    own = np.max([np.abs(other - b) / scale for other in others], 0) if others else np.zeros_like(relative)
    return {
        "share_within": float(np.mean(relative <= agrees)),
        "share_beyond": float(np.mean(relative > np.maximum(agrees, own))),
        "median_relative_difference": float(np.median(relative)),
        "max_relative_difference": float(relative.max()),
        "finite": bool(np.isfinite(a).all()),
    }
