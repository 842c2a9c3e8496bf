"""evaluate: scorecards and histograms of every sample, and the quality at each length of the sampler."""

from __future__ import annotations

from typing import Any

from facsim.core.events import EventSource
from facsim.core.store import read_json, write_json
from facsim.data import open_events
from facsim.evaluate.physics_judge import PhysicsJudge
from facsim.evaluate.scorecard import Judge, ScorecardOptions
from facsim.evaluate.shower_clouds import CloudJudge
from facsim.evaluate.tasks import find_physics
from facsim.pipeline.truth import open_splits
from facsim.run import SURROGATE, Run
from facsim.simulate.baselines import find_baseline

HEADLINE = "auc_high"
AnyJudge = Judge | CloudJudge | PhysicsJudge


def judge_of(run: Run) -> AnyJudge:
    """Truth of `run`, ready to judge samples of it."""
    splits, settings = open_splits(run), run.config.evaluate
    options = ScorecardOptions(
        settings.energy_bins,
        settings.classifier_events,
        settings.memorisation_events,
        network=settings.network_events,
    )
    physics = find_physics(run.config.task)
    if physics is not None:
        truth = (splits["reference"], splits["null"], splits["train"])
        return PhysicsJudge(physics, *truth, seed=run.config.seed, options=options)
    if splits["reference"].schema.representation == "cloud":
        return CloudJudge(splits["reference"], splits["null"], seed=run.config.seed)
    return Judge(splits["reference"], splits["null"], splits["train"], seed=run.config.seed, options=options)


def evaluate(run: Run, judge: AnyJudge | None = None) -> None:
    """Write `scores/<name>.json` and `hists/<name>.json` of every sample, and `scores/steps/<n>.json`.

    Args:
        run: the run. judge: of the same truth, splits and settings, where several runs share it.
    """
    judge = judge or judge_of(run)
    work: list[str | int] = [*run.names, *run.steps]
    with run.reporter.progress("judging") as advance:
        for done, item in enumerate(work):
            advance(done / len(work), item if isinstance(item, str) else f"{item} steps")
            if isinstance(item, str):
                _judge_sample(run, judge, item)
            else:
                write_json(run.step_scores(item), _auc(judge, open_events(run.step_samples(item)), item))
        advance(1.0, "")
    remove_others(run)
    for name in run.names:
        row = next(row for row in read_json(run.scores(name))["scores"] if row["name"] == HEADLINE)
        null = f"truth against truth {row['null']:.3f} ± {row['null_error']:.3f}"
        run.reporter.say(f"  {name:<12} AUC {row['value']:.3f} ± {row['error']:.3f}  ({null})")


def _judge_sample(run: Run, judge: AnyJudge, name: str) -> None:
    resamples = name != SURROGATE and find_baseline(name).resamples_truth
    kind = "surrogate" if name == SURROGATE else "baseline"
    card, histograms = judge.judge(name, open_events(run.samples(name)), kind=kind, resamples_truth=resamples)
    content = card.to_dict()
    if name == SURROGATE:
        content["steps"] = read_json(run.model() / "model.json")["options"].get("steps")
    write_json(run.scores(name), content)
    write_json(run.hists(name), histograms)


def _auc(judge: AnyJudge, generated: EventSource, steps: int) -> dict[str, Any]:
    """The headline score alone, by the same test as in a scorecard."""
    found = judge.headline(generated)
    return {"steps": steps, HEADLINE: found.auc, "auc_error": found.error, "protocol": found.protocol}


def remove_others(run: Run) -> None:
    """Remove scores of an earlier configuration and the table that compares with them: the page shows what is there."""
    run.compressed.unlink(missing_ok=True)
    run.compressed.with_suffix(".png").unlink(missing_ok=True)
    wanted = {*map(run.scores, run.names), *map(run.hists, run.names), *map(run.step_scores, run.steps)}
    for folder in ("scores", "hists"):
        for path in (run.dir / folder).rglob("*.json"):
            if path not in wanted | {run.timing, run.curve}:
                path.unlink()
