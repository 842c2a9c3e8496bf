"""Times per shower, measured by facsim itself: every sampler and thread count in a fresh process.

A fresh process makes the peak memory that of the sampler alone and lets the number of threads be set before a numerics
library starts. What is timed is a whole call: conditions in, noise drawn, showers in MeV out. Loading and warm-up are
left out.
"""

from __future__ import annotations

import json
import os
import pickle
import platform
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError, MissingExtraError
from facsim.evaluate.timing_worker import make_sample, measure
from facsim.simulate.baseline import Baseline

FORMAT = "facsim-timing-1"
BATCHES = (1, 10, 100, 1000)
WORKER = "facsim.evaluate.timing_worker"
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


@dataclass(frozen=True)
class TimedSampler:
    """What to time.

    Args:
        name: as in the scorecards.
        engine: `onnxruntime` and `torch` need `path`, `numpy` needs `baseline`.
        path: the ONNX graph, or the folder of a trained model.
        baseline: a fitted baseline; it is pickled to the process that times it.
        device: of `torch`, `cpu` or `cuda`; a GPU is driven by one thread.
        steps: solver steps; with `torch` they override those of the model.
        parameters: trained parameters, for the table.
        noise: distribution of the graph's noise inputs by name, `normal` where not said.
        plugins: plug-in files that define the model or the baseline.
        here: time in this process, for a class that only this process knows; peak memory is then the process's.
    """

    name: str
    engine: Literal["onnxruntime", "torch", "numpy"]
    path: Path | None = None
    baseline: Baseline | None = None
    device: str = "cpu"
    steps: int | None = None
    parameters: int | None = None
    noise: Mapping[str, str] = field(default_factory=dict)
    plugins: tuple[str, ...] = ()
    here: bool = False

    def __post_init__(self) -> None:
        if self.engine == "numpy" and self.baseline is None:
            raise FacsimError(f"to time '{self.name}' with NumPy a fitted baseline is needed.")
        if self.engine != "numpy" and (self.path is None or not self.path.exists()):
            raise FacsimError(
                f"to time '{self.name}' with {self.engine} its model is needed; there is no '{self.path}'."
            )


@dataclass(frozen=True)
class TimingPlan:
    """How to time.

    Args:
        batches: showers per call.
        threads: numbers of threads; () for one and all. Baselines always run on one.
        repeats: calls per batch size, at least.
        seconds: calls go on for so long per batch size, warm-up apart.
        seed: of conditions and noise.
    """

    batches: tuple[int, ...] = BATCHES
    threads: tuple[int, ...] = ()
    repeats: int = 3
    seconds: float = 2.0
    seed: int = 1

    def __post_init__(self) -> None:
        if not self.batches or min(self.batches) < 1 or self.repeats < 1 or min(self.threads, default=1) < 1:
            raise FacsimError("batch sizes, repeats and threads of a timing must be at least 1.")


def time_samplers(
    samplers: Sequence[TimedSampler],
    cond: NDArray[Any],
    *,
    plan: TimingPlan | None = None,
    geant4_ms: float | None = None,
    geant4_events: int = 0,
    truth: str = "Geant4",
    progress: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Time `samplers` one after another: the content of `scores/timing.json`.

    Args:
        samplers: what to time.
        cond: conditions (N, K) of the truth events; each call draws its own from them, so energies are alike.
        plan: how to time.
        geant4_ms: mean CPU time of the truth simulation per event on the same conditions, ms, and `geant4_events`, how
            many; it is called `truth`.
        progress: told what is timed next.

    Raises:
        MissingExtraError: an engine is not installed.
        FacsimError: a sampler fails, or gives another number of showers than asked for.
    """
    plan = plan or TimingPlan()
    rows: list[dict[str, Any]] = []
    for sampler in samplers:
        for threads in thread_counts(plan, sampler.engine, sampler.device):
            if progress is not None:
                progress(f"{sampler.name}, {sampler.engine}, {threads} thread{'s' if threads > 1 else ''}")
            rows += time_sampler(sampler, cond, threads=threads, plan=plan)
    geant4 = None if geant4_ms is None else {"ms_per_shower": float(geant4_ms), "n": int(geant4_events)}
    return {
        "format": FORMAT,
        "hardware": hardware(),
        "rows": rows,
        "geant4": geant4,
        "notes": _notes(plan, geant4, truth),
    }


def time_sampler(
    sampler: TimedSampler, cond: NDArray[Any], *, threads: int = 1, plan: TimingPlan | None = None
) -> list[dict[str, Any]]:
    """Rows of one sampler at one number of threads, one for each batch size, measured in a fresh process.

    Raises:
        MissingExtraError: the engine is not installed.
        FacsimError: the sampler fails, or gives another number of showers than asked for.
    """
    plan, cond = plan or TimingPlan(), np.asarray(cond, np.float64)
    if cond.ndim != 2 or len(cond) == 0:
        raise FacsimError(f"timing needs conditions of shape (N, K), N > 0, not {cond.shape}.")
    if sampler.here:
        measured = _in_this_process(sampler, cond, threads, plan)
    else:
        measured = _in_fresh_process((sampler, cond, threads, plan), threads)
    head = {"name": sampler.name, "engine": sampler.engine, "device": sampler.device, "steps": sampler.steps}
    return [{**head, **row, "threads": threads, "parameters": sampler.parameters} for row in measured]


def thread_counts(plan: TimingPlan, engine: str, device: str = "cpu") -> tuple[int, ...]:
    """Numbers of threads that `plan` means on this machine; one where threads are not what computes."""
    if engine == "numpy" or device != "cpu":
        return (1,)
    return plan.threads or tuple(sorted({1, available_threads()}))


def available_threads() -> int:
    """Threads that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def hardware() -> dict[str, Any]:
    """Processor, threads and, where there is one, GPU of this machine."""
    gpu = gpu_name()
    return {"cpu": _cpu_name(), "threads_available": available_threads(), **({} if gpu is None else {"gpu": gpu})}


def gpu_name() -> str | None:
    """Name of the CUDA device that torch would use; None without one."""
    import torch  # noqa: PLC0415 - heavy, and not needed by the process that times others

    return torch.cuda.get_device_name() if torch.cuda.is_available() else None


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names and names[0] else platform.processor() or platform.machine()


def _in_this_process(sampler: TimedSampler, cond: NDArray[Any], threads: int, plan: TimingPlan) -> list[dict[str, Any]]:
    import torch  # noqa: PLC0415

    before = torch.get_num_threads()
    try:
        return measure(make_sample(sampler, threads), cond, plan)
    finally:
        torch.set_num_threads(before)


def _in_fresh_process(job: Any, threads: int) -> list[dict[str, Any]]:
    # The command line, not multiprocessing: its spawn would run a user's unguarded script a second time.
    environment = {
        **os.environ,
        **dict.fromkeys(THREAD_VARIABLES, str(threads)),
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    }
    name = job[0].name
    done = subprocess.run(
        [sys.executable, "-m", WORKER],
        input=pickle.dumps(job[0].plugins) + pickle.dumps(job),
        capture_output=True,
        env=environment,
        check=False,
    )
    lines = done.stdout.decode(errors="replace").splitlines()
    try:
        answer = json.loads(lines[-1])
    except (IndexError, json.JSONDecodeError):
        last = (done.stderr.decode(errors="replace").strip().splitlines() or ["no message"])[-1]
        raise FacsimError(f"the process that timed '{name}' ended with status {done.returncode}: {last}") from None
    if "missing" in answer:
        raise MissingExtraError("onnx", "onnxruntime")
    if "error" in answer:
        raise FacsimError(f"'{name}' could not be timed: {answer['error']}")
    rows: list[dict[str, Any]] = answer["rows"]
    return rows


def _notes(plan: TimingPlan, geant4: Mapping[str, Any] | None, truth: str) -> list[str]:
    notes = [
        f"medians of at least {plan.repeats} calls after a warm-up, each with new conditions drawn from the truth "
        "sample and new noise; the range holds 68 % of the calls",
        "baselines run on one thread",
    ]
    if geant4 is not None:
        notes.append(
            f"the time of {truth} is its mean CPU time per event on one thread, at conditions of the truth sample"
        )
    return notes
