"""score: a scorecard of any two files, with no run around it."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from facsim.core.store import write_json
from facsim.data import open_events
from facsim.data.checks import check_alike, check_events, compare_reports
from facsim.evaluate.files import score_files
from facsim.evaluate.scorecard import Scorecard
from facsim.run import Reporter

OWN_NAMES = ("timing", "steps")


def score(
    reference: Path,
    generated: Path,
    train: Path | None,
    *,
    geometry: str | None,
    mapping: str | Path | None,
    out: Path | None,
    seed: int,
    reporter: Reporter,
) -> Scorecard:
    """Scorecard of the events in `generated` against truth; arguments as for `facsim.score`.

    What looks wrong in a file, such as its units, is said in the card's notes.

    Raises:
        FacsimError: files that are broken, of different geometries, or too small.
    """
    opened = partial(open_events, geometry=geometry, mapping=mapping)
    truth, judged = opened(reference), opened(generated)
    trained = None if train is None else opened(train)
    name = f"{generated.stem}-sample" if generated.stem in OWN_NAMES else generated.stem
    check_alike(truth.schema, judged.schema, str(reference), str(generated))
    checks = [check_events(source, str(path)) for path, source in ((reference, truth), (generated, judged))]
    warnings = [text for check in checks for text in check.warnings] + compare_reports(*checks)
    with reporter.progress("judging") as advance:
        card, histograms = score_files(truth, judged, seed=seed, name=name, train=trained)
        advance(1.0, "")
    card.notes.extend(f"warning: {text}" for text in warnings)
    if out is not None:
        from facsim.report.page import write_report  # noqa: PLC0415  matplotlib is heavy

        write_json(out / "scores" / f"{name}.json", card.to_dict())
        write_json(out / "hists" / f"{name}.json", histograms)
        write_report(out, title=f"{generated.name} against {reference.name}")
    return card
