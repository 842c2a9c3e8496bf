"""timing: seconds per shower of surrogate, baselines and Geant4, and the curve of quality against time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import MissingExtraError
from facsim.core.plugins import is_given
from facsim.core.rng import integer_seed
from facsim.core.sources import read_labels
from facsim.core.store import read_json, write_json
from facsim.evaluate.timing import TimedSampler, TimingPlan, gpu_name, time_sampler, time_samplers
from facsim.export.guard import check_graph
from facsim.export.onnx import export_onnx
from facsim.models.base import GenerativeModel
from facsim.models.checkpoint import count_parameters, load_model
from facsim.models.trained import read_card
from facsim.pipeline.sample import fit_baseline
from facsim.pipeline.truth import open_splits
from facsim.run import SURROGATE, Advance, Run

STEPS_FORMAT = "facsim-steps-1"
CURVE_BATCHES = (1, 100)


def timing(run: Run) -> None:
    """Write `scores/timing.json` and `scores/steps.json`; Geant4 is timed on the same events where it can run."""
    splits, settings = open_splits(run), run.config.timing
    cond = read_labels(splits["null"]).cond
    plan = TimingPlan(tuple(settings.batches), repeats=settings.repeats, seconds=settings.seconds, seed=run.config.seed)
    samplers = _surrogates(run)
    for baseline in run.config.baselines:
        fitted = fit_baseline(run, baseline.name, splits["train"])
        samplers.append(TimedSampler(baseline.name, "numpy", baseline=fitted, plugins=tuple(run.config.plugins)))
    with run.reporter.progress("timing") as advance:
        advance(0.0, "truth")
        events = _spread(cond, settings.geant4_events)
        geant4 = _truth_ms(run, events)
        found = time_samplers(
            samplers,
            cond,
            plan=plan,
            geant4_ms=geant4,
            geant4_events=0 if geant4 is None else len(events),
            truth=_truth_name(run),
            progress=lambda note: advance(0.4, note),
        )
        write_json(run.timing, found)
        write_json(run.curve, {"format": STEPS_FORMAT, "rows": list(_curve(run, cond, plan, advance))})
        advance(1.0, "")
    _summarise(run, found)


def _surrogates(run: Run) -> list[TimedSampler]:
    """The exported graph, where there is one, and torch, on a GPU too where there is one."""
    if run.config.model is None:
        return []
    model = load_model(run.model())
    facts: dict[str, Any] = {"steps": getattr(model.options, "steps", None), "parameters": count_parameters(model)}
    found = [_torch(run, **facts)]
    if run.config.export is not None:
        with suppress(MissingExtraError):  # which the timing tells of
            check_graph(run.onnx, read_card(run.card))
        found.insert(0, TimedSampler(SURROGATE, "onnxruntime", run.onnx, noise=_noise(model), **facts))
    if gpu_name() is not None:
        found.append(_torch(run, device="cuda", **facts))
    return found


def _torch(run: Run, **facts: Any) -> TimedSampler:
    here = is_given("models", run.config.surrogate.name)
    return TimedSampler(SURROGATE, "torch", run.model(), plugins=tuple(run.config.plugins), here=here, **facts)


def _noise(model: GenerativeModel) -> dict[str, str]:
    return {name: spec.distribution for name, spec in model.noise_spec(1).items()}


def _curve(run: Run, cond: NDArray[Any], plan: TimingPlan, advance: Advance) -> Iterator[dict[str, Any]]:
    """Quality and time at each number of sampler steps, on one thread, by the engine that users have."""
    batches = tuple(batch for batch in CURVE_BATCHES if batch in plan.batches)
    short = TimingPlan(batches or plan.batches[:1], (1,), plan.repeats, plan.seconds, plan.seed)
    for done, steps in enumerate(run.steps):
        advance(0.7 + 0.3 * done / len(run.steps), f"{steps} steps")
        with _engine(run, steps) as sampler:
            for row in time_sampler(sampler, cond, plan=short):
                yield {**read_json(run.step_scores(steps)), **row}


@contextmanager
def _engine(run: Run, steps: int) -> Iterator[TimedSampler]:
    """The surrogate with `steps` sampler steps, as a graph where the run exports one."""
    model = load_model(run.model(), steps=steps)
    if run.config.export is None:
        yield _torch(run, steps=steps)
        return
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        export_onnx(model, path, run.config.export.opset)
        yield TimedSampler(SURROGATE, "onnxruntime", path, steps=steps, noise=_noise(model))


def _spread(cond: NDArray[Any], n: int) -> NDArray[Any]:
    """`n` conditions whose incident energies, the first column, are spread like those of all."""
    order = np.argsort(cond[:, 0])
    chosen: NDArray[Any] = cond[order[np.linspace(0, len(cond) - 1, min(n, len(cond))).round().astype(int)]]
    return chosen


def _truth_ms(run: Run, cond: NDArray[Any]) -> float | None:
    """Mean processor time of the truth simulator per event, ms; None where it is not there."""
    settings = run.config.simulate
    found = None if settings is None else settings.time(cond, integer_seed(run.config.seed, "timing"))
    return None if found is None else float(np.mean(found))


def _truth_name(run: Run) -> str:
    return "truth" if run.config.simulate is None else run.config.simulate.simulator


def _summarise(run: Run, found: dict[str, Any]) -> None:
    truth, name = found["geant4"], _truth_name(run)
    for row in found["rows"]:
        if row["name"] == SURROGATE and row["threads"] == 1:
            where = "" if row["device"] == "cpu" else f", {row['device']}"
            gain = f", {truth['ms_per_shower'] / row['ms_per_shower']:.0f} x {name}" if truth else ""
            run.reporter.say(
                f"  {row['engine']}{where}, batch {row['batch']}: {row['ms_per_shower']:.3g} ms each{gain}"
            )
