"""Showers of a model by name, without a run: a file in the community's format, a picture, a graph.

The model ships with facsim or is in a repository.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.config.sections import ExportConfig
from facsim.core.errors import FacsimError
from facsim.core.events import Events, make_events
from facsim.core.geometry import CylinderGeometry
from facsim.core.ranges import bounds, single
from facsim.core.rng import generator, integer_seed
from facsim.core.showerfile import write_showers
from facsim.core.store import write_json
from facsim.export.card import file_facts
from facsim.export.check import check_export
from facsim.export.onnx import export_onnx
from facsim.models.shipped import ShippedSampler, load
from facsim.report.shipped import shower_picture
from facsim.repository.fetch import find
from facsim.repository.manifest import WEIGHTS
from facsim.repository.versions import NAME, parse_reference
from facsim.run import Advance, Reporter

BATCH = 500
DRAWN = 2000
"""Showers at most of which the picture is made."""
MOST = 100_000_000
"""Showers of one file at most."""
MEV = 1e3
SENSIBLE = (1e-9, 1e9)
"""GeV between which an energy must lie even where one may extrapolate: the model computes in single precision."""

Energy = float | tuple[float, float] | str | None


@dataclass(frozen=True)
class Sampled:
    """Showers that were written.

    Attributes:
        model: its name and version.
        events: number of showers.
        energy_GeV: least and greatest incident energy asked for.
        seed: of energies and showers.
        file: the showers, a CaloChallenge file (MeV).
        picture: profiles and single showers, PNG.
        ms_per_shower: wall-clock time of sampling alone, without writing.
        threads: of the processor that the sampler may use.
    """

    model: str
    events: int
    energy_GeV: tuple[float, float]
    seed: int
    file: Path
    picture: Path
    ms_per_shower: float
    threads: int

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready summary."""
        return _plain(asdict(self))


@dataclass(frozen=True)
class Graph:
    """A model that was exported: name and version, the ONNX graph, its card, its check, and its size in bytes."""

    model: str
    graph: Path
    card: Path
    check: Path
    bytes: int

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready summary."""
        return _plain(asdict(self))


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {key: str(value) if isinstance(value, Path) else value for key, value in values.items()}


def meant(config: object, options: Mapping[str, object]) -> str | None:
    """The model that `config` names, if any, in the repository of `options`; a file of the same name comes first.

    Raises:
        FacsimError: a name that is neither of a file nor of a model, or a repository without a name.
    """
    where, text = options.get("repository"), str(config)
    if where is not None and config is None:
        raise FacsimError(f"which model of '{where}' is meant? Name it, as calo or calo@1.2.0.")
    if where is None and (not isinstance(config, str | Path) or Path(config).is_file()):
        return None
    version = "@" in text and NAME.fullmatch(text.partition("@")[0])
    if where is None and Path(text).suffix and not version:
        return None
    try:
        find(text, where if isinstance(where, str | Path) else None)
    except FacsimError as error:
        raise FacsimError(f"'{text}' is neither a configuration file nor a known model: {error}") from None
    return text


def chosen(own: Mapping[str, object], options: Mapping[str, object]) -> dict[str, Any]:
    """The options for a named model that were given, of its `own` and of those that all verbs share.

    Raises:
        FacsimError: options that only a run has.
    """
    runs = {"overrides (--set)": "overrides", "smoke": "smoke", "model": "model"}
    refuse({key: options.get(name) for key, name in runs.items()}, "are for runs, not for models by name")
    shared = {key: options.get(key) for key in ("out", "seed", "force", "repository")}
    return {key: value for key, value in {**own, **shared}.items() if value is not None}


def refuse(options: Mapping[str, object], why: str) -> None:
    """Refuse those of `options` that were given.

    Raises:
        FacsimError: there are some.
    """
    given = [key for key, value in options.items() if value is not None and value is not False and value != ()]
    if given:
        raise FacsimError(f"the options {given} {why}.")


def sample_shipped(
    name: str,
    out: str | Path | None = None,
    *,
    events: int = 1000,
    energy: Energy = None,
    candidates: int | None = None,
    seed: int = 1,
    force: bool = False,
    repository: str | Path | None = None,
    reporter: Reporter,
) -> Sampled:
    """Write showers of the model `name` as a CaloChallenge file (MeV), and a picture beside it.

    Args:
        name: of the model, for example `par04` or `calo@1.2.0`.
        out: the file; by default `<name>.h5` in the current folder.
        events: number of showers.
        energy: GeV: a number, or `"low:high"` or a pair for log-uniform ones; None takes the training range.
        candidates: draws of the pattern of which one is kept; None takes the model's own number.
        seed: of energies and showers.
        force: sample outside of the training range too.
        repository: folder or URL, as of `facsim.load`.
        reporter: who is told of the progress.

    Raises:
        FacsimError: no such model, one of other events, no energies, or energies outside of the training range.
    """
    if events != int(events) or not 1 <= events <= MOST:
        raise FacsimError(f"the number of showers must be whole, at least 1 and at most {MOST}, and {events} is not.")
    path = _file(f"{parse_reference(name).name}.h5" if out is None else out, (".h5", ".hdf5"))
    sampler = load(name, repository=repository, candidates=candidates)
    _check_showers(sampler)
    name = sampler.name
    low, high = energy_range(energy, sampler.card["training_range"][0], name, force)
    rng = generator(seed, "shipped", name)
    cond = np.exp(rng.uniform(np.log(low), np.log(high), (events, 1))).clip(low, high)
    kept = _Kept([])
    with reporter.progress(name) as advance:
        write_showers(path, _batches(sampler, cond, seed, rng, kept, advance))
    picture = path.with_suffix(".png")
    first = "" if events <= DRAWN else f", the first {DRAWN} of them"
    shower_picture(kept.events, f"{events} shower{'s' * (events > 1)} of {name}{first}", picture)
    energies = (low / MEV, high / MEV)
    return Sampled(
        sampler.manifest.reference, events, energies, seed, path, picture, 1e3 * kept.seconds / events, sampler.threads
    )


@dataclass
class _Kept:
    """The first showers, for the picture, and the seconds that sampling took."""

    events: list[Events]
    seconds: float = 0.0


def _batches(
    sampler: ShippedSampler,
    cond: NDArray[np.float64],
    seed: int,
    rng: np.random.Generator,
    kept: _Kept,
    advance: Advance,
) -> Iterator[Events]:
    """Showers at `cond`, a batch at a time, noted in `kept`."""
    version, weights = sampler.manifest.version, sampler.manifest.files[WEIGHTS]["sha256"]
    origin = {"generator": sampler.name, "version": version, "seed": seed, "weights": weights}
    schema = replace(sampler.schema, provenance=origin)
    for first in range(0, len(cond), BATCH):
        part = cond[first : first + BATCH]
        started = time.perf_counter()
        x = sampler.sample(part, rng)
        kept.seconds += time.perf_counter() - started
        made = make_events(schema, x, part, first)
        if first < DRAWN:
            kept.events.append(made)
        yield made
        advance((first + len(part)) / len(cond), f"{first + len(part)} showers")


def _check_showers(sampler: ShippedSampler) -> None:
    """Refuse a model whose events are no showers on a cylinder that depend on the incident energy alone.

    Raises:
        FacsimError: it is one.
    """
    schema = sampler.schema
    conditions = [feature.name for feature in schema.conditions]
    if not isinstance(schema.geometry, CylinderGeometry) or conditions != ["incident_energy"]:
        raise FacsimError(
            f"'{sampler.name}' makes {schema.representation} events at the conditions {conditions[:6]}, not showers in "
            f"a cylinder at an energy: sample it in Python, with facsim.load('{sampler.manifest.reference}', "
            "repository=...).events(conditions)."
        )


def _file(out: str | Path, suffixes: tuple[str, ...]) -> Path:
    """`out`, known to be a file of that kind before any time is spent on it.

    Raises:
        FacsimError: another suffix, so that a picture, a configuration or a run directory would be overwritten.
    """
    path = Path(out)
    if path.suffix not in suffixes or path.is_dir():
        kind = " or ".join(suffixes)
        raise FacsimError(f"of a model by name --out is a file whose name ends in {kind}, and '{out}' is none.")
    return path


def energy_range(energy: Energy, trained: dict[str, Any], name: str, force: bool = False) -> tuple[float, float]:
    """Least and greatest energy (MeV) of what `energy` (GeV) asks of the model `name`, `trained` from min to max.

    Raises:
        FacsimError: no energies, or, without `force`, outside of the training range (`core.ranges`).
    """
    least, most = float(trained["min"]), float(trained["max"])
    if energy is None:
        return least, most
    parts = energy if isinstance(energy, tuple) else str(energy).split(":")
    try:
        asked = [MEV * float(part) for part in parts]
    except ValueError:
        asked = []
    if (
        len(asked) not in (1, 2)
        or not all(SENSIBLE[0] <= one / MEV <= SENSIBLE[1] for one in asked)
        or asked[0] > asked[-1]
    ):
        raise FacsimError(f"an energy is a number of GeV, as 10, or a range of them, as 1:50, not '{energy}'.")
    low, high = bounds(least, most)
    if not force and not (single(asked[0]) >= low and single(asked[-1]) <= high):
        raise FacsimError(
            f"'{name}' was trained from {least / MEV:.3g} to {most / MEV:.3g} GeV, and {_shown(asked)} GeV is "
            "outside: choose energies within, or add --force to extrapolate at your own risk."
        )
    return asked[0], asked[-1]


def _shown(energies: list[float]) -> str:
    return " to ".join(f"{energy / MEV:.4g}" for energy in energies)


def export_shipped(
    name: str,
    out: str | Path | None = None,
    *,
    seed: int = 1,
    force: bool = False,
    repository: str | Path | None = None,
    reporter: Reporter,
) -> Graph:
    """Write the model `name` as one ONNX graph, with `<graph>.card.json` and `<graph>.check.json` beside it.

    Args:
        name: of the model.
        out: the graph; by default `<name>.onnx` in the current folder.
        seed: of the noise of the check.
        force: has no effect; all verbs take it.
        repository: folder or URL, as of `facsim.load`.
        reporter: who is told of the progress.

    Raises:
        MissingExtraError: ONNX is not installed.
        FacsimError: no such model, or the graph does not agree with it.
    """
    path = _file(f"{parse_reference(name).name}.onnx" if out is None else out, (".onnx",))
    sampler, settings = load(name, repository=repository), ExportConfig()
    card, check = path.with_suffix(".card.json"), path.with_suffix(".check.json")
    with reporter.progress("exporting") as advance:
        export_onnx(sampler.model, path, settings.opset)
        advance(0.7, "checking against ONNX Runtime")
        cond = trained_conditions(sampler.card, max(settings.batch_sizes))
        checked = check_export(sampler.model, path, cond, integer_seed(seed, "export"), settings.batch_sizes)
        advance(1.0, "")
    write_json(card, {**sampler.card, "graph": file_facts(path)})
    write_json(check, checked)
    return Graph(sampler.manifest.reference, path, card, check, path.stat().st_size)


def trained_conditions(card: Mapping[str, Any], n: int) -> NDArray[np.float64]:
    """Conditions (`n`, K) from one end of the training ranges of a card to the other."""
    ranges = [(float(row["min"]), float(row["max"])) for row in card["training_range"]]
    columns = [(np.geomspace if low > 0 else np.linspace)(low, high, n) for low, high in ranges]
    return np.stack(columns, axis=1) if columns else np.zeros((n, 0))
