"""The process that times one sampler: plug-ins and a job, pickled, on standard input, one line of JSON as answer."""

from __future__ import annotations

import json
import pickle
import resource
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError, MissingExtraError
from facsim.core.plugins import load_plugin
from facsim.core.rng import generator

if TYPE_CHECKING:
    from facsim.evaluate.timing import TimedSampler, TimingPlan
    from facsim.simulate.baseline import Baseline

MOST_REPEATS = 500
WARM_UP = 100
"""Showers of the call before the timed ones, at most: larger batches take so long that the first call hardly counts."""
Sample = Callable[[NDArray[np.float64], np.random.Generator], NDArray[Any]]


def main() -> None:
    """Read the job, time it, answer."""
    try:
        for path in pickle.load(sys.stdin.buffer):
            load_plugin(path)
        sampler, cond, threads, plan = pickle.load(sys.stdin.buffer)
        answer: dict[str, Any] = {"rows": measure(make_sample(sampler, threads), cond, plan)}
    except MissingExtraError as error:
        answer = {"missing": error.args[0]}
    except Exception as error:
        answer = {"error": str(error).splitlines()[0] if str(error) else type(error).__name__}
    sys.stdout.write("\n" + json.dumps(answer) + "\n")


def measure(sample: Sample, cond: NDArray[np.float64], plan: TimingPlan) -> list[dict[str, Any]]:
    """Time `sample` at every batch size of `plan`: ms per shower, median and 68 % range over the calls.

    Raises:
        FacsimError: a call gives another number of showers than asked for.
    """
    rng = generator(plan.seed, "timing")
    return [_row(sample, cond, batch, plan, rng) for batch in plan.batches]


def _row(
    sample: Sample, cond: NDArray[np.float64], batch: int, plan: TimingPlan, rng: np.random.Generator
) -> dict[str, Any]:
    _reset_peak()
    _timed(sample, cond, min(batch, WARM_UP), rng)
    times: list[float] = []
    while len(times) < plan.repeats or (sum(times) < plan.seconds and len(times) < MOST_REPEATS):
        times.append(_timed(sample, cond, batch, rng))
    low, median, high = np.quantile(times, (0.16, 0.5, 0.84)) * 1e3 / batch
    return {
        "batch": batch,
        "ms_per_shower": float(median),
        "low": float(low),
        "high": float(high),
        "repeats": len(times),
        "peak_rss_MB": round(peak_rss_mb(), 1),
    }


def _timed(sample: Sample, cond: NDArray[np.float64], batch: int, rng: np.random.Generator) -> float:
    """Seconds of one call with conditions drawn from `cond`."""
    asked = cond[rng.integers(0, len(cond), batch)]
    started = time.perf_counter()
    showers = sample(asked, rng)
    seconds = time.perf_counter() - started
    if len(showers) != batch:
        raise FacsimError(f"it gave {len(showers)} showers for {batch} conditions.")
    return seconds


def make_sample(sampler: TimedSampler, threads: int) -> Sample:
    """The function to time: conditions (N, K) and a generator in, showers (N, V, 1) out.

    Raises:
        MissingExtraError: ONNX Runtime is not installed.
        FacsimError: the model cannot be loaded.
    """
    if sampler.engine == "onnxruntime" and sampler.path is not None:
        return _onnx(sampler.path, sampler.noise, threads)
    if sampler.engine == "torch" and sampler.path is not None:
        return _torch(sampler.path, sampler.steps, sampler.device, threads)
    if sampler.baseline is not None:
        return _baseline(sampler.baseline)
    raise FacsimError(f"there is nothing to time for '{sampler.name}'.")


def _onnx(path: Path, noise: Mapping[str, str], threads: int) -> Sample:
    try:
        import onnxruntime  # noqa: PLC0415 - an optional package
    except ImportError:
        raise MissingExtraError("onnx", "onnxruntime") from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    shapes = {node.name: tuple(node.shape[1:]) for node in session.get_inputs()}
    condition, *names = shapes

    def sample(cond: NDArray[np.float64], rng: np.random.Generator) -> NDArray[Any]:
        feed: dict[str, NDArray[np.float32]] = {condition: cond.astype(np.float32)}
        for name in names:
            draw = rng.random if noise.get(name) == "uniform" else rng.standard_normal
            feed[name] = draw((len(cond), *shapes[name]), dtype=np.float32)
        showers: NDArray[Any] = session.run(None, feed)[0]
        return showers

    return sample


def _torch(folder: Path, steps: int | None, device: str, threads: int) -> Sample:
    import torch  # noqa: PLC0415 - only where torch is timed, so that it does not count in the memory of the others

    from facsim.models.checkpoint import load_model  # noqa: PLC0415
    from facsim.models.sampling import TorchSampler  # noqa: PLC0415

    torch.set_num_threads(threads)
    return TorchSampler(load_model(folder, **({} if steps is None else {"steps": steps})), device).sample


def _baseline(baseline: Baseline) -> Sample:
    def sample(cond: NDArray[np.float64], rng: np.random.Generator) -> NDArray[Any]:
        return baseline.sample(cond, rng).x

    return sample


def _reset_peak() -> None:
    """Let the kernel forget the peak memory so far, where it can: Linux."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def peak_rss_mb() -> float:
    """Peak resident memory of this process since `_reset_peak`, MB (10^6 bytes).

    `ru_maxrss` is the second choice: on Linux it starts from the memory of the process that started this one.
    """
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


if __name__ == "__main__":
    main()
