"""The sections that hold the numbers: scorecard, energy bins, memorisation."""

from __future__ import annotations

from facsim.report.blocks import Block, Gallery, Note, Picture, Section
from facsim.report.figures_scores import distance_figure, energy_bins_figure, memorisation_figure
from facsim.report.render import to_svg
from facsim.report.rundata import RESAMPLERS, RunData
from facsim.report.scoretable import by_family, regions_table, score_rows, scorecard_table
from facsim.report.text import capital, listing, score_label

MEMORY = "memorisation"


def scores_section(run: RunData) -> Section | None:
    """Scorecard, its overview figure, energy bins and memorisation."""
    samples = run.with_scores
    if not samples:
        return None
    blocks: list[Block] = []
    resampled = [sample.label for sample in samples if sample.name in RESAMPLERS]
    if resampled:
        blocks.append(Note(_resampling_note(resampled), "aside"))
    rows = score_rows(samples)
    ordered = [(_row_label(key), rows[key]) for _, keys in by_family(rows) for key in keys]
    if ordered:
        body = to_svg(distance_figure(ordered, samples, run.looks), "distance", "Distance of every score from truth")
        caption = (
            "Each score's distance from truth against truth in standard errors, on a scale that is linear inside ±2 "
            "(grey: cannot be told from chance) and logarithmic outside. Open symbols: the test is underpowered. "
            "Distance grows with sample size; compare samples within a line rather than lines with each other."
        )
        blocks.append(Picture(body, "What each score sees", caption, wide=True))
    blocks.append(scorecard_table(run))
    pictures = [picture for picture in (_bins_picture(run), _memory_picture(run)) if picture]
    if pictures:
        blocks.append(Gallery(pictures, 2))
    regions = regions_table(run)
    if regions:
        blocks.append(regions)
    notes = dict.fromkeys(str(note) for s in samples for note in (s.scorecard or {}).get("notes", []))
    blocks += [Note(capital(note), "plain") for note in notes]
    lead = (
        f"Truth is divided in disjoint samples. Surrogate and baselines are sampled at the conditions of sample B and "
        f"compared with sample A; “{run.truth_name} against itself” is B compared with A. No score can be better than "
        "that except by chance, or by memory."
    )
    return Section("scores", "Scores", lead, blocks)


def _row_label(key: tuple[str, str]) -> str:
    name, protocol = key
    family = {"separation": "separation, ", "w1": "Wasserstein, "}.get(name.partition("/")[0], "")
    label = f"{family}{score_label(name)}"
    return f"{label} ({protocol})" if protocol and family == "separation, " else label


def _resampling_note(labels: list[str]) -> str:
    return (
        f"{capital(listing(labels))} draw their showers from the training sample. They bound what a score can tell: "
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
        "AUC of the classifier on high-level observables in bins of equal shower counts; grey is truth against truth "
        "with its error. A pooled score can hide a failure at one end of the spectrum: look for the highest bin."
    )
    return Picture(to_svg(figure, "energy-bins", "AUC against incident energy"), "AUC against incident energy", caption)


def _memory_picture(run: RunData) -> Picture | None:
    figure = memorisation_figure(run.with_scores, run.looks, MEMORY)
    if figure is None:
        return None
    found = [(sample, sample.score(MEMORY)) for sample in run.with_scores]
    failed = [sample.label for sample, row in found if row and row.get("status") == "failed"]
    passed = [sample.label for sample, row in found if row and row.get("status") == "ok"]
    outcome = []
    if passed:
        outcome.append(f"{capital(listing(passed))} {'passes' if len(passed) == 1 else 'pass'}")
    if failed:
        outcome.append(f"{listing(failed)} {'fails' if len(failed) == 1 else 'fail'}")
    caption = (
        "Distance of a generated shower to the nearest training shower, the smallest over rotations and energy scale, "
        "relative to the same distance of unseen truth (line, with the range of chance in grey). Copies fall far to "
        f"the left. {capital('; '.join(outcome))}{'.' if outcome else ''}"
    )
    return Picture(to_svg(figure, "memorisation", "Memorisation check"), "Memorisation check", caption)
