"""Quality against time of every kind of sampler, on one truth, with one budget of training.

OMP_NUM_THREADS=1 python benchmarks/tradeoff.py SOURCE --out DIR [--seconds 120 | --steps 2000] [--sizes 1000 10000]

SOURCE is a run directory, whose truth and splits are taken, or a configuration or recipe (tpc, rich, ecal, ...), whose
truth is simulated into DIR/truth. Rows are the truth simulator itself, the configuration's baselines and `nearest`, the
configuration's own model, and methods of `single-stage` (`ROWS`), one of them at several sampler steps. `--int8` adds
graphs with weights of 8 bits. `--pruned` adds copies without their smallest weights (`sparse`: SPARSE of them are zero)
and without whole neurons (`narrow`, for networks `mlp`: NARROW of them), each tuned for TUNED of the budget more; the
narrow one also with 8 bits. All trainings get the same budget: processor time on one thread (`--seconds`, turned into
steps by a short measurement) or optimiser steps of all phases together (`--steps`). The judge is that of a run's
scorecard: AUC on high-level quantities, over all conditions and in the worst bin, and on cells. Times are of one
thread, after a warm-up. With `--sizes`, rows (those of `--sized`) are trained anew on random parts of the training
events. Each row is kept in DIR/rows and not measured again with the same settings, but for times with `--retime`;
DIR/tradeoff.json, .md and .png hold them all.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import io
import logging
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from tradeoff_bench import ROWS, Bench, Row, prepared
from tradeoff_prune import pruned
from tradeoff_tables import AUCS, picture, sizes_table, table

from facsim.core.errors import FacsimError, MissingExtraError
from facsim.core.events import EventSource, concatenate, make_events
from facsim.core.rng import generator, integer_seed
from facsim.core.sources import MemorySource, SubsetSource, read_labels
from facsim.core.store import atomic_path, read_json, write_json
from facsim.evaluate.timing import TimedSampler, TimingPlan, hardware, time_sampler
from facsim.evaluate.timing_worker import make_sample
from facsim.export.onnx import export_onnx
from facsim.models.checkpoint import build_model, count_parameters, load_model
from facsim.models.methods import METHODS
from facsim.models.sampling import TorchSampler, generated_events
from facsim.pipeline.evaluate import judge_of
from facsim.pipeline.truth import open_splits
from facsim.simulate.baselines import find_baseline
from facsim.train.loop import Trainer
from facsim.train.settings import TrainSettings

Json = dict[str, Any]
PROBE = 20
AT_ONCE = 1000


OWN = "recipe"


def judged(bench: Bench, name: str, events: Iterator[Any], kind: str, resamples: bool = False) -> Json:
    """AUCs of generated events."""
    source = MemorySource(concatenate(list(events)))
    card, _ = bench.judge.judge(name, source, kind=kind, resamples_truth=resamples)
    rows = {(row["name"], row["region"]): row for row in card.to_dict()["scores"]}
    found: Json = {}
    for key, wanted in AUCS.items():
        row = rows.get(wanted)
        found[key] = None if row is None else {n: row[n] for n in ("value", "error", "null", "null_error", "status")}
    return found


def timed(bench: Bench, samplers: Sequence[TimedSampler]) -> list[Json]:
    """Times of one thread at each batch size, for each engine that can."""
    rows = []
    for sampler in samplers:
        try:
            rows += time_sampler(sampler, bench.cond, threads=1, plan=bench.plan)
        except MissingExtraError as error:
            bench.run.reporter.say(f"  {error}", "dim")
    return [{key: row[key] for key in ("engine", "batch", "ms_per_shower", "low", "high")} for row in rows]


def truth_row(bench: Bench) -> Json | None:
    """The truth simulator: its time at each batch size, and the AUC of truth against truth."""
    simulation = bench.run.config.simulate
    if simulation is None:
        return None
    settings = {"truth": True}
    if (row := bench.kept("truth", settings, lambda _: _truth_times(bench))) is not None:
        return row
    times = _truth_times(bench)
    null = judged(bench, "truth", iter([bench.splits["null"].read(0, len(bench.splits["null"]))]), "file")
    row = {"kind": "truth", "label": simulation.simulator, "scores": null, "times": times, "training_s": 0.0}
    return bench.keep("truth", settings, row)


def _truth_times(bench: Bench) -> list[Json]:
    simulation, times = bench.run.config.simulate, []
    assert simulation is not None
    for batch in bench.plan.batches:
        cond = bench.cond[generator(bench.config.seed, "tradeoff", batch).integers(0, len(bench.cond), batch)]
        found = [simulation.time(cond, seed) for seed in range(max(1, bench.plan.repeats))]
        means = [float(np.mean(one)) for one in found if one is not None]
        if means:
            ms, low, high = np.quantile(means, (0.5, 0.16, 0.84)).tolist()
            times.append({"engine": "numpy", "batch": batch, "ms_per_shower": ms, "low": low, "high": high})
    return times


def baseline_row(bench: Bench, name: str) -> Json | None:
    """A baseline that can describe the events."""
    kind = find_baseline(name)
    options = next((one.options for one in bench.config.baselines if one.name == name), {})
    if (why := kind.unfit(bench.splits["train"].schema, **options)) is not None:
        bench.run.reporter.say(f"  {name} is left out: {why}", "dim")
        return None
    settings = {"baseline": name, "options": options}

    def fit() -> Any:
        return kind.fit(bench.splits["train"], integer_seed(bench.config.seed, "baseline", name), **options)

    def times(fitted: Any) -> list[Json]:
        return timed(bench, [TimedSampler(name, "numpy", baseline=fitted)])

    if (row := bench.kept(name, settings, lambda _: times(fit()))) is not None:
        return row
    begin = time.process_time()
    fitted = fit()
    seconds = time.process_time() - begin
    made = fitted.sample(bench.cond, generator(bench.config.seed, "sample", name))
    labels, schema = read_labels(bench.splits["null"]), bench.splits["null"].schema
    events = make_events(schema, made.x, labels.cond, 0, made.group_id, mask=made.mask, weight=labels.weight)
    scores = judged(bench, name, iter([events]), "baseline", kind.resamples_truth)
    size = fitted.memory_bytes / 1e6
    row = {"kind": "baseline", "label": name, "scores": scores, "times": times(fitted), "training_s": seconds}
    return bench.keep(name, settings, row | {"MB": size})


def trained(bench: Bench, name: str, model: str, options: Json, lr: float | None, source: EventSource) -> Json:
    """Train into DIR/models/NAME unless that is there: folder, steps and seconds of the training."""
    folder = bench.out / "models" / name
    base = bench.config.train.model_dump(mode="json", exclude={"sinks", "checkpoint_seconds", "steps"})
    base |= {"early_stopping": None, "start": None, "device": "cpu", "threads": 1, "lr": lr or base["lr"]}
    facts = {"model": model, "options": options, "train": base, "events": len(source), "budget": bench.budget}
    facts |= bench.identity
    done = folder / "done.json"
    if done.is_file() and read_json(done)["facts"] == facts:
        return dict(read_json(done))
    seed = integer_seed(bench.config.seed, "train")

    phases = build_model(model, source.schema, options).phases

    def trainer(where: Path, steps: int) -> Trainer:
        settings = TrainSettings.model_validate({**base, "steps": dict.fromkeys(phases, max(1, steps // len(phases)))})
        return Trainer(model, options, source, None, where, seed, settings)

    shutil.rmtree(folder, ignore_errors=True)  # what other settings or an interruption left
    steps = bench.budget.get("steps") or _steps(trainer, bench.budget["seconds"])
    begin, cpu = time.perf_counter(), time.process_time()
    trainer(folder, steps).run()
    seconds = {"wall_s": time.perf_counter() - begin, "cpu_s": time.process_time() - cpu}
    found = {"facts": facts, "folder": str(folder), "steps": steps, **seconds}
    write_json(done, found)
    return found


def _steps(trainer: Any, seconds: float) -> int:
    """Optimiser steps, of all phases, that take about `seconds` of processor time; closed-form fits count."""
    spent = []
    for factor in (1, 1, 5):  # the first one warms up
        with tempfile.TemporaryDirectory() as folder:
            one = trainer(Path(folder), factor * PROBE * 4)
            begin = time.process_time()
            one.run()
            spent.append(time.process_time() - begin)
    each = max(spent[2] - spent[1], spent[2] / 4) / (4 * PROBE * 4)  # fits before the first step are not most of it
    return max(PROBE, int((seconds - max(spent[1] - PROBE * 4 * each, 0.0)) / each))


def model_rows(bench: Bench, name: str, row: Row | None, size: int | None = None) -> list[Json]:
    """Rows of one trained model, one for each number of sampler steps."""
    if row is None:
        model, options, lr, steps = bench.config.surrogate.name, bench.config.surrogate.options, None, (None,)
    else:
        own = row.method.get("kind") == "autoregressive"  # which has a network of its own
        network = {} if bench.network is None or own else {"network": bench.network}
        model, options, lr, steps = "single-stage", {"method": {**network, **row.method}}, row.lr, row.steps
        if bench.splits["train"].schema.representation not in METHODS[row.method["name"]].representations:
            return []
    source, label = bench.splits["train"], name
    if size is not None:
        chosen = generator(bench.config.seed, "tradeoff", "size").permutation(len(source))[:size]
        source, label = SubsetSource(source, np.sort(chosen)), f"{name}-{size}"
    try:
        training = trained(bench, label, model, options, lr, source)
    except FacsimError as error:
        bench.run.reporter.say(f"  {label} failed: {error}", "red")
        return []
    rows = [_sampled(bench, label, training, one, size) for one in (steps[-1:] if size else steps)]
    if size:
        return rows
    copies = [(label, training)] if name in bench.int8 else []
    if name in bench.pruned:
        for pruned_label, tuned in pruned(bench, label, training, source):
            rows.append(_sampled(bench, pruned_label, tuned, None, None))
            copies += [(pruned_label, tuned)] if "narrow" in pruned_label and name in bench.int8 else []
    return rows + [_quantised(bench, *one) for one in copies if _graph(bench, one[0]).is_file()]


def _graph(bench: Bench, name: str) -> Path:
    return bench.out / "graphs" / f"{name.replace(', ', '-')}.onnx"


def _sampled(bench: Bench, label: str, training: Json, steps: int | None, size: int | None) -> Json:
    name = label if steps is None else f"{label}, {steps} step{'s' if steps > 1 else ''}"
    settings = {"training": training["facts"], "sampler_steps": steps, "size": size}
    folder, changes = Path(training["folder"]), {} if steps is None else {"steps": steps}

    def times(row: Json) -> list[Json]:
        graph = _graph(bench, name) if "onnx_MB" in row else None
        return _times(bench, load_model(folder, **changes), folder, steps, graph)

    if (kept := bench.kept(name, settings, times)) is not None:
        return kept
    bench.run.reporter.say(f"  {name}")
    model = load_model(folder, **changes)
    parameters = training.get("parameters", count_parameters(model))
    events = _events(bench, TorchSampler(model).sample, name)
    row: Json = {"kind": "model", "label": name, "scores": judged(bench, name, events, "surrogate")}
    row |= {"training_s": training["cpu_s"], "training_steps": training["steps"], "parameters": parameters}
    stored = training.get("MB", (folder / "weights.safetensors").stat().st_size / 1e6)
    row |= {"training_events": training["facts"]["events"], "MB": stored}
    if size is None:
        row |= _timed_model(bench, model, folder, steps, _graph(bench, name))
    return bench.keep(name, settings, row)


def _events(bench: Bench, sample: Any, name: str) -> Iterator[Any]:
    """Events of a model at the conditions of the truth sample B."""
    rng, null = generator(bench.config.seed, "sample", name), bench.splits["null"]
    weight = read_labels(null).weight
    for first in range(0, len(bench.cond), AT_ONCE):
        rows = slice(first, first + AT_ONCE)
        made = generated_events(null.schema, sample(bench.cond[rows], rng), bench.cond[rows], first)
        yield made if weight is None else dataclasses.replace(made, weight=weight[rows])


def _quantised(bench: Bench, label: str, training: Json) -> Json:
    """The graph of a model with weights of 8 bits: ONNX Runtime's dynamic quantisation of its matrix products."""
    name, settings = f"{label}, int8", {"training": training["facts"], "int8": True}
    graph = _graph(bench, name)
    noise = {key: spec.distribution for key, spec in load_model(Path(training["folder"])).noise_spec(1).items()}

    def sampler() -> TimedSampler:
        return TimedSampler("model", "onnxruntime", graph, noise=noise)

    if (kept := bench.kept(name, settings, lambda _: timed(bench, [sampler()]))) is not None:
        return kept
    from onnxruntime.quantization import QuantType, quantize_dynamic  # noqa: PLC0415 - optional

    bench.run.reporter.say(f"  {name}")
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        logging.disable(logging.WARNING)  # it tells of every tensor whose shape it does not know
        quantize_dynamic(_graph(bench, label), graph, weight_type=QuantType.QInt8)
        logging.disable(logging.NOTSET)
    events = _events(bench, make_sample(sampler(), 1), name)
    size = graph.stat().st_size / 1e6
    row: Json = {"kind": "model", "label": name, "scores": judged(bench, name, events, "surrogate")}
    row |= {"training_s": training["cpu_s"], "training_steps": training["steps"], "MB": size, "onnx_MB": size}
    row |= {"training_events": training["facts"]["events"], "times": timed(bench, [sampler()])}
    return bench.keep(name, settings, row)


def _timed_model(bench: Bench, model: Any, folder: Path, steps: int | None, graph: Path) -> Json:
    found: Json = {}
    try:
        export_onnx(model, graph, 20)
        found["onnx_MB"] = graph.stat().st_size / 1e6
    except FacsimError as error:
        bench.run.reporter.say(f"  no graph: {error}", "dim")
    return {**found, "times": _times(bench, model, folder, steps, graph if found else None)}


def _times(bench: Bench, model: Any, folder: Path, steps: int | None, graph: Path | None) -> list[Json]:
    samplers = [TimedSampler("model", "torch", folder, steps=steps)]
    if graph is not None:
        noise = {name: spec.distribution for name, spec in model.noise_spec(1).items()}
        samplers.insert(0, TimedSampler("model", "onnxruntime", graph, noise=noise))
    return timed(bench, samplers)


def measured(
    bench: Bench, names: Sequence[str], sizes: Sequence[int], sized: Sequence[str]
) -> tuple[list[Json], list[Json]]:
    """Rows of all samplers, and of trainings on fewer events."""
    rows = [row for row in [truth_row(bench)] if row]
    baselines = dict.fromkeys([*(one.name for one in bench.config.baselines), "nearest"])
    rows += [row for name in baselines if (row := baseline_row(bench, name))]
    known: dict[str, Row | None] = {OWN: None, **ROWS}
    smaller: list[Json] = []
    for name in names:
        if name == OWN and bench.config.model is None:
            continue
        rows += model_rows(bench, name, known[name])
        at = sizes if name in sized else []
        smaller += [row for size in at for row in model_rows(bench, name, known[name], size)]
        write_results(bench, rows, smaller)
    return rows, smaller


def write_results(bench: Bench, rows: list[Json], smaller: list[Json]) -> None:
    """DIR/tradeoff.json, .md and .png."""
    sizes = {name: len(split) for name, split in bench.splits.items()}
    facts = {"budget": bench.budget, "seed": bench.config.seed, "events": sizes, "hardware": hardware()}
    content = {"format": "facsim-tradeoff-1", **facts, "rows": rows, "sizes": smaller}
    write_json(bench.out / "tradeoff.json", content)
    budget = ", ".join(f"{value:g} {key}" for key, value in bench.budget.items())
    head = f"{sizes['train']} training events, {sizes['null']} judged, {budget} of training each"
    where = f"seed {bench.config.seed}, one thread of {facts['hardware']['cpu']}"
    text = f"{head}, {where}\n\n{table(rows, bench.plan.batches)}\n"
    with atomic_path(bench.out / "tradeoff.md") as temporary:
        temporary.write_text(text + (f"\n{sizes_table(smaller)}\n" if smaller else ""), encoding="utf-8")
    picture(rows, bench.plan.batches).savefig(bench.out / "tradeoff.png", dpi=150)


def main() -> None:
    """Measure, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source")
    parser.add_argument("--out", type=Path, required=True)
    budget = parser.add_mutually_exclusive_group()
    budget.add_argument("--seconds", type=float, help="processor time of each training (default 120)")
    budget.add_argument("--steps", type=int)
    parser.add_argument("--rows", nargs="+", default=[OWN, *ROWS], choices=[OWN, *ROWS])
    parser.add_argument("--sizes", nargs="+", type=int, default=[])
    parser.add_argument("--sized", nargs="+", choices=[OWN, *ROWS], help="rows for --sizes (default: all)")
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 100, 10_000])
    parser.add_argument("--network", help="network of all methods, as YAML: '{name: residual-mlp, width: 128}'")
    parser.add_argument(
        "--int8", nargs="*", default=["flow"], help="rows whose graph is measured with 8-bit weights too"
    )
    parser.add_argument("--pruned", nargs="*", default=["flow"], help="rows that are pruned too")
    parser.add_argument("--retime", action="store_true", help="take the times of rows that are kept anew")
    parser.add_argument("--set", nargs="+", default=[], dest="overrides")
    parser.add_argument("--smoke", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(1)
    try:
        run, config = prepared(given.source, given.out, given.overrides, given.smoke)
        splits = open_splits(run)
        bench = Bench(
            run,
            config,
            splits,
            judge_of(run),
            TimingPlan(tuple(given.batches), (1,), repeats=3, seconds=0.5, seed=config.seed),
            given.out,
            {"steps": given.steps} if given.steps else {"seconds": given.seconds or 120.0},
            None if given.network is None else yaml.safe_load(given.network),
            tuple(given.int8),
            tuple(given.pruned),
            given.retime,
            np.asarray(read_labels(splits["null"]).cond),
        )
        write_results(bench, *measured(bench, given.rows, given.sizes, given.sized or given.rows))
    except FacsimError as error:
        raise SystemExit(f"tradeoff: {error}") from None
    print((given.out / "tradeoff.md").read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
