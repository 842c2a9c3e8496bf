"""The top of the page: what was simulated, the verdict and the few large numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from facsim.report.blocks import Tile
from facsim.report.rundata import FILE, RESAMPLERS, Json, RunData, Sample
from facsim.report.text import NARROW, PM, TIMES, capital, count, duration, listing, plus_minus, significant, times
from facsim.report.timings import find_timing, truth_ms

_PARTICLES = {
    "e-": "electrons", "e+": "positrons", "gamma": "photons", "pi+": "positive pions", "pi-": "negative pions",
    "mu-": "muons", "electron": "electrons", "photon": "photons", "pion": "pions",
}  # fmt: skip
SCORE = "auc_high"


def subtitle(run: RunData) -> str:
    """One line on the truth sample: number, particle, energies, detector."""
    simulate = run.config.get("simulate") or {}
    schema = run.data.get("schema") or {}
    geometry = schema.get("geometry") or {}
    particles = simulate.get("particle") or geometry.get("particle") or ""
    names = [str(name) for name in (particles if isinstance(particles, list) else [particles])]
    number = run.data.get("events") or simulate.get("events")
    words = [count(number)] if isinstance(number, int) else []
    words += [run.truth_name, listing(_PARTICLES.get(name, f"{name} {run.noun}".strip()) for name in names)]
    text = " ".join(words)
    spread = _energy_words(simulate.get("energy"))
    detector = simulate.get("detector") or geometry.get("name")
    detector = detector.get("name", "a detector of its own") if isinstance(detector, Mapping) else detector
    return capital(", ".join(part for part in (text, spread, f"detector {detector}" if detector else "") if part))


def _energy_words(setting: Any) -> str:
    """Energies as configured (GeV)."""
    if isinstance(setting, int | float):
        return f"{setting:g}{NARROW}GeV"
    if not isinstance(setting, Mapping):
        return ""
    for kind, words in (("log_uniform", ", log-uniform"), ("uniform", ", uniform")):
        bounds = setting.get(kind)
        if isinstance(bounds, list | tuple) and len(bounds) == 2:
            return f"{bounds[0]:g} to {bounds[1]:g}{NARROW}GeV{words}"
    listed = setting.get("listed")
    return f"{listing(f'{value:g}' for value in listed)}{NARROW}GeV" if isinstance(listed, list | tuple) else ""


def tiles(run: RunData) -> list[Tile]:
    """The large numbers; those that the run has."""
    surrogate = run.surrogate
    found = [_auc_tile(run, surrogate), _speed_tile(run, surrogate, 100), _speed_tile(run, surrogate, 1)]
    return [tile for tile in [*found, _memory_tile(surrogate)] if tile]


def _value(row: Json | None) -> float | None:
    value = (row or {}).get("value")
    return None if value is None else float(value)


def auc_tile(sample: Sample, label: str, detail: str) -> Tile | None:
    """The AUC of a sample as a large number, marked by what it says where the test has power; None without one."""
    row = sample.score(SCORE)
    if row is None or row.get("value") is None:
        return None
    number, _, error = plus_minus(row["value"], row.get("error")).partition(PM)
    told = row.get("z") is not None and row.get("status", "ok") == "ok"
    mark = ("good" if row["z"] < 2 else "fair" if row["value"] < 0.85 else "poor") if told else ""
    return Tile(label, number, f"± {error}" if error else "", detail, mark)


def underpowered(row: Json) -> bool:
    """Whether the test missed its own positive control."""
    return row.get("status") == "underpowered"


def worst_and_null(sample: Sample) -> list[str]:
    """The AUC in the worst bin and that of truth against itself, in words."""
    null, worst = (sample.score(SCORE) or {}).get("null"), _value(sample.score(SCORE, "worst"))
    found = [] if worst is None else [f"worst {sample.bins.one} {significant(worst)}"]
    return found if null is None else [*found, f"truth itself {significant(null)}"]


def _auc_tile(run: RunData, sample: Sample | None) -> Tile | None:
    if sample is None:
        return None
    others = [
        f"{other.label} {significant(value)}"
        for other in run.with_scores
        if other.kind == "baseline" and (value := _value(other.score(SCORE))) is not None
    ]
    parts = [*worst_and_null(sample), *([", ".join(others)] if others else [])]
    return auc_tile(sample, "AUC against truth, high-level", capital("; ".join(parts)))


def _speed_tile(run: RunData, sample: Sample | None, batch: int) -> Tile | None:
    row = find_timing(run, sample, batch) if sample else None
    if row is None:
        return None
    ms, slow = float(row["ms_per_shower"]), truth_ms(run)
    how = "one at a time" if batch == 1 else f"{batch} at a time"
    engine = f", {row['engine']}" if row.get("engine") else ""
    if slow is None:
        return Tile(f"Time per {run.event}, {how}", duration(ms), "", f"one thread{engine}")
    detail = f"{duration(ms)} against {duration(slow)} per {run.event}, one thread{engine}"
    return Tile(
        f"Faster than {run.truth_name}, {how}",
        f"{TIMES}{times(slow / ms)}",
        "",
        detail,
        "good" if slow > ms else "poor",
    )


def _memory_tile(sample: Sample | None) -> Tile | None:
    row = sample.score("memorisation") if sample else None
    if row is None or row.get("value") is None:
        return None
    result, mark = {"failed": ("failed", "poor"), "ok": ("passed", "good")}.get(
        str(row.get("status", "ok")), ("undecided", "fair")
    )
    null = plus_minus(row.get("null"), row.get("null_error"))
    detail = f"Nearest training event at {plus_minus(row['value'], row.get('error'))}, unseen truth at {null}"
    return Tile("Memorisation check", result, "", detail, mark)


def verdict(run: RunData) -> str:
    """What the numbers say, in sentences; empty when there are none."""
    surrogate = run.surrogate
    sentences = [] if surrogate is None else [_quality(run, surrogate), _speed(run, surrogate), _memory(run, surrogate)]
    return " ".join(sentence for sentence in sentences if sentence)


def _called(sample: Sample) -> str:
    return sample.label if sample.kind == FILE else "the surrogate"


def _quality(run: RunData, sample: Sample) -> str:
    row = sample.score(SCORE)
    if row is None or row.get("value") is None:
        return ""
    showers = f"{count(row['n_generated'])} {run.noun}" if row.get("n_generated") else run.noun
    text = (
        f"A classifier that sees the high-level observables of {showers} tells {_called(sample)} from {run.truth_name} "
        f"with an AUC of {plus_minus(row['value'], row.get('error'))}"
    )
    if row.get("null") is not None:
        text += f"; truth against truth gives {plus_minus(row['null'], row.get('null_error'))}"
    if underpowered(row):
        text += " (the test missed its own positive control, so the number proves nothing)"
    worst = sample.score(SCORE, "worst")
    if worst is not None and worst.get("value") is not None:
        text += f". In its worst bin of {sample.bins.condition} it is {plus_minus(worst['value'], worst.get('error'))}"
    rival = [
        f"{other.label} with {significant(value)}"
        for other in run.with_scores
        if other.kind == "baseline" and other.name not in RESAMPLERS
        if (value := _value(other.score(SCORE))) is not None
    ]
    return f"{text}. It recognises {listing(rival)}." if rival else f"{text}."


def _speed(run: RunData, sample: Sample) -> str:
    slow = truth_ms(run)
    found = {batch: row for batch in (1, 100) if (row := find_timing(run, sample, batch))}
    if not found:
        return ""
    parts = []
    for batch, row in found.items():
        ms = float(row["ms_per_shower"])
        gain = f" ({times(slow / ms)} times faster than {run.truth_name})" if slow else ""
        parts.append(f"{duration(ms)} {'alone' if batch == 1 else f'in batches of {batch}'}{gain}")
    return f"On one CPU thread a {run.event} takes {listing(parts)}."


def _memory(run: RunData, sample: Sample) -> str:
    row = sample.score("memorisation")
    if row is None or row.get("value") is None:
        return ""
    controls = [
        other.label
        for other in run.with_scores
        if other.name in RESAMPLERS and (other.score("memorisation") or {}).get("status") == "failed"
    ]
    caught = f", which catches {listing(controls)}" if controls else ""
    outcome = {"failed": "fails", "ok": "passes"}.get(str(row.get("status", "ok")))
    if outcome is None:
        return f"The memorisation check cannot decide: too few {run.noun}, or values that are discrete."
    return f"{capital(_called(sample))} {outcome} the memorisation check{caught}."
