"""The sections that hold the numbers: scorecard, energy bins, memorisation."""

from __future__ import annotations

from facsim.report.blocks import Block, Gallery, Note, Picture, Section
from facsim.report.figures_scores import distance_figure, energy_bins_figure, memorisation_figure
from facsim.report.figures_weights import weights_figure
from facsim.report.published_jets import published_jets
from facsim.report.render import to_svg
from facsim.report.rundata import CALORIMETER, RESAMPLERS, Json, RunData
from facsim.report.scoretable import (
    Key,
    by_family,
    full_label,
    kinds_table,
    not_computed,
    observables_table,
    regions_table,
    score_rows,
    scorecard_table,
    validity_table,
)
from facsim.report.text import capital, count, describe, listing, plus_minus, score_label

MEMORY = "memorisation"


def scores_section(run: RunData) -> Section | None:
    """Scorecard, its overview figure, energy bins and memorisation."""
    samples = run.with_scores
    if not samples:
        return None
    blocks: list[Block] = []
    resampled = [sample.label for sample in samples if sample.name in RESAMPLERS]
    if resampled:
        blocks.append(Note(_resampling_note(resampled, run.noun), "aside"))
    rows = score_rows(samples)
    ordered = [
        (full_label((key[0], "")), rows[key]) for _, keys in by_family(rows) for key in keys if _drawn(key, rows[key])
    ]
    if ordered:
        body = to_svg(distance_figure(ordered, samples, run.looks), "distance", "Distance of every score from truth")
        caption = (
            "Each score's distance from truth against truth in standard errors, on a scale that is linear inside ±2 "
            "(grey: cannot be told from chance) and logarithmic outside. Open symbols: the test is underpowered. "
            "Distance grows with sample size; compare samples within a line rather than lines with each other."
        )
        blocks.append(Picture(body, "What each score sees", caption, wide=True))
    missing = not_computed(run)
    blocks += published_jets(run)
    blocks += [scorecard_table(run), *_controls(run), *([Note(missing, "small")] if missing else [])]
    pictures = [picture for picture in (_bins_picture(run), _memory_picture(run)) if picture]
    if pictures:
        blocks.append(Gallery(pictures, 2))
    blocks += _weights_blocks(run)
    blocks += [
        table for table in (validity_table(run), kinds_table(run), observables_table(run), regions_table(run)) if table
    ]
    blocks += _notes(run)
    sampled = "Surrogate and baselines are sampled at the conditions of sample B and"
    lead = (
        f"Truth is divided in disjoint samples. {'Each file is' if run.of_files else sampled} compared with sample A; "
        f"“{run.truth_name} against itself” is another sample B compared with A. No score can be better than that "
        "except by chance, or by memory."
    )
    return Section("scores", "Scores", lead, blocks)


def _drawn(key: Key, found: dict[str, Json]) -> bool:
    """Whether a score has a line in the overview: one protocol of each, and only what has a distance from truth."""
    name, protocol = key
    community = protocol.startswith(("calochallenge", "jetnet"))
    return not name.startswith("w1") and not community and any(row.get("z") is not None for row in found.values())


def _controls(run: RunData) -> list[Note]:
    """One sentence on the positive control of each classifier test."""
    card = next((s.scorecard for s in run.with_scores if s.scorecard and s.scorecard.get("controls")), None) or {}
    parts = []
    for name, control in card.get("controls", {}).items():
        test, _, region = str(name).partition("/")
        if region in ("", "all"):
            seen = "which the test sees" if control.get("seen") else "which the test does not see"
            value = plus_minus(control.get("value"), control.get("error"))
            parts.append(f"{score_label(test)}: {value} for {control.get('distortion', 'the distortion')}, {seen}")
    return [Note(f"Positive controls, truth distorted on purpose. {'; '.join(parts)}.", "small")] if parts else []


def _notes(run: RunData) -> list[Note]:
    """Notes of the scorecards, each once with the samples it belongs to."""
    found: dict[str, list[str]] = {}
    for sample in run.with_scores:
        for note in (sample.scorecard or {}).get("notes", []):
            found.setdefault(str(note), []).append(sample.label)
    every = len(run.with_scores)
    return [
        Note(capital(note) if len(labels) == every else f"{capital(listing(labels))}: {note}", "small")
        for note, labels in found.items()
    ]


def _resampling_note(labels: list[str], noun: str) -> str:
    who = capital(listing(labels))
    draw = f"{who} draw their {noun}" if len(labels) > 1 else f"{who} draws its {noun}"
    return (
        f"{draw} from the training sample. Such baselines bound what a score can tell: "
        "they come close to truth in every distribution, because they are truth, and what they still score is the "
        "limit of sample size, reuse and energy matching. They also show what a score cannot see: duplicates, memory "
        "and missing coverage. Only the memorisation check is meant to catch them, and it has to: they are its "
        "positive controls."
    )


def _bins_picture(run: RunData) -> Picture | None:
    figure = energy_bins_figure(run.with_scores, run.looks)
    if figure is None:
        return None
    caption = (
        "AUC of the classifier on high-level observables in bins of equal counts; grey is truth against truth "
        "with its error. A pooled score can hide a failure at one end of the spectrum: look for the highest bin."
    )
    title = f"AUC against {next(sample.bins.condition for sample in run.with_scores if sample.bins.edges)}"
    return Picture(to_svg(figure, "energy-bins", title), title, caption)


def _weights_blocks(run: RunData) -> list[Block]:
    """Classifier weights of the surrogate, or of whatever was judged where there is none; of several, folded away."""
    judged = [sample for sample in run.with_scores if (sample.scorecard or {}).get("weights")]
    chosen = [sample for sample in judged if sample.kind != "baseline"] or judged[:1]
    caption = (
        "Left: how much more likely truth is than the sample for the classifier on high-level observables, shower by "
        "shower: weights far from 1 are showers that one of the two hardly has. Right: of showers given a probability, "
        "how many are generated. Below: where in phase space the sample fails, the most significant bins first."
    )
    found: list[Picture] = []
    for sample in chosen:
        data = (sample.scorecard or {})["weights"]
        regions = [_in_words(row) for row in data["regions"]]
        figure = weights_figure({**data, "regions": regions}, run.looks[sample.name], sample.label)
        title = f"Classifier weights of {sample.label}"
        found.append(Picture(to_svg(figure, f"weights-{sample.name}", title), title, caption, wide=True))
    return [*found] if len(found) < 2 else [Gallery(found, 1, "Classifier weights of each", folded=True)]


def _in_words(row: Json) -> Json:
    """A region with its observable in plain words, energies in GeV."""
    if row["observable"] != "e_inc":
        return {**row, "observable": describe(row["observable"])[0]}
    return {**row, "observable": "Incident energy, GeV", "low": row["low"] / 1e3, "high": row["high"] / 1e3}


def _memory_picture(run: RunData) -> Picture | None:
    figure = memorisation_figure(run.with_scores, run.looks)
    if figure is None:
        return None
    found = [(sample.label, sample.score(MEMORY) or {}) for sample in run.with_scores]
    outcome = []
    for status, words in (("ok", "not caught copying"), ("failed", "caught copying"), ("underpowered", "undecided")):
        labels = [label for label, row in found if row.get("status") == status]
        outcome += [f"{words}: {listing(labels)}"] if labels else []
    sizes = {row["n_generated"] for _, row in found if row.get("n_generated")}
    number = f"{count(max(sizes))} {run.noun} of each sample. " if sizes else ""
    blind = " the smallest over rotations and energy scale," if run.task == CALORIMETER else ""
    caption = (
        f"{number}Left: distance of a {run.event} to the nearest training {run.event},{blind} relative to that of "
        f"unseen truth (grey). Right: share of {run.noun} that are much nearer to a training {run.event} than to any "
        "other, by a standard that 1 % of unseen truth meets; it decides. "
        f"{capital('; '.join(outcome))}."
    )
    return Picture(to_svg(figure, "memorisation", "Memorisation check"), "Memorisation check", caption)
