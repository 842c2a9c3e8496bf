"""simulate: truth showers from Geant4 into `truth.h5`."""

from __future__ import annotations

from facsim.core.errors import FacsimError
from facsim.core.rng import integer_seed
from facsim.run import Run
from facsim.simulate.showers import Progress, simulate_showers


def simulate(run: Run) -> None:
    """Simulate the truth; finished chunks of an interrupted simulation are used again.

    Raises:
        FacsimError: the run is on one's own data, or as `simulate_showers`.
    """
    settings = run.config.simulate
    if settings is None:
        raise FacsimError("this run is on your own data: there is nothing to simulate.")
    with run.reporter.progress("Geant4") as advance:

        def tell(progress: Progress) -> None:
            advance(progress.done / progress.total, f"{progress.rate:.1f} showers/s, {progress.workers} workers")

        report = simulate_showers(settings, run.truth, integer_seed(run.config.seed, "simulate"), tell)
    if report.reused:
        run.reporter.say(f"  {report.reused} showers were there already")
    run.reporter.say(
        f"  {report.events} showers, {1000 * report.cpu_seconds / report.events:.1f} ms each, in {run.truth}"
    )
