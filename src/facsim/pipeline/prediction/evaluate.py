"""evaluate: scorecards `scores/<name>.json` of all scores of anomaly, and what figures need, `hists/<name>.json`."""

from __future__ import annotations

from facsim.core.store import write_json
from facsim.data import open_events
from facsim.evaluate.anomaly.judge import AnomalyPlan, Judged, compare, fidelity, judge
from facsim.evaluate.anomaly.predictions import read_predictions
from facsim.evaluate.anomaly.views import views
from facsim.evaluate.scorers.teacher import Teacher
from facsim.models.checkpoint import load_predictor
from facsim.pipeline.evaluate import remove_others
from facsim.pipeline.truth import open_splits
from facsim.run import SURROGATE, Run


def plan_of(run: Run) -> AnomalyPlan:
    """How the scores of `run` are judged."""
    settings = run.config.evaluate.anomaly.model_dump()
    return AnomalyPlan(background=run.config.prepare.background, seed=run.config.seed, **settings)


def evaluate(run: Run) -> None:
    """Judge every score on the same events, and each baseline beside the predictor."""
    plan = plan_of(run)
    judged: dict[str, Judged] = {}
    with run.reporter.progress("judging") as advance:
        for done, name in enumerate(run.names):
            advance(done / len(run.names), name)
            kind = "surrogate" if name == SURROGATE else "baseline"
            judged[name] = judge(name, kind, read_predictions(open_events(run.samples(name))), plan)
        advance(1.0, "")
    splits = open_splits(run)
    for name, found in judged.items():
        others = {other: compare(found, each) for other, each in judged.items() if other != name}
        content = {**found.content, "task": run.config.task, "against": others}
        if name == SURROGATE and Teacher.name in judged:
            content["fidelity"] = fidelity(judged[Teacher.name], found)
        write_json(run.scores(name), content)
        model = load_predictor(run.model()) if name == SURROGATE else None
        write_json(run.hists(name), views(found, [splits["reference"], splits["null"]], model, run.config.seed))
    remove_others(run)
    for name, found in judged.items():
        auc = ", ".join(
            f"{row['region']} {row['value']:.3f}" for row in found.content["scores"] if row["name"] == "auc"
        )
        run.reporter.say(f"  {name:<16} {found.content['chosen']}: AUC {auc or 'without signal'}")
