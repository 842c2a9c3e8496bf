"""study: which metric sees what, into `study.json` and `study.png`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from facsim.core.errors import FacsimError, MissingExtraError
from facsim.core.store import write_json
from facsim.data import open_events
from facsim.data.jetnet import JetNetReader, write_jetnet
from facsim.evaluate.study import StudySettings, run_study
from facsim.evaluate.study_sources import Study, source_study, toy_study
from facsim.run import Reporter
from facsim.simulate.pythia_jets import check_kind, pythia_jets
from facsim.simulate.sample import sample_path

POOL = 3  # jets to simulate for each of a sample: a reference, and twice as many to draw the others from


def study(
    truth: Path | None,
    *,
    jets: str | None,
    geometry: str | None,
    out: Path,
    settings: StudySettings,
    reporter: Reporter,
) -> dict[str, Any]:
    """Judge all metrics on samples with known differences; arguments as for `facsim.study`."""
    if jets is not None and truth is not None:
        raise FacsimError("a study takes jets to simulate or a file of truth, not both: leave out --jets or --truth.")
    if jets is not None:
        path = simulated_jets(jets, out, settings, reporter)
        return _run(source_study(JetNetReader(path), settings.events, jets), out, settings, reporter)
    if truth is None:
        return _run(toy_study(settings.events), out, settings, reporter)
    source = open_events(truth, geometry=geometry)
    return _run(source_study(source, settings.events), out, settings, reporter)


def study_all(*, out: Path, settings: StudySettings, reporter: Reporter) -> list[dict[str, Any]]:
    """The toy, gluon jets and the showers that come with facsim, each in a folder of its own below `out`."""
    found = [_run(toy_study(settings.events), out / "toy", settings, reporter)]
    try:
        found.append(study(None, jets="gluon", geometry=None, out=out / "jets", settings=settings, reporter=reporter))
    except MissingExtraError as error:
        reporter.say(f"  jets are left out: {error}", "yellow")
    showers = source_study(open_events(sample_path()), settings.events)
    return [*found, _run(showers, out / "showers", settings, reporter)]


def simulated_jets(kind: str, out: Path, settings: StudySettings, reporter: Reporter) -> Path:
    """Jets of Pythia in `out`, in a file of JetNet's layout."""
    check_kind(kind)
    path = out / f"{kind}.hdf5"
    with reporter.progress(f"simulating {kind} jets") as advance:
        jets = pythia_jets(POOL * settings.events, kind, settings.seed, lambda fraction: advance(fraction, ""))
    write_jetnet(path, jets)
    reporter.say(f"  {path}")
    return path


def _run(chosen: Study, out: Path, settings: StudySettings, reporter: Reporter) -> dict[str, Any]:
    from facsim.report.study import study_picture  # noqa: PLC0415  matplotlib is heavy

    with reporter.progress(f"studying metrics: {chosen.kind}") as advance:
        found = run_study(chosen, settings, advance)
    write_json(out / "study.json", found)
    study_picture(found, out / "study.png")
    reporter.say(f"  {out / 'study.json'}, {out / 'study.png'}")
    return found
