"""Which model a farm samples, and at which conditions; read off its description, so that only workers load it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from facsim.config import load_config
from facsim.core import plugins
from facsim.core.errors import FacsimError
from facsim.core.events import EventSource, chunks
from facsim.core.schema import Schema
from facsim.core.showerfile import INCIDENT
from facsim.core.sources import batch_rows, read_labels
from facsim.core.store import read_json
from facsim.data import open_events
from facsim.data.text_columns import SUFFIXES, TextColumns
from facsim.engines.conditions import FloatArray, Given
from facsim.engines.sampling import weights_digest
from facsim.metrics.domain import ConditionDomain
from facsim.models.trained import CARD, COMPRESSED, FOLDER, is_run, read_card
from facsim.pipeline.truth import open_splits
from facsim.repository.fetch import fetch
from facsim.run import SURROGATE, Reporter, Run, saved_config

if TYPE_CHECKING:
    from facsim.pipeline.shipped import Energy


@dataclass(frozen=True)
class Source:
    """A trained model, of a run or of a repository.

    Attributes:
        folder: of weights and description. name: of the generator, with its version if it has one.
        schema: of its events. digest: of its weights.
        run: the directory, of a run's surrogate. task: of the run.
        plugins: files that its class may be in. code: what changes when that does.
        trained: training range of the incident energy, of a model by name that depends on it alone.
        domain: training domain of the conditions, if it is known.
    """

    folder: Path
    name: str
    schema: Schema
    digest: str
    run: Run | None = None
    task: str | None = None
    plugins: tuple[str, ...] = ()
    code: str | None = None
    trained: dict[str, Any] | None = None
    domain: ConditionDomain | None = None


def find_source(model: str | Path, repository: str | Path | None = None) -> Source:
    """The model of that name in a repository, as of `facsim.load`, or of the run or compressed model in that directory.

    Raises:
        FacsimError: it is none of these, or a compressed model without weights.
    """
    place = Path(model).absolute()
    if repository is None and is_run(place):
        return _of_run(place)
    if repository is None and (place / COMPRESSED).is_file():
        graph = (place / "model.onnx").is_file()
        why = "holds a graph alone" if graph else "holds no model, since it was worse than allowed"
        how = "take the run itself, or a compressed model with weights" if graph else "facsim compress --force keeps it"
        raise FacsimError(f"'{place}' {why}, and a farm samples models with weights: {how}.")
    try:
        found = fetch(str(model), repository)
    except FacsimError as error:
        raise FacsimError(f"'{model}' is neither a run with a trained surrogate nor a known model: {error}") from None
    source = _described(found.folder, found.manifest.reference, card := read_card(found.folder / CARD))
    alone = [feature.name for feature in source.schema.conditions] == [INCIDENT]
    return replace(source, trained=card["training_range"][0]) if alone and card.get("training_range") else source


def _of_run(place: Path) -> Source:
    """The surrogate of a run directory; or a compressed one, with truth and task of its run if that is around it."""
    compressed = (place / COMPRESSED).is_file()
    name, run = (place.name, place.parent.parent) if compressed else (SURROGATE, place)
    card = read_card(place / CARD) if (place / CARD).is_file() else {}
    if compressed and not (run / "config.yaml").is_file():
        return _described(place / FOLDER, name, card)
    config = load_config(saved_config(run))
    code = None if config.model is None else plugins.identity("models", config.model.name)
    own = {"run": Run(run, config), "task": config.task, "plugins": tuple(config.plugins), "code": code}
    return _described(place / FOLDER, name, card, **own)


def _described(folder: Path, name: str, card: dict[str, Any], **own: Any) -> Source:
    schema = Schema.from_dict(read_json(folder / "model.json")["schema"])
    domain = ConditionDomain.from_dict(card["domain"]) if card.get("domain") else None
    return Source(folder, name, schema, weights_digest(folder), domain=domain, **own)


def given_of(
    source: Source,
    conditions: str | Path | None,
    mapping: str | Path | None,
    energy: Energy,
    force: bool,
    reporter: Reporter,
) -> Given | None:
    """Conditions of a file, or of the truth sample B of a run; None where energies of a model by name are drawn.

    Raises:
        FacsimError: energies for other models or beside a file, a run without truth, no conditions where they are
            needed or such as do not fit the model, or energies outside of its training range.
    """
    if energy is not None and (conditions is not None or source.trained is None):
        raise FacsimError(
            "--energy is for models by name that depend on the energy alone, and without --conditions: others take "
            "conditions from a file."
        )
    if conditions is not None:
        text = mapping is None and Path(conditions).suffix.lower() in SUFFIXES
        opened = None if text else open_events(conditions, mapping=mapping)
        given = _text(Path(conditions), source.schema) if opened is None else _columns(opened, source.schema)
    elif source.trained is not None:
        return None
    elif source.run is None:
        names = [feature.name for feature in source.schema.conditions]
        raise FacsimError(f"'{source.name}' depends on {names[:6]}: give --conditions, a file that has them.")
    else:
        labels = read_labels(open_splits(source.run)["null"])
        given = Given(labels.cond.astype(np.float64), labels.weight)
    width = len(source.schema.conditions)
    if not len(given.cond) or given.cond.shape[1] != width or not np.isfinite(given.cond).all():
        raise FacsimError(f"'{conditions or source.name}' has no finite conditions (N, {width}) for the model.")
    if source.domain is not None:
        _, found = source.domain.guard(source.schema.scalars(given.cond), "warn", f"model '{source.name}'")
        if found:
            reporter.say(f"  warning: {found}", "yellow")
    elif source.trained is not None:
        _check_energies(given.cond, source, force)
    return given


def _check_energies(cond: FloatArray, source: Source, force: bool) -> None:
    from facsim.pipeline.shipped import MEV, energy_range  # noqa: PLC0415  draws pictures

    assert source.trained is not None
    bounds = (float(cond[:, 0].min()) / MEV, float(cond[:, 0].max()) / MEV)
    energy_range(bounds, source.trained, source.name, force)


def _text(path: Path, schema: Schema) -> Given:
    """The columns of a text file that are conditions of `schema`, in its units."""
    names = [feature.name for feature in schema.conditions]
    table = TextColumns(path, names)
    columns = table.read(0, len(table))
    return Given(np.column_stack([np.asarray(columns[name], dtype=np.float64) for name in names]), None)


def _columns(source: EventSource, schema: Schema) -> Given:
    """The columns of `source` that are conditions of `schema`: among its conditions, or its features."""
    wanted = schema.conditions
    there = {f.name: f.unit for f in (*source.schema.features, *source.schema.conditions)}
    lacking = [f.name for f in wanted if f.name not in there]
    if lacking:
        raise FacsimError(f"the file has no {lacking} for the model's conditions; it has {list(there)}.")
    other = [f for f in wanted if f.unit and there[f.name] and there[f.name] != f.unit]
    if other:
        found = there[other[0].name]
        raise FacsimError(f"the file gives {other[0].name} in {found}, and the model takes {other[0].unit}.")
    names = [f.name for f in source.schema.conditions]
    if all(f.name in names for f in wanted):
        labels = read_labels(source)
        return Given(labels.cond[:, [names.index(f.name) for f in wanted]].astype(np.float64), labels.weight)
    columns = [list(there).index(f.name) for f in wanted]
    batches = [
        np.column_stack([batch.x, batch.cond])[:, columns].astype(np.float64)
        for batch in chunks(source, batch_rows(source))
    ]
    return Given(np.concatenate(batches), None)
