"""The sections about the run itself: training and provenance."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from facsim.report.blocks import Block, Cell, Gallery, Listing, Note, Picture, Section, Table
from facsim.report.figures_time import training_figure
from facsim.report.figures_training import score_figure
from facsim.report.render import to_svg
from facsim.report.rundata import Json, RunData
from facsim.report.text import capital, count, duration, significant

_LONG = 400


def training_section(run: RunData) -> Section | None:
    """Loss curves of every part of every model."""
    pictures = []
    for name, records in run.training.items():
        usable = [r for r in records if r.get("loss") is not None and r.get("time_s") is not None]
        for part in dict.fromkeys(str(r.get("part", "model")) for r in usable):
            lines = [{"part": "model", **r} for r in usable if str(r.get("part", "model")) == part]
            title = f"{capital(part)}, model {name}"
            body = to_svg(training_figure(lines, part), f"train-{name}-{part}".replace("/", "-"), title)
            pictures.append(Picture(body, title, _training_caption(lines)))
        pictures += _scores(name, records)
    if not pictures:
        return None
    lead = "Each part of the model has a loss of its own; losses of different parts cannot be compared."
    return Section(
        "training",
        "Training",
        lead if len(pictures) > 1 else "",
        [Gallery(pictures, 4 if len(pictures) % 4 == 0 else 3)],
    )


def _scores(name: str, records: list[Json]) -> list[Picture]:
    """Curve of the score that decides about early stopping, if there is one."""
    judged = [r for r in records if r.get("score") is not None and r.get("value") is not None]
    pictures = []
    for part in dict.fromkeys(str(r["part"]) for r in judged):
        lines = [r for r in judged if r["part"] == part]
        title = f"{capital(part)}, model {name}, {lines[0]['score']} of the validation events"
        best = min(lines, key=lambda r: float(r["value"]))
        caption = f"Of the averaged weights; smaller is better. Kept: those of step {count(int(best['step']))}."
        body = to_svg(score_figure(lines, part), f"train-{name}-{part}-score".replace("/", "-"), title)
        pictures.append(Picture(body, title, caption))
    return pictures


def _training_caption(lines: list[Json]) -> str:
    steps = max(int(r.get("step", 0)) for r in lines)
    spent = float(lines[-1]["time_s"]) - float(lines[0]["time_s"])
    text = f"Up to step {count(steps)}"
    text += f", {duration(1000 * spent)} between the first and the last record" if spent > 0 else ""
    text += f", last loss {significant(float(lines[-1]['loss']), 4)}"
    checks = [float(r["validation_loss"]) for r in lines if r.get("validation_loss") is not None]
    if checks:
        text += f", last validation loss {significant(checks[-1], 4)}"
    return f"{text}. A validation curve that turns up while the training curve falls means memorising."


def provenance_section(run: RunData) -> Section | None:
    """Where everything comes from, and what could not be read."""
    blocks: list[Block] = [Note(problem, "warning") for problem in run.problems]
    rows = _facts(run)
    if rows:
        blocks.append(Table(["", ""], [("", [[Cell(k), Cell(v)] for k, v in rows])], "Facts"))
    simulation = _truth_provenance(run)
    if simulation:
        blocks.append(Table(["", ""], [("", [[Cell(k), Cell(v)] for k, v in simulation])], f"{run.truth_name} sample"))
    config = run.dir / "config.yaml"
    if config.is_file():
        blocks.append(Listing("Configuration", config.read_text(encoding="utf-8", errors="replace")))
    if run.card:
        card = {key: value for key, value in run.card.items() if len(json.dumps(value)) < 4000}
        blocks.append(Listing("Model card", json.dumps(card, indent=2, ensure_ascii=False)))
    return Section("provenance", "Provenance", "", blocks) if blocks else None


def _facts(run: RunData) -> list[tuple[str, str]]:
    source = run.provenance
    facts = []
    versions = source.get("versions") or {}
    if versions:
        facts.append(("Versions", ", ".join(f"{name} {number}" for name, number in versions.items())))
    hardware = source.get("hardware") or run.timing.get("hardware") or {}
    if hardware:
        facts.append(("Hardware", ", ".join(_hardware_words(hardware))))
    if source.get("seed") is not None:
        facts.append(("Seed of the run", str(source["seed"])))
    git = source.get("git")
    if isinstance(git, Mapping) and git.get("commit"):
        facts.append(("Git", f"{git['commit']}{' with uncommitted changes' if git.get('uncommitted_changes') else ''}"))
    history = source.get("history") or []
    if history:
        last = history[-1]
        facts.append(("Last command", f"{' '.join(map(str, last.get('command', [])))} ({last.get('time', '')})"))
    sizes = run.data.get("sizes")
    if isinstance(sizes, Mapping):
        facts.append(("Splits of truth", ", ".join(f"{count(n)} {name}" for name, n in sizes.items())))
    return facts


def _hardware_words(hardware: Mapping[str, Any]) -> list[str]:
    words = {"cores": "cores", "threads_available": "threads", "memory_GB": "GB memory"}
    return [f"{value} {words[key]}" if key in words else str(value) for key, value in hardware.items()]


def _truth_provenance(run: RunData) -> list[tuple[str, str]]:
    stated = (run.data.get("schema") or {}).get("provenance") or {}
    return list(_flat(stated))


def _flat(value: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Nested mappings as `key, inner key` lines, long values cut."""
    lines: list[tuple[str, str]] = []
    for key, item in value.items():
        name = f"{prefix}{str(key).replace('_', ' ')}"
        if isinstance(item, Mapping) and len(json.dumps(item, default=str)) > 120:
            lines += _flat(item, f"{name}, ")
        else:
            text = item if isinstance(item, str) else json.dumps(item, ensure_ascii=False, default=str)
            text = text.removeprefix("{").removesuffix("}") if isinstance(item, Mapping) else text
            text = text.replace('"', "")
            lines.append((capital(name), text if len(text) <= _LONG else f"{text[:_LONG]} …"))
    return lines
