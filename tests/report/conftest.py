"""A small run directory with the files and formats the report reads."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from facsim.core.events import make_events
from facsim.core.geometry import CylinderGeometry, regular_cylinder
from facsim.core.rng import generator
from facsim.core.schema import calorimeter_schema
from facsim.core.showerfile import write_showers
from facsim.report import write_report

Array = NDArray[Any]
SMALL = regular_cylinder("toy", "electron", 12, 8, 5, 5.0, 0.02)
AUC = {"surrogate": 0.7132, "gflash": 0.9391, "library": 0.5512, "bootstrap": 0.5023}
MEMORY = {"surrogate": (1.02, "ok"), "gflash": (1.31, "ok"), "library": (0.03, "failed"), "bootstrap": (0.0, "failed")}
VOID = {"meta", "br", "img", "link", "input", "hr"}
MISSING = ("value", "error", "null", "null_error", "z")
KINDS = {"surrogate": "surrogate", "gflash": "baseline", "library": "baseline", "bootstrap": "baseline"}


def toy_showers(geometry: CylinderGeometry, e_inc: Array, rng: np.random.Generator, width: float = 1.0) -> Array:
    """Gamma-shaped showers with exponential radial fall-off and Poisson spots: (N, V) MeV."""
    depth = geometry.layer_index[None, :] + 0.5
    peak = 2.0 + 0.6 * np.log(e_inc[:, None] / 1e3) + rng.normal(0, 0.4, (len(e_inc), 1))
    longitudinal = depth**peak * np.exp(-0.7 * depth)
    radial = np.exp(-geometry.r / (6.0 * width)) * geometry.r
    mean = longitudinal * radial
    mean *= 0.03 * e_inc[:, None] / mean.sum(axis=1, keepdims=True)
    cells = rng.poisson(mean * 2.0) * rng.gamma(4.0, 0.125, mean.shape)
    return np.where(cells < geometry.threshold, 0.0, cells).astype(np.float32)


def observables(cells: Array, e_inc: Array, geometry: CylinderGeometry) -> dict[str, tuple[Array, Array, str, Any]]:
    """Values and edges of a few observables: name -> (values, edges, label, layer)."""
    total = cells.sum(axis=1)
    layers = geometry.layer_sum(cells)
    mid = geometry.n_layers // 3
    inside = geometry.layer_index == mid
    width = np.sqrt((cells[:, inside] * geometry.r[inside] ** 2).sum(axis=1) / (layers[:, mid] + 1e-16))
    ratio = total / e_inc
    hit = cells[cells > 0]
    return {
        "e_ratio": (ratio, np.linspace(*np.quantile(ratio, [0.001, 0.999]), 31), r"$E_{tot}/E_{inc}$", None),
        "e_layer": (layers[:, mid], np.geomspace(0.1, layers.max() + 1, 31), f"$E_{{{mid}}}$ [MeV]", mid),
        "width_r": (width, np.linspace(0, 1.2 * width.max() + 1, 31), r"$\sigma_r$ [mm]", mid),
        "sparsity": (1 - (cells > 0).mean(axis=1), np.linspace(0, 1, 41), "sparsity", None),
        "cell": (hit, np.geomspace(1e-2, 1e3, 41), "cell energy [MeV]", None),
    }


def uhi(values: Array, edges: Array) -> dict[str, Any]:
    """UHI JSON of a histogram with under- and overflow."""
    full = np.histogram(values, np.concatenate([[-np.inf], edges, [np.inf]]))[0].astype(float).tolist()
    axis = {"type": "variable", "edges": edges.tolist(), "underflow": True, "overflow": True, "circular": False}
    return {
        "uhi_schema": 1,
        "axes": [axis],
        "storage": {"type": "weighted", "values": full, "variances": full},
    }


def profile(cells: Array, index: Array, centres: Array) -> tuple[list[float], list[float]]:
    """Mean energy per group of cells and its error."""
    sums = np.stack([cells[:, index == k].sum(axis=1) for k in range(len(centres))], axis=1)
    return sums.mean(axis=0).tolist(), (sums.std(axis=0) / np.sqrt(len(cells))).tolist()


def histogram_file(name: str, geometry: CylinderGeometry, samples: dict[str, tuple[Array, Array]]) -> dict[str, Any]:
    """The content of hists/<name>.json for samples `reference`, `null` and `generated`."""
    tables = {role: observables(x, e, geometry) for role, (x, e) in samples.items()}
    items = []
    for key, (_, edges, label, layer) in tables["reference"].items():
        roles = {role: uhi(table[key][0], edges) for role, table in tables.items()}
        logs = {"log_x": key in ("e_layer", "cell"), "log_y": key == "cell"}
        item = {"observable": key, "label": label, "unit": "", "layer": layer, "region": "all", **logs, **roles}
        items += [item, {**item, "region": "E1"}] if key == "e_ratio" else [item]
    profiles = []
    rings = geometry.layers[0].n_r
    kinds = (("longitudinal", geometry.layer_index, geometry.n_layers), ("radial", geometry.ring_index, rings))
    for kind, index, count in kinds:
        entry: dict[str, Any] = {"name": kind, "label": kind, "unit": "MeV", "centres": list(range(count))}
        for role, (x, _) in samples.items():
            entry[role], entry[f"{role}_error"] = profile(x, index, np.arange(count))
        profiles.append(entry)
    layers = {role: geometry.layer_sum(x) for role, (x, _) in samples.items()}
    return {
        "format": "facsim-hists-1",
        "name": name,
        "items": items,
        "profiles": profiles,
        "correlations": {role: np.corrcoef(v.T + 1e-9 * np.arange(len(v))).tolist() for role, v in layers.items()},
        "mean_shower": {role: x.mean(axis=0).tolist() for role, (x, _) in samples.items()},
    }


def score_row(name: str, value: float, null: float, error: float, **more: Any) -> dict[str, Any]:
    """A Score as JSON."""
    row = {"name": name, "protocol": "strict", "value": value, "error": error, "null": null, "null_error": error}
    z = (value - null) / (error * np.sqrt(2))
    rest = {"z": float(z), "n_reference": 300, "n_generated": 300, "seed": 5, "region": "all", "status": "ok"}
    return {**row, **rest, "better": "lower", "note": "", **more}


def scorecard_file(name: str, bins: list[float]) -> dict[str, Any]:
    """The content of scores/<name>.json."""
    auc = AUC[name]
    memory, status = MEMORY[name]
    test = {"protocol": "facsim-c2st-1", "better": "null"}
    scores = [
        score_row("auc_high", auc, 0.5011, 0.0087, **test),
        score_row("auc_cells", auc + 0.03, 0.4979, 0.011, status="underpowered", **test),
        score_row("fpd", 0.031 + 0.3 * (auc - 0.5), 0.0312, 0.004, protocol="jetnet-0.2.5"),
        score_row("separation/e_ratio", 0.0123 * (auc - 0.49), 0.0019, 0.0007, protocol="calochallenge-2022"),
        score_row("separation/width_r", 0.0456 * (auc - 0.49), 0.0014, 0.0006),
        score_row("w1/e_ratio", 0.8 * (auc - 0.49), 0.02, 0.01),
        score_row("auc_high", auc + 0.05, 0.52, 0.02, region="worst", **test),
        score_row("kpd", 0.0, 0.0, 1.0, protocol="jetnet-0.2.5", status="not computed", note="too few showers.")
        | dict.fromkeys(MISSING),
        score_row("memorisation", memory, 1.0, 0.05, status=status, better="null", protocol="facsim-memory-1"),
        score_row("memorisation/copies", 1.0 if status == "failed" else 0.012, 0.01, 0.004, protocol="facsim-memory-1"),
    ]
    for k in range(len(bins) - 1):
        scores.append(score_row("auc_high", auc - 0.02 * k, 0.5, 0.02, region=f"E{k + 1}", **test))
    size = {"reference": 300, "generated": 300, "null": 300}
    return {
        "format": "facsim-scorecard-1",
        "name": name,
        "kind": KINDS[name],
        "seed": 5,
        "n": size,
        "energy_bins_MeV": bins,
        "scores": scores,
        "curves": {
            "layer_separation": {
                "e_layer": {"layer": [0, 1, 2], "value": [0.01, 0.02, 0.05], "null": [0.01, 0.01, None]},
                "ring_share": {"ring": [0, 1], "value": [0.01, 0.03], "null": [0.01, 0.02]},
            }
        },
        "controls": {"auc_high/all": {"distortion": "cells x 1.02", "value": 0.561, "error": 0.009, "seen": True}},
        "notes": ["a note of the evaluation"],
        "validity": {"negative_cells": 3, "exact_duplicates": 7, "reference": {"negative_cells": 0}},
    }


def timing_file() -> dict[str, Any]:
    """The content of scores/timing.json."""
    speed = {("surrogate", "onnxruntime"): 9.0, ("surrogate", "torch"): 14.0, ("gflash", "numpy"): 1.1}
    rows = []
    for (name, engine), first in speed.items():
        for batch in (1, 10, 100):
            ms = first / (1 + 3 * np.log10(batch))
            own = {"name": name, "engine": engine, "steps": 4 if name == "surrogate" else None, "batch": batch}
            cost = {"ms_per_shower": ms, "low": 0.9 * ms, "high": 1.2 * ms, "repeats": 5, "peak_rss_MB": 310.0}
            rows.append({**own, "threads": 1, **cost, "parameters": 812345 if name == "surrogate" else None})
    return {
        "format": "facsim-timing-1",
        "hardware": {"cpu": "A processor <with> 2 cores", "threads_available": 2},
        "rows": rows,
        "geant4": {"ms_per_shower": 73.21, "n": 100},
        "notes": [],
    }


def write_run(
    run_dir: Path,
    geometry: CylinderGeometry,
    truth: tuple[Array, Array],
    generated: dict[str, tuple[Array, Array]],
) -> Path:
    """Write a run directory: the first half of `truth` is A, the second B; `generated` at B's energies."""
    cells, e_inc = truth
    half = len(cells) // 2
    schema = calorimeter_schema(geometry, provenance={"simulator": "Geant4 11.3", "data": "miniature data set"})

    def save(path: Path, x: Array, e: Array) -> None:
        write_showers(path, [make_events(schema, x[:, :, None], e[:, None])])

    def dump(path: str, content: Any) -> None:
        (run_dir / path).parent.mkdir(parents=True, exist_ok=True)
        (run_dir / path).write_text(json.dumps(content))

    save(run_dir / "truth.h5", cells, e_inc)
    bins = np.quantile(e_inc, np.linspace(0, 1, 5)).tolist()
    parts = {"reference": (cells[:half], e_inc[:half]), "null": (cells[half:], e_inc[half:])}
    for name, (x, e) in generated.items():
        save(run_dir / "samples" / f"{name}.h5", x, e)
        dump(f"scores/{name}.json", scorecard_file(name, bins))
        dump(f"hists/{name}.json", histogram_file(name, geometry, {**parts, "generated": (x, e)}))
    dump("scores/timing.json", timing_file())
    curve = [{"steps": s, "auc_high": 0.9 - 0.06 * k, "auc_error": 0.01} for k, s in enumerate((1, 2, 4, 8))]
    dump("scores/steps.json", {"rows": [{**row, "ms_per_shower": 0.6 * int(row["steps"])} for row in curve]})
    splits = {"reference": [[0, half]], "null": [[half, 2 * half]], "train": [], "validation": []}
    dump("data.json", {"schema": schema.to_dict(), "splits": splits, "events": len(cells)})
    versions = {"facsim": "0.1.0", "python": "3.11", "numpy": "2.0"}
    hardware = {"cpu": "A processor <with> 2 cores", "cores": 2, "memory_GB": 7.8, "system": "Linux"}
    dump("provenance.json", {"versions": versions, "hardware": hardware, "seed": 1, "git": None, "history": []})
    dump("card.json", {"sha256": "ab12", "name": "surrogate"})
    dump("check.json", {"passed": True, "batches": [{"batch": 7, "max_relative_difference_of_cells": 1.9e-5}]})
    lines = []
    for step in range(0, 400, 20):
        for part, start in (("layers", 2.0), ("pattern", 1.0)):
            loss = start * np.exp(-step / 150) + 0.3
            check = loss * 1.05 if step % 100 == 0 else None
            line = {"step": step, "time_s": step * 0.1, "part": part, "loss": loss, "validation_loss": check}
            lines.append(json.dumps({**line, "lr": 1e-3}))
    (run_dir / "models" / "surrogate").mkdir(parents=True)
    (run_dir / "models" / "surrogate" / "metrics.jsonl").write_text("\n".join(lines) + "\n")
    simulate = "  detector: par04-w-si\n  particle: e-\n  energy: {log_uniform: [1, 50]}\n  events: 600\n"
    (run_dir / "config.yaml").write_text(f"task: calorimeter\nseed: 1\nsimulate:\n{simulate}")
    return run_dir


class Checker(HTMLParser):
    """Collects what is not balanced, ids, references and what a browser would load."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.problems: list[str] = []
        self.ids: Counter[str] = Counter()
        self.references: set[str] = set()
        self.loads: list[str] = []
        self.headings: list[str] = []
        self.captions = 0
        self.figures = 0
        self.images_without_alt = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        self.note(tag, dict(attrs))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.note(tag, dict(attrs))

    def note(self, tag: str, attributes: dict[str, str | None]) -> None:
        if attributes.get("id"):
            self.ids[str(attributes["id"])] += 1
        self.figures += tag == "figure"
        self.captions += tag == "figcaption"
        self.images_without_alt += tag == "img" and not attributes.get("alt")
        for key in ("src", "href", "xlink:href", "data", "action"):
            value = str(attributes.get(key) or "")
            if value.startswith("#"):
                self.references.add(value[1:])
            elif value and not value.startswith("data:image/png;base64,"):
                self.loads.append(value)
        for found in re.findall(r"url\(([^)]*)\)", " ".join(str(v) for v in attributes.values())):
            self.references.add(found.lstrip("#"))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open[-1] != tag:
            self.problems.append(f"</{tag}> after {self.open[-3:]}")
        else:
            self.open.pop()


def check(page: str) -> Checker:
    checker = Checker()
    checker.feed(page)
    checker.close()
    assert checker.problems == []
    assert checker.open == []
    assert [name for name, times in checker.ids.items() if times > 1] == []
    assert checker.references <= set(checker.ids)
    assert checker.loads == []
    assert "@import" not in page
    assert "<script" not in page
    assert checker.captions == checker.figures
    assert checker.images_without_alt == 0
    return checker


@pytest.fixture(scope="session")
def checked() -> Callable[[str], Checker]:
    """A function that sees that a page is valid and loads nothing, and returns what is on it."""
    return check


@pytest.fixture(scope="session")
def make_run() -> Callable[[Path], Path]:
    """A function that writes a full small run into a new directory."""

    def make(run_dir: Path) -> Path:
        rng = generator(3, "report", "toy")
        e_inc = 1e3 * np.exp(rng.uniform(0, np.log(50), 600))
        cells = toy_showers(SMALL, e_inc, rng)
        energies = e_inc[300:]
        generated = {
            "surrogate": (toy_showers(SMALL, energies, rng, 1.05), energies),
            "gflash": (toy_showers(SMALL, energies, rng, 1.4), energies),
            "library": (cells[:300] * (energies / e_inc[:300])[:, None].astype(np.float32), energies),
            "bootstrap": (cells[rng.integers(0, 300, 300)], energies),
        }
        return write_run(run_dir, SMALL, (cells, e_inc), generated)

    return make


@pytest.fixture(scope="session")
def full_run(make_run: Callable[[Path], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A full small run directory; not to be changed by tests."""
    return make_run(tmp_path_factory.mktemp("runs") / "full")


@pytest.fixture(scope="session")
def full_page(full_run: Path) -> str:
    """The report of the full run."""
    return write_report(full_run).read_text(encoding="utf-8")
