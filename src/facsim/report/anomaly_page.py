"""The page of a run whose model is a predictor of scores of anomaly."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from facsim.core.store import atomic_path
from facsim.report.blocks import Section, Tile
from facsim.report.page import Top, made, page_text
from facsim.report.rundata import RunData, Sample, load_run
from facsim.report.sections_anomaly import choice_section, numbers_section, roc_section
from facsim.report.sections_anomaly_events import events_section, latents_section
from facsim.report.sections_anomaly_use import checks_section, latency_section, variants_section
from facsim.report.sections_run import provenance_section, training_section
from facsim.report.style import facsim_style
from facsim.report.text import capital, count, duration, listing, plus_minus, significant

SECTIONS: dict[str, Callable[[RunData], Section | None]] = {
    "events": events_section,
    "roc": roc_section,
    "numbers": numbers_section,
    "choice": choice_section,
    "checks": checks_section,
    "latents": latents_section,
    "latency": latency_section,
    "variants": variants_section,
    "training": training_section,
    "provenance": provenance_section,
}


def write_anomaly_report(run_dir: Path, *, title: str | None = None) -> Path:
    """Write `report/index.html` of a run directory from its files, whatever of them there is.

    Raises:
        FacsimError: the directory does not exist or cannot be written.
    """
    run = load_run(Path(run_dir))
    with facsim_style():
        sections = [section for build in SECTIONS.values() if (section := build(run)) is not None]
    heading = title or "Scores of anomaly"
    html = page_text(Top(heading, _subtitle(run), _tiles(run), _verdict(run), made(run)), sections)
    path = run.dir / "report" / "index.html"
    with atomic_path(path) as temporary:
        temporary.write_text(html, encoding="utf-8")
    return path


def _subtitle(run: RunData) -> str:
    model = (run.config.get("model") or {}).get("name")
    number = run.data.get("events")
    words = [
        f"{count(number)} {run.truth_name} events" if isinstance(number, int) else "",
        f"model {model}" if model else "",
    ]
    return capital(", ".join(word for word in words if word))


def main_sample(run: RunData) -> Sample | None:
    """The predictor, or the first baseline of a run without one."""
    found = run.surrogate if run.surrogate and run.surrogate.scorecard else None
    return found or next(iter(run.with_scores), None)


def _tiles(run: RunData) -> list[Tile]:
    sample = main_sample(run)
    if sample is None or sample.scorecard is None:
        return []
    tiles = []
    rows = [row for row in sample.scores if row["name"] == "auc"]
    if rows:
        worst, best = (pick(rows, key=lambda row: row["value"]) for pick in (min, max))
        for words, row in (("hardest signal", worst), ("easiest", best)):
            value = plus_minus(row["value"], row["error"]).partition(" ")[0]
            tiles.append(Tile(f"AUC, {words}", value, "", row["region"]))
    target = float((sample.scorecard.get("checks") or {}).get("target") or 0)
    points = [row for row in sample.scores if row["name"] == f"efficiency/{target:g}"]
    usable = [row for row in points if row["value"] is not None]
    if usable:
        value = sum(row["value"] for row in usable) / len(usable)
        tiles.append(
            Tile(
                f"Signal kept at {100 * target:g} % background",
                f"{100 * value:.0f}",
                "%",
                "mean of all kinds of signal",
            )
        )
    latency = (run.timing.get("latency") or {}).get("onnxruntime")
    if latency:
        detail = f"99.9 % of calls within {duration(latency['p999_ms'])}, one thread"
        tiles.append(Tile("Median latency of one event", duration(latency["median_ms"]), "", detail))
    return tiles


def _verdict(run: RunData) -> str:
    """Whether the score is worth more than each baseline, in a sentence each."""
    sample = run.surrogate
    if sample is None or sample.scorecard is None:
        return ""
    sentences = []
    for other, groups in (sample.scorecard.get("against") or {}).items():
        signs = {group: pair[0] / pair[1] for group, pair in groups.items() if pair[0] is not None and pair[1]}
        better = [group for group, z in signs.items() if z > 2]
        worse = [group for group, z in signs.items() if z < -1]
        if signs:
            words = (
                f"Better than {other} by more than 2 standard errors on {listing(better) if better else 'no signal'}"
            )
            words += f", worse by more than 1 on {listing(worse)}." if worse else ", worse by more than 1 on none."
            sentences.append(words)
    chosen = sample.scorecard.get("chosen")
    merit = next((row["merit"] for row in sample.scorecard.get("choice", []) if row["name"] == chosen), None)
    if chosen and merit is not None:
        sentences.insert(0, f"The score is {chosen}, chosen without signal (merit {significant(merit)}).")
    return " ".join(sentences)
