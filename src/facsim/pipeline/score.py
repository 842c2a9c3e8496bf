"""score: a scorecard of any two files, with no run around it."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from facsim.core.errors import FacsimError
from facsim.core.events import EventSource
from facsim.core.sources import SubsetSource, read_labels
from facsim.core.store import write_json
from facsim.data import open_events
from facsim.data.splits import make_splits
from facsim.evaluate.scorecard import FEWEST_SHOWERS, Judge, Scorecard

OWN_NAMES = ("timing", "steps")


def score_files(
    reference: Path,
    generated: Path,
    train: Path | None = None,
    *,
    geometry: str | None = None,
    mapping: str | Path | None = None,
    out: Path | None = None,
    seed: int = 1,
) -> Scorecard:
    """Scorecard of the events in `generated` against truth; arguments as for `facsim.score`.

    Truth is divided in two disjoint samples, at random, each as large as the generated sample or half of truth;
    a larger generated sample is thinned to that size, so that a score and its null know the same number of events.

    Raises:
        FacsimError: files that are broken, of different geometries, or too small.
    """
    opened = partial(open_events, geometry=geometry, mapping=mapping)
    truth, judged = opened(reference), opened(generated)
    trained = None if train is None else opened(train)
    size = min(len(truth) // 2, len(judged))
    if size < FEWEST_SHOWERS:
        raise FacsimError(
            f"scores need at least {2 * FEWEST_SHOWERS} events of truth and {FEWEST_SHOWERS} to judge: "
            f"'{reference}' has {len(truth)}, '{generated}' has {len(judged)}."
        )
    halves = make_splits(read_labels(truth).group_id, len(truth), {"reference": size, "null": size}, seed)
    a, b = (SubsetSource(truth, halves[name]) for name in ("reference", "null"))
    name = generated.stem if generated.stem not in OWN_NAMES else f"{generated.stem}-sample"
    card, histograms = Judge(a, b, trained, seed=seed).judge(name, _thinned(judged, len(a), seed))
    if out is not None:
        write_json(out / "scores" / f"{name}.json", card.to_dict())
        write_json(out / "hists" / f"{name}.json", histograms)
        from facsim.report.page import write_report  # noqa: PLC0415  matplotlib is heavy

        write_report(out, title=f"{generated.name} against {reference.name}")
    return card


def _thinned(source: EventSource, size: int, seed: int) -> EventSource:
    if len(source) == size:
        return source
    return SubsetSource(source, make_splits(None, len(source), {"generated": size}, seed)["generated"])
