"""Showers of a model that ships with facsim, without a run: a file in the community's format, a picture, a graph."""

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
from facsim.core.rng import generator, integer_seed
from facsim.core.showerfile import write_showers
from facsim.core.store import write_json
from facsim.export.card import file_facts
from facsim.export.check import check_export
from facsim.export.onnx import export_onnx
from facsim.models.shipped import ShippedSampler, load, shipped_names
from facsim.report.shipped import shower_picture
from facsim.run import Advance, Reporter

BATCH = 500
DRAWN = 2000
"""Showers at most of which the picture is made."""
MOST = 100_000_000
"""Showers of one file at most."""
MEV = 1e3
SENSIBLE = (1e-9, 1e9)
"""GeV between which an energy must lie even where one may extrapolate: the model computes in single precision."""
ROUNDING = 0.01
"""Share by which asked energies may lie outside of those that happened to be in the training sample."""

Energy = float | tuple[float, float] | str | None


@dataclass(frozen=True)
class Sampled:
    """Showers that were written.

    Attributes:
        model: name of the shipped model.
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
    """A shipped model that was exported: name, the ONNX graph, its card, its check, and its size in bytes."""

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


def meant(config: object) -> str | None:
    """The shipped model that `config` names, if any; a file of the same name comes first.

    Raises:
        FacsimError: a name that is neither of a file nor of a shipped model.
    """
    if not isinstance(config, str | Path) or Path(config).is_file() or Path(config).suffix:
        return None
    known, name = shipped_names(), str(config)
    if name not in known:
        raise FacsimError(f"'{name}' is neither a configuration file nor a model that ships with facsim: {known}.")
    return name


def chosen(own: Mapping[str, object], options: Mapping[str, object]) -> dict[str, Any]:
    """The options for a shipped model that were given, of its `own` and of those that all verbs share.

    Raises:
        FacsimError: options that only a run has.
    """
    refuse({key: options.get(key) for key in ("overrides", "smoke", "model")}, "are for runs, not for shipped models")
    shared = {key: options.get(key) for key in ("out", "seed", "force")}
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
    reporter: Reporter,
) -> Sampled:
    """Write showers of the shipped model `name` as a CaloChallenge file (MeV), and a picture beside it.

    Args:
        name: of the model, for example `par04`.
        out: the file; by default `<name>.h5` in the current folder.
        events: number of showers.
        energy: GeV: a number, or `"low:high"` or a pair for log-uniform ones; None takes the training range.
        candidates: draws of the pattern of which one is kept; None takes the model's own number.
        seed: of energies and showers.
        force: sample outside of the training range too.
        reporter: who is told of the progress.

    Raises:
        FacsimError: no such model, no energies, or energies outside of the training range.
    """
    if events != int(events) or not 1 <= events <= MOST:
        raise FacsimError(f"the number of showers must be whole, at least 1 and at most {MOST}, and {events} is not.")
    path = _file(f"{name}.h5" if out is None else out, (".h5", ".hdf5"))
    sampler = load(name, candidates=candidates)
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
    return Sampled(name, events, energies, seed, path, picture, 1e3 * kept.seconds / events, sampler.threads)


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
    origin = {"generator": sampler.name, "seed": seed, "weights": sampler.card["weights"]["sha256"]}
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


def _file(out: str | Path, suffixes: tuple[str, ...]) -> Path:
    """`out`, known to be a file of that kind before any time is spent on it.

    Raises:
        FacsimError: another suffix, so that a picture, a configuration or a run directory would be overwritten.
    """
    path = Path(out)
    if path.suffix not in suffixes or path.is_dir():
        kind = " or ".join(suffixes)
        raise FacsimError(f"of a shipped model --out is a file whose name ends in {kind}, and '{out}' is none.")
    return path


def energy_range(energy: Energy, trained: dict[str, Any], name: str, force: bool = False) -> tuple[float, float]:
    """Least and greatest energy (MeV) of what `energy` (GeV) asks of the model `name`, `trained` from min to max.

    Raises:
        FacsimError: no energies, or, without `force`, outside of the training range.
    """
    least, most = float(trained["min"]), float(trained["max"])
    if energy is None:
        return least, most
    parts = energy if isinstance(energy, tuple) else str(energy).split(":")
    try:
        bounds = [MEV * float(part) for part in parts]
    except ValueError:
        bounds = []
    if (
        len(bounds) not in (1, 2)
        or not all(SENSIBLE[0] <= bound / MEV <= SENSIBLE[1] for bound in bounds)
        or bounds[0] > bounds[-1]
    ):
        raise FacsimError(f"an energy is a number of GeV, as 10, or a range of them, as 1:50, not '{energy}'.")
    inside = bounds[0] >= (1 - ROUNDING) * least and bounds[-1] <= (1 + ROUNDING) * most
    if not inside and not force:
        raise FacsimError(
            f"'{name}' was trained from {least / MEV:.3g} to {most / MEV:.3g} GeV, and {_shown(bounds)} GeV is "
            "outside: choose energies within, or add --force to extrapolate at your own risk."
        )
    return bounds[0], bounds[-1]


def _shown(bounds: list[float]) -> str:
    return " to ".join(f"{bound / MEV:.4g}" for bound in bounds)


def export_shipped(
    name: str, out: str | Path | None = None, *, seed: int = 1, force: bool = False, reporter: Reporter
) -> Graph:
    """Write the shipped model `name` as one ONNX graph, with `<graph>.card.json` and `<graph>.check.json` beside it.

    Args:
        name: of the model.
        out: the graph; by default `<name>.onnx` in the current folder.
        seed: of the noise of the check.
        force: has no effect; all verbs take it.
        reporter: who is told of the progress.

    Raises:
        MissingExtraError: ONNX is not installed.
        FacsimError: no such model, or the graph does not agree with it.
    """
    path = _file(f"{name}.onnx" if out is None else out, (".onnx",))
    sampler, settings = load(name), ExportConfig()
    card, check = path.with_suffix(".card.json"), path.with_suffix(".check.json")
    trained = sampler.card["training_range"][0]
    with reporter.progress("exporting") as advance:
        export_onnx(sampler.model, path, settings.opset)
        advance(0.7, "checking against ONNX Runtime")
        cond = np.geomspace(trained["min"], trained["max"], max(settings.batch_sizes))[:, None]
        checked = check_export(sampler.model, path, cond, integer_seed(seed, "export"), settings.batch_sizes)
        advance(1.0, "")
    write_json(card, {**sampler.card, "graph": file_facts(path)})
    write_json(check, checked)
    return Graph(name, path, card, check, path.stat().st_size)
