"""simulate: truth events of the run's simulator into `truth.h5`."""

from __future__ import annotations

from facsim.config import DataConfig, RunConfig
from facsim.core.errors import FacsimError
from facsim.core.rng import integer_seed
from facsim.data import open_events
from facsim.data.jetnet import export_jetnet
from facsim.run import Run
from facsim.simulate.sample import sample_path
from facsim.simulate.showers_progress import Progress


def simulate(run: Run) -> None:
    """Simulate the truth; finished chunks of an interrupted simulation are used again.

    Raises:
        FacsimError: the run is on one's own data, or as the simulation of its task.
    """
    settings = run.config.simulate
    if settings is None:
        raise FacsimError("this run is on your own data: there is nothing to simulate.")
    with run.reporter.progress(settings.simulator) as advance:

        def tell(progress: Progress) -> None:
            rate = f"{progress.rate:.1f} {settings.noun}/s, {progress.workers} workers"
            advance(progress.done / progress.total, rate)

        report = settings.simulate(run.truth, integer_seed(run.config.seed, "simulate"), tell)
    if getattr(settings, "jetnet", False):
        for path in export_jetnet(open_events(run.truth), run.dir):
            run.reporter.say(f"  {path}")
    if report.reused:
        run.reporter.say(f"  {report.reused} {settings.noun} were there already")
    each = 1000 * report.cpu_seconds / report.events
    run.reporter.say(f"  {report.events} {settings.noun}, {each:.3g} ms each, in {run.truth}")


def on_shipped_sample(config: RunConfig) -> RunConfig:
    """`config` with the showers that ship with facsim in place of a simulation."""
    return config.model_copy(update={"simulate": None, "data": DataConfig(files=[str(sample_path())])})
