"""Verify a model of a repository: files, card, weights, a few events, and the graph against torch."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from facsim.core.errors import FacsimError, MissingExtraError
from facsim.core.events import Events, make_events
from facsim.core.guard import read_json_guarded, safetensors_header
from facsim.core.plugins import load_plugin
from facsim.core.rng import generator, integer_seed
from facsim.export.card import describe_model, describe_predictor
from facsim.export.check import check_export, check_predictor
from facsim.export.guard import check_graph
from facsim.export.onnx import PredictorGraph, example_events
from facsim.models import EventModel, Predictor, RunModel
from facsim.models.sampling import TorchSampler
from facsim.models.shipped import load_fetched
from facsim.models.trained import read_card
from facsim.pipeline.shipped import trained_conditions
from facsim.repository.fetch import Fetched, fetch, find
from facsim.repository.manifest import CARD, GRAPH, MANIFEST, MODEL, SCORES, WEIGHTS, wrong_files
from facsim.repository.summary import summarise

EVENTS = 4
BATCHES = (1, 3)
OWN = ("format", "model", "options", "inputs", "output", "schema")
"""What a card repeats of the model."""


def verify_model(
    reference: str, repository: str | Path | None = None, plugins: Sequence[str | Path] = ()
) -> dict[str, Any]:
    """Look at everything in a version of a model, and use it once.

    Args:
        reference: `name` or `name@version`. repository: as of `facsim.load`.
        plugins: plug-in files that you have read and want to be run, for models of classes in them.

    Returns:
        `model`, `repository`, `passed`, and `checks`, each with `check`, `ok` (None where it could not be made) and
        `detail`. After damaged files, or a model that does not load, nothing further is opened.

    Raises:
        FacsimError: there is no such model, or a plug-in cannot be loaded.
    """
    for path in plugins:
        load_plugin(path)
    place, name, version = find(reference, repository)
    checks: list[dict[str, Any]] = []
    for check, work in _work(f"{name}@{version}", place.root):
        try:
            checks.append({"check": check, "ok": True, "detail": work()})
        except MissingExtraError as error:
            checks.append({"check": check, "ok": None, "detail": str(error)})
        except FacsimError as error:
            checks.append({"check": check, "ok": False, "detail": str(error)})
            if check in ("files", "card", "weights"):
                break
    passed = all(row["ok"] is not False for row in checks)
    return {"model": f"{name}@{version}", "repository": place.root, "passed": passed, "checks": checks}


def _work(reference: str, root: str) -> Iterator[tuple[str, Callable[[], str]]]:
    """Names of checks and what they do; each may use what those before it opened."""
    there = _Opened(reference, root)
    yield "files", there.files
    yield "card", there.read
    yield "weights", there.load
    yield "description", there.description
    yield "events", there.events
    if GRAPH in there.found.manifest.files:
        yield "graph", there.graph


class _Opened:
    """What the checks open, one after the other."""

    found: Fetched
    card: dict[str, Any]
    model: RunModel

    def __init__(self, reference: str, root: str) -> None:
        self.reference, self.root = reference, root

    def files(self) -> str:
        """Every file is as the manifest says, and there are no others."""
        place, name, version = find(self.reference, self.root)
        if place.is_local:
            manifest, folder = place.manifest(name, version), Path(place.file(name, version))
            wrong = wrong_files(folder, manifest)
            if wrong:
                raise FacsimError(" ".join(wrong))
        self.found = fetch(self.reference, self.root)
        manifest, origin = self.found.manifest, self.found.manifest
        with suppress(FacsimError):  # what was fetched can be verified without a network
            origin = place.manifest(name, version)
        if origin != manifest:
            raise FacsimError(
                f"'{self.found.folder}' is not what '{self.root}' has as '{self.reference}': a version was replaced."
            )
        strange = {path.name for path in self.found.folder.iterdir()} - {MANIFEST, *manifest.files}
        if strange:
            raise FacsimError(f"'{self.found.folder}' holds {sorted(strange)[:5]}, which its {MANIFEST} does not name.")
        return f"{len(manifest.files)} files, {manifest.bytes / 1e6:.2f} MB, as in the manifest"

    def read(self) -> str:
        """The card agrees with the manifest and the scorecard."""
        manifest, folder = self.found.manifest, self.found.folder
        self.card = card = read_card(folder / CARD)
        try:
            said = {"summary": summarise(card), "model": card["model"]}
            said["provenance"] = {key: card["provenance"].get(key) for key in manifest.provenance}
        except (KeyError, TypeError, AttributeError, ValueError, IndexError) as error:
            raise FacsimError(f"'{folder / CARD}' is no card of a model ({error!r}).") from None
        for key, value in said.items():
            if json.dumps(value, sort_keys=True) != json.dumps(getattr(manifest, key), sort_keys=True):
                raise FacsimError(f"the card of '{manifest.reference}' and its {MANIFEST} disagree on '{key}'.")
        for key, file in (("graph", GRAPH), ("weights", WEIGHTS)):
            facts = card.get(key)
            if facts is not None and file in manifest.files and facts["sha256"] != manifest.files[file]["sha256"]:
                raise FacsimError(f"the card of '{manifest.reference}' belongs to another '{file}'.")
        if SCORES in manifest.files and read_json_guarded(folder / SCORES).get("scores") != card["scores"]:
            raise FacsimError(f"the scores in the card of '{manifest.reference}' are not those of its '{SCORES}'.")
        return f"{len(card['scores'])} scores, trained on {_ranges(card)}"

    def load(self) -> str:
        """Names and shapes of the weights are those of the model described."""
        header = safetensors_header(self.found.folder / WEIGHTS)
        self.model = load_fetched(self.found)
        return f"{len(header)} arrays fit the model '{self.found.manifest.model}'"

    def description(self) -> str:
        """Inputs, outputs and events in the card are those of the model."""
        name = read_json_guarded(self.found.folder / MODEL)["model"]
        model, ranges = self.model, self.card["training_range"]
        if isinstance(model, Predictor):
            told = describe_predictor(model, name, ranges)
        else:
            assert isinstance(model, EventModel)
            told = describe_model(model, name, ranges)
        for key in OWN:
            if json.loads(json.dumps(told[key])) != self.card.get(key):
                raise FacsimError(f"the card of '{self.reference}' and its model disagree on '{key}'.")
        return "inputs, output and schema of the card are those of the model"

    def events(self) -> str:
        """A few events come out, of finite numbers and the shape that the card says."""
        if isinstance(self.model, Predictor):
            x = _examples(self.model)
            given = PredictorGraph(self.model)
            made = given(*example_events(self.model, EVENTS)).detach().numpy()
            what = f"scores of {len(x)} events"
        else:
            assert isinstance(self.model, EventModel)
            cond = trained_conditions(self.card, EVENTS)
            made = TorchSampler(self.model).sample(cond, generator(1, "verify", self.reference))
            what = f"{EVENTS} events"
        wanted = self.card["output"]["shape"][1:]
        if list(made.shape[1:]) != wanted or not np.isfinite(made).all():
            finite = "finite" if np.isfinite(made).all() else "not all finite"
            raise FacsimError(f"'{self.reference}' gives numbers of shape {made.shape[1:]}, {finite}, not {wanted}.")
        return f"{what} of shape {wanted}, finite"

    def graph(self) -> str:
        """The ONNX graph is sound and agrees with torch."""
        path = self.found.folder / GRAPH
        check_graph(path, self.card)
        if isinstance(self.model, Predictor):
            check_predictor(self.model, path, _examples(self.model), BATCHES)
        else:
            assert isinstance(self.model, EventModel)
            cond, seed = trained_conditions(self.card, max(BATCHES)), integer_seed(1, "verify", self.reference)
            check_export(self.model, path, cond, seed, BATCHES)
        return "agrees with torch"


def _examples(model: Predictor) -> Events:
    """The exporter's example events."""
    given = dict(zip(PredictorGraph(model).names, example_events(model, EVENTS), strict=True))
    arrays = {name: tensor.numpy() for name, tensor in given.items()}
    cond = arrays.get("condition", np.zeros((EVENTS, len(model.schema.conditions)), dtype=np.float32))
    return make_events(model.schema, arrays["events"], cond, mask=arrays.get("mask"))


def _ranges(card: Mapping[str, Any]) -> str:
    rows = card["training_range"][:3]
    words = [f"{r['name']} {r['min']:.5g} to {r['max']:.5g} {r['unit']}".strip() for r in rows]
    return ", ".join(words + ["..."] * (len(card["training_range"]) > 3)) or "no conditions"
