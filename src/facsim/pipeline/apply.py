"""apply: the surrogate in its place - local responses built to a global detector and reconstructed, analyses done."""

from __future__ import annotations

from facsim.core.errors import FacsimError
from facsim.core.store import write_json
from facsim.evaluate.tasks import find_application
from facsim.pipeline.sample import load_surrogate
from facsim.pipeline.truth import truth_run
from facsim.run import Run


def apply(run: Run) -> None:
    """Write `application.json`: scores, curves and pictures of the surrogate beside truth in the task's application.

    Raises:
        FacsimError: the task has none, or the truth was not simulated by facsim, which it needs.
    """
    application, settings = find_application(run.config.task), run.config.apply
    simulation = truth_run(run).config.simulate
    if application is None or settings is None:
        raise FacsimError(f"the task '{run.config.task}' has no application.")
    if simulation is None:
        raise FacsimError(
            "an application compares with the task's own truth simulation, and this run is on your own data: "
            "set 'apply: null'."
        )
    sampler = load_surrogate(run).sample
    with run.reporter.progress("applying") as advance:
        found = application(simulation, sampler, settings, run.config.seed, advance)
        advance(1.0, "")
    write_json(run.application, found.to_dict())
    for score in found.scores:
        truth = f"truth {score.null:.4g} ± {score.null_error:.2g}"
        run.reporter.say(f"  {score.name:<28} {score.value:.4g} ± {score.error:.2g}  ({truth})")
