"""score: a scorecard of any two files, with no run around it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from facsim.core.errors import FacsimError
from facsim.core.store import write_json
from facsim.data import open_events
from facsim.data.checks import check_alike, check_events, compare_reports
from facsim.evaluate.files import score_files, score_jet_files
from facsim.evaluate.leaderboards.scored import check_readout, place_scores, scored_board
from facsim.evaluate.scorecard import Scorecard
from facsim.evaluate.shower_clouds import score_clouds
from facsim.physics.jet_schema import is_jets
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
    leaderboard: str | None = None,
    times: Mapping[str, float] | None = None,
) -> Scorecard:
    """Scorecard of the events in `generated` against truth; arguments as for `facsim.score`.

    What looks wrong in a file, such as its units, is said in the card's notes.

    Raises:
        FacsimError: files that are broken, of different geometries, or too small; a leaderboard that is not known or
            of another read-out.
    """
    if times and leaderboard is None:
        raise FacsimError("a cost is compared on a leaderboard: name one, e.g. --leaderboard ds2.")
    board = None if leaderboard is None else scored_board(leaderboard, times)
    opened = partial(open_events, geometry=geometry, mapping=mapping)
    truth, judged = opened(reference), opened(generated)
    trained = None if train is None else opened(train)
    name = f"{generated.stem}-sample" if generated.stem in OWN_NAMES else generated.stem
    check_alike(truth.schema, judged.schema, str(reference), str(generated))
    if board is not None:
        check_readout(board, truth.schema.geometry)
    checks = [check_events(source, str(path)) for path, source in ((reference, truth), (generated, judged))]
    warnings = [text for check in checks for text in check.warnings] + compare_reports(*checks)
    with reporter.progress("judging") as advance:
        if is_jets(truth.schema):
            card, histograms = score_jet_files(truth, judged, seed=seed, name=name)
            if train is not None:
                card.notes.append("There is no memorisation check of jets.")
        elif truth.schema.representation == "cloud":
            card, histograms = score_clouds(truth, judged, seed=seed, name=name)
            if train is not None:
                card.notes.append("There is no memorisation check of clouds; give a read-out to have it on cells.")
        else:
            card, histograms = score_files(truth, judged, seed=seed, name=name, train=trained)
        advance(1.0, "")
    card.notes.extend(f"warning: {text}" for text in warnings)
    if board is not None:
        card.leaderboard.update(place_scores(board, card.scores, times))
    if out is not None:
        from facsim.report.page import write_report  # noqa: PLC0415  matplotlib is heavy

        write_json(out / "scores" / f"{name}.json", card.to_dict())
        write_json(out / "hists" / f"{name}.json", histograms)
        write_report(out, title=f"{generated.name} against {reference.name}")
        if board is not None:
            from facsim.report.leaderboard import standing_pictures  # noqa: PLC0415

            for path in standing_pictures(board, card.leaderboard, generated.stem, out / "leaderboard"):
                reporter.say(f"  {path}")
    return card
