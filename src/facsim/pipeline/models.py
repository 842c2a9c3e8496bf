"""Models in repositories: save a run's surrogate, show one, fetch one, serve one."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from facsim.config import load_config
from facsim.core.errors import FacsimError
from facsim.core.plugins import definition
from facsim.core.sources import read_labels
from facsim.core.store import read_json, write_json
from facsim.export.card import file_facts, make_card
from facsim.export.onnx import export_onnx
from facsim.export.triton import write_triton
from facsim.models import EventModel, Predictor
from facsim.models.checkpoint import load_trained
from facsim.models.shipped import load_fetched
from facsim.models.trained import read_card
from facsim.pipeline.lifecycle import stages_of
from facsim.pipeline.stage import reason
from facsim.pipeline.truth import open_splits
from facsim.provenance import provenance
from facsim.repository.fetch import fetch, find
from facsim.repository.manifest import CARD, CHECK, GRAPH, LICENCE, MODEL, PICTURE, SCORES, WEIGHTS
from facsim.repository.places import open_place
from facsim.repository.publish import check_free, make_manifest, publish, write_manifest
from facsim.repository.summary import summarise
from facsim.repository.versions import precedence
from facsim.run import SURROGATE, Reporter, Run, Silent, saved_config

NEEDED = ("train", "evaluate", "export")
LONGEST_LICENCE = 1 << 18
ORIGIN = ("truth", "seed", "git")


def save_model(
    out: str | Path,
    name: str,
    version: str,
    to: str | Path,
    *,
    licence: str,
    reporter: Reporter | None = None,
) -> dict[str, Any]:
    """Put the surrogate of a run into a repository, with its card, scorecard, graph and picture as far as it has them.

    Args:
        out: the run directory; what it holds is up to date.
        name, version: of the model; the version is a semantic one, and none that is there.
        to: folder or URL of the repository.
        licence: SPDX identifier such as `CC-BY-4.0`, or a text file.
        reporter: who is told; nobody by default.

    Returns:
        `model` (`name@version`), `where` and `bytes`.

    Raises:
        FacsimError: a stage has to run first, the version is there already, or the repository cannot be written.
    """
    run = Run(Path(out), load_config(saved_config(Path(out))), reporter or Silent())
    check_free(open_place(to), name, version)
    _check_ready(run)
    terms = _licence(licence)
    with TemporaryDirectory() as scratch:
        folder = Path(scratch) / "model"
        folder.mkdir()
        total = 0

        def fill(target: Path) -> None:
            nonlocal total
            total = _fill(run, target, name, version, terms)

        where = publish(to, name, version, fill, folder)
    return {"model": f"{name}@{version}", "where": where, "bytes": total}


def _check_ready(run: Run) -> None:
    if run.config.model is None:
        raise FacsimError(f"the run '{run.dir}' has no surrogate: its configuration says 'model: null'.")
    table = stages_of(run.config)
    for stage in (table[name] for name in NEEDED if name in table):
        why = reason(stage, run)
        if why is not None:
            raise FacsimError(
                f"a model is saved with results that belong to it, and for '{stage.name}' in '{run.dir}' {why}: run "
                f"facsim run --out {run.dir} first."
            )


def _licence(licence: str) -> tuple[str, str]:
    """Name and text of the licence."""
    path = Path(licence)
    if not path.is_file():
        if not licence.isprintable() or not 0 < len(licence) <= 100:
            raise FacsimError("the licence is an SPDX identifier such as CC-BY-4.0, or a text file.")
        return licence, f"SPDX-License-Identifier: {licence}\n"
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise FacsimError(f"the licence '{licence}' is no text file.") from None
    if len(text) > LONGEST_LICENCE:
        raise FacsimError(f"the licence '{licence}' has more than {LONGEST_LICENCE} characters.")
    return f"see {LICENCE}", text


def _fill(run: Run, folder: Path, name: str, version: str, terms: tuple[str, str]) -> int:
    """Write all files of the model; their bytes together."""
    for file in (WEIGHTS, MODEL):
        shutil.copyfile(run.model() / file, folder / file)
    shutil.copyfile(run.scores(SURROGATE), folder / SCORES)
    if run.config.export is None:
        write_json(folder / CARD, _card(run))
    else:
        for source, file in ((run.card, CARD), (run.check, CHECK), (run.onnx, GRAPH)):
            shutil.copyfile(source, folder / file)
    (folder / LICENCE).write_text(terms[1], encoding="utf-8")
    _picture(run, folder / PICTURE)
    card, kind = read_json(folder / CARD), run.config.surrogate.name
    manifest = make_manifest(
        folder,
        name,
        version,
        licence=terms[0],
        model=kind,
        summary=summarise(card),
        provenance={key: card["provenance"].get(key) for key in ORIGIN},
        plugin=definition("models", kind),
    )
    write_manifest(folder, manifest)
    return manifest.bytes


def _card(run: Run) -> dict[str, Any]:
    """The card of a run that exports no graph."""
    splits = open_splits(run)
    scores, cond = read_json(run.scores(SURROGATE))["scores"], read_labels(splits["train"]).cond
    origin = {**provenance(run.config.seed), "truth": dict(splits["train"].schema.provenance)}
    model = load_trained(run.model())
    assert isinstance(model, EventModel | Predictor)
    return make_card(model, run.config.surrogate.name, None, cond, scores, origin)


def _picture(run: Run, path: Path) -> None:
    """The picture that sums up the run, of runs that have one."""
    from facsim.report.card import card_figure  # noqa: PLC0415  matplotlib takes a second

    with suppress(FacsimError):
        shutil.copyfile(card_figure(run.dir), path)


def show_model(reference: str, repository: str | Path | None = None, out: str | Path | None = None) -> dict[str, Any]:
    """The card and the manifest of a model, and its versions.

    Args:
        reference: `name` or `name@version`. repository: as of `facsim.load`.
        out: file for its picture, PNG.

    Raises:
        FacsimError: there is no such model, its files are damaged, or it has no picture.
    """
    place, name, _ = find(reference, repository)
    found = fetch(reference, repository)
    shown = {
        "model": found.manifest.reference,
        "repository": found.root,
        "folder": str(found.folder),
        "versions": sorted(place.versions(name), key=precedence, reverse=True),
        "manifest": found.manifest.to_dict(),
        "card": read_card(found.folder / CARD),
    }
    if out is None:
        return shown
    path, picture = Path(out), found.folder / PICTURE
    if path.suffix != ".png" or path.is_dir():
        raise FacsimError(f"the picture of a model is a PNG: expected a file whose name ends in .png, not '{out}'.")
    if not picture.is_file():
        raise FacsimError(f"'{found.manifest.reference}' was saved without a picture: leave --out away.")
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(picture, path)
    return {**shown, "picture": str(path)}


def fetch_model(reference: str, repository: str | Path | None = None) -> dict[str, Any]:
    """Get a model onto this machine: `model`, `repository`, `folder`, `bytes`.

    Arguments as of `show_model`.

    Raises:
        FacsimError: there is no such model, or its files are damaged.
    """
    found = fetch(reference, repository)
    facts = {"repository": found.root, "folder": str(found.folder), "bytes": found.manifest.bytes}
    return {"model": found.manifest.reference, **facts}


def serve_model(
    reference: str, out: str | Path, *, repository: str | Path | None = None, batch: int = 64
) -> dict[str, Any]:
    """Write a folder from which Triton serves a model, as `export.triton` of a run does.

    Args:
        reference: `name` or `name@version`. repository: as of `facsim.load`.
        out: the folder; the model is one of the name in it. batch: largest batch of a call.

    Raises:
        MissingExtraError: ONNX is not installed.
        FacsimError: there is no such model, or a predictor that was saved without a graph.
    """
    found = fetch(reference, repository)
    card, graph = read_card(found.folder / CARD), found.folder / GRAPH
    with TemporaryDirectory() as scratch:
        if not graph.is_file():
            model, graph = load_fetched(found), Path(scratch) / GRAPH
            if not isinstance(model, EventModel):
                raise FacsimError(f"'{found.manifest.reference}' was saved without a graph: export its run first.")
            export_onnx(model, graph)
            card = {**card, "graph": file_facts(graph)}
        files = write_triton(graph, card, Path(out), found.manifest.name, batch)
    return {"model": found.manifest.reference, "out": str(out), "files": [str(path) for path in files]}
