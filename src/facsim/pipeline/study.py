"""study: which metric sees what, into `study.json` and `study.png`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from facsim.core.store import write_json
from facsim.data import open_events
from facsim.evaluate.study import StudySettings, study_showers, study_toys
from facsim.run import Reporter


def study(
    truth: Path | None, *, geometry: str | None, out: Path, settings: StudySettings, reporter: Reporter
) -> dict[str, Any]:
    """Judge all metrics on samples with known differences; arguments as for `facsim.study`."""
    from facsim.report.study import study_picture  # noqa: PLC0415  matplotlib is heavy

    source = None if truth is None else open_events(truth, geometry=geometry)
    with reporter.progress("studying metrics") as advance:
        found = study_toys(settings, advance) if source is None else study_showers(source, settings, advance)
    write_json(out / "study.json", found)
    study_picture(found, out / "study.png")
    reporter.say(f"  {out / 'study.json'}, {out / 'study.png'}")
    return found
