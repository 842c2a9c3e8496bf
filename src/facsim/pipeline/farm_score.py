"""farm score: scorecards of many generated files against one truth, a file to a worker, and one page of all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from facsim.core.errors import FacsimError
from facsim.core.store import read_json, told_of, write_json
from facsim.data import open_events
from facsim.data.geometry import load_geometry
from facsim.data.mapping import find_mapping, read_mapping
from facsim.engines.shards import Job, Shard
from facsim.pipeline.farm import Farmed, How, Stamps, Work, farm, here
from facsim.pipeline.score import OWN_NAMES, judge_files
from facsim.pipeline.terminal import Terminal
from facsim.run import Advance, Reporter, Silent
from facsim.stamps import fingerprint, mark

LAYOUT = ("geometry", "mapping")
CARDS = ("scores", "hists")
FILES = ("train", "null")


def farm_score(
    reference: str | Path,
    generated: Sequence[str | Path],
    *,
    out: str | Path,
    seed: int = 1,
    geometry: str | None = None,
    mapping: str | Path | None = None,
    task: str | None = None,
    train: str | Path | None = None,
    null: str | Path | None = None,
    retries: int = 2,
    how: How | None = None,
    reporter: Reporter | None = None,
) -> Farmed:
    """Scorecards of many files: `scores/`, `hists/`, `summary.json` and the page `report/index.html` in `out`.

    Each is the card that `facsim.score` gives. A file that cannot be judged does not keep the others from it.

    Args:
        reference: truth. generated: files to judge, each named by its stem.
        out: folder of the results.
        seed, geometry, mapping, task, train, null: as of `facsim.score`.
        retries, how, reporter: as of `farm_sample`.

    Raises:
        FacsimError: as `farm`, no file to judge, a missing file, or two files of one name.
    """
    paths = [Path(path).absolute() for path in generated]
    if not paths:
        raise FacsimError("there is no generated file to judge.")
    names = [f"{path.stem}-sample" if path.stem in OWN_NAMES else path.stem for path in paths]
    twice = [name for name, number in Counter(names).items() if number > 1]
    if twice:
        raise FacsimError(f"several generated files are called '{twice[0]}': rename them, scores are kept by name.")
    further = {"reference": reference, "train": train, "null": null}
    files = {key: Path(path).absolute() for key, path in further.items() if path is not None}
    settings = {
        "seed": seed,
        "task": task,
        **_layout(geometry, mapping),
        **{key: mark(path).digest for key, path in files.items()},
    }
    named = {"geometry": geometry, "mapping": mapping}
    places = {key: str(path) for key, path in files.items()}
    places |= {key: _place(value) for key, value in named.items() if value is not None}
    versions = here("torch", "scipy")
    job = Job(f"{__name__}:make_shard", settings, Path(out), versions, places, ".json", retries)
    shards, first = [], 0
    for index, (path, name) in enumerate(zip(paths, names, strict=True)):
        stop = first + len(open_events(path, geometry=geometry, mapping=mapping, whole_table=True))
        shards.append(Shard(index, first, stop, {"name": name, "file": str(path), "digest": mark(path).digest}))
        first = stop
    finish = partial(_collect, job, shards, Path(reference).name)
    return farm(Work(job, shards, "events", finish, partial=True), how or How(), reporter or Terminal())


def _layout(geometry: str | None, mapping: str | Path | None) -> dict[str, str | None]:
    """Checksums of what a read-out and a mapping file say, and the files that these name; their places do not count."""
    found: dict[str, str | None] = dict.fromkeys(LAYOUT)
    if geometry is not None:
        found["geometry"] = fingerprint(load_geometry(geometry).to_dict())
    if mapping is not None:
        path = find_mapping(mapping)
        spec = read_mapping(path)
        named = None if geometry is not None or spec.geometry is None else load_geometry(spec.geometry, path.parent)
        cells = None if named is None else named.to_dict()
        found["mapping"] = fingerprint([spec.model_dump(mode="json", exclude={"geometry"}), cells])
    return found


def _place(name: str | Path) -> str:
    """A file's absolute path, for workers that are elsewhere; the name of what ships."""
    return str(Path(name).absolute() if Path(name).is_file() else name)


def make_shard(job: Job, shard: Shard, path: Path) -> dict[str, Any]:
    """Judge one file; in a worker."""
    card, histograms = judge_files(
        Path(job.places["reference"]),
        Path(shard.item["file"]),
        *(Path(job.places[key]) if key in job.places else None for key in FILES),
        **{key: job.places.get(key) for key in LAYOUT},
        task=job.settings["task"],
        seed=job.settings["seed"],
        name=shard.item["name"],
        reporter=Silent(),
    )
    write_json(path, {"card": card.to_dict(), "histograms": histograms})
    return {"rows": shard.events}


def _collect(job: Job, shards: list[Shard], truth: str, stamps: Stamps, advance: Advance) -> dict[str, Path]:
    """Cards, histograms and a page of what was judged."""
    from facsim.report.page import write_report  # noqa: PLC0415  matplotlib is heavy

    made = [shard for shard in shards if shard.index in stamps]
    names = [f"{shard.item['name']}.json" for shard in made]
    for path in [path for kind in CARDS for path in (job.folder / kind).glob("*.json") if path.name not in names]:
        with told_of(path):
            path.unlink()  # of files that are not asked for any more
    if not made:
        return {}
    files, rows = {}, []
    for shard in made:
        name, found = shard.item["name"], read_json(job.file(shard))
        files[name] = job.folder / "scores" / f"{name}.json"
        write_json(files[name], found["card"])
        write_json(job.folder / "hists" / f"{name}.json", found["histograms"])
        rows.append(_row(name, found["card"]))
    advance(0.3, "page")
    files["summary"] = job.folder / "summary.json"
    write_json(files["summary"], rows)
    files["report"] = write_report(job.folder, title=f"{len(made)} samples against {truth}")
    return files


def _row(name: str, card: Mapping[str, Any]) -> dict[str, Any]:
    """The headline scores of a card."""
    found: dict[str, Any] = {"name": name, "n": card["n"]["generated"]}
    for score in card["scores"]:
        key = score["name"]
        if key in ("auc_high", "auc_cells", "fpd", "kpd") and score.get("region", "all") == "all" and key not in found:
            found[key] = {part: score[part] for part in ("value", "error", "null", "z") if part in score}
    return found
