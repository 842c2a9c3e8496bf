"""Which model a farm samples, and at which conditions; read off its description, so that only workers load it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from facsim.config import load_config
from facsim.core import plugins
from facsim.core.errors import FacsimError
from facsim.core.events import EventSource, chunks
from facsim.core.schema import Schema
from facsim.core.sources import batch_rows, read_labels
from facsim.core.store import read_json
from facsim.data import open_events
from facsim.data.text_columns import SUFFIXES, TextColumns
from facsim.engines.conditions import FloatArray, Given
from facsim.engines.sampling import model_folder, weights_digest
from facsim.metrics.domain import ConditionDomain
from facsim.models.shipped import shipped_card, shipped_folder, shipped_names
from facsim.models.trained import CARD, is_run
from facsim.pipeline.truth import open_splits
from facsim.run import Reporter, Run, saved_config

if TYPE_CHECKING:
    from facsim.pipeline.shipped import Energy


@dataclass(frozen=True)
class Source:
    """A trained model, of a run or shipped.

    Attributes:
        place: folder of the run or of the shipped model. name: of the generator.
        schema: of its events. digest: of its weights.
        task: of the run. plugins: files that its class may be in. code: what changes when that does.
        trained: training range of a shipped model's energies.
        domain: training domain of a run's conditions, if it is known.
    """

    place: Path
    name: str
    schema: Schema
    digest: str
    task: str | None = None
    plugins: tuple[str, ...] = ()
    code: str | None = None
    trained: dict[str, Any] | None = None
    domain: ConditionDomain | None = None


def find_source(model: str | Path) -> Source:
    """The model of that name, or of the run in that directory.

    Raises:
        FacsimError: it is neither.
    """
    place = Path(model).absolute()
    if is_run(place):
        card = read_json(place / CARD) if (place / CARD).is_file() else {}
        domain = ConditionDomain.from_dict(card["domain"]) if card.get("domain") else None
        config = load_config(saved_config(place))
        code = None if config.model is None else plugins.identity("models", config.model.name)
        own = (config.task, tuple(config.plugins), code)
        return Source(place, "surrogate", _schema(place), weights_digest(place), *own, domain=domain)
    if str(model) in shipped_names():
        place, trained = shipped_folder(str(model)), shipped_card(str(model))["training_range"][0]
        return Source(place, str(model), _schema(place), weights_digest(place), trained=trained)
    raise FacsimError(
        f"'{model}' is neither a run directory with a trained surrogate nor a model that ships with facsim: "
        f"{shipped_names()}."
    )


def given_of(
    source: Source,
    conditions: str | Path | None,
    mapping: str | Path | None,
    energy: Energy,
    force: bool,
    reporter: Reporter,
) -> Given | None:
    """Conditions of a file, or of the truth sample B of a run; None where those of a shipped model are drawn.

    Raises:
        FacsimError: energies for a run or beside a file, a run without truth, conditions that do not fit the model, or
            energies outside of a shipped model's training range.
    """
    shipped = source.trained is not None
    if energy is not None and (conditions is not None or not shipped):
        raise FacsimError("--energy is for shipped models, without --conditions: a run takes conditions from a file.")
    if conditions is None and shipped:
        return None
    if conditions is not None:
        text = mapping is None and Path(conditions).suffix.lower() in SUFFIXES
        opened = None if text else open_events(conditions, mapping=mapping)
        given = _text(Path(conditions), source.schema) if opened is None else _columns(opened, source.schema)
    else:
        run = Run(source.place, load_config(saved_config(source.place)))
        labels = read_labels(open_splits(run)["null"])
        given = Given(labels.cond.astype(np.float64), labels.weight)
    width = len(source.schema.conditions)
    if not len(given.cond) or given.cond.shape[1] != width or not np.isfinite(given.cond).all():
        raise FacsimError(f"'{conditions or source.place}' has no finite conditions (N, {width}) for the model.")
    if source.trained is not None:
        _check_energies(given.cond, source, force)
    elif source.domain is not None:
        _, warning = source.domain.guard(source.schema.scalars(given.cond), "warn", f"run '{source.place.name}'")
        if warning:
            reporter.say(f"  warning: {warning}", "yellow")
    return given


def _schema(place: Path) -> Schema:
    return Schema.from_dict(read_json(model_folder(place) / "model.json")["schema"])


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
