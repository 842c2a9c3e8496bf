"""Showers of a model that ships with facsim, without a run: a file in the community's format and a picture."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from facsim.core.errors import FacsimError
from facsim.core.events import Events, make_events
from facsim.core.rng import generator
from facsim.core.showerfile import write_showers
from facsim.models.sampling import TorchSampler
from facsim.models.shipped import load_shipped, shipped_card
from facsim.report.shipped import shower_picture

BATCH = 500
MEV = 1e3


def sample_shipped(
    name: str,
    out: str | Path | None = None,
    *,
    events: int = 1000,
    energy: str | float | None = None,
    steps: int | None = None,
    seed: int = 0,
    force: bool = False,
) -> dict[str, Any]:
    """Write showers of the shipped model `name` as a CaloChallenge file (MeV), and a picture beside it.

    Args:
        name: of the model, for example `par04`.
        out: the file; by default `<name>.h5` in the current folder.
        events: number of showers.
        energy: GeV: a number, or `low:high` for log-uniform ones; None takes the training range.
        steps: sampler steps; None takes the model's own.
        seed: of energies and showers.
        force: sample outside of the training range too.

    Raises:
        FacsimError: no such model, no energies, or energies outside of the training range.
    """
    model = load_shipped(name, **({} if steps is None else {"steps": steps}))
    low, high = _energies(energy, shipped_card(name)["training_range"][0], name, force)
    path = Path(f"{name}.h5" if out is None else out)
    rng = generator(seed, "shipped", name)
    cond = np.exp(rng.uniform(np.log(low), np.log(high), (events, 1)))
    sampler, kept, seconds = TorchSampler(model, name=name), [], [0.0]

    def batches() -> Iterator[Events]:
        schema = replace(model.schema, provenance={"generator": name, "seed": seed})
        for first in range(0, events, BATCH):
            part = cond[first : first + BATCH]
            started = time.perf_counter()
            x = sampler.sample(part, rng)
            seconds[0] += time.perf_counter() - started
            made = make_events(schema, x, part, first)
            kept.append(made[:BATCH])
            yield made

    write_showers(path, batches())
    picture = path.with_suffix(".png")
    shower_picture(kept, name, picture)
    return {
        "model": name,
        "events": events,
        "energy_GeV": [low / MEV, high / MEV],
        "seed": seed,
        "file": str(path),
        "picture": str(picture),
        "ms_per_shower": 1e3 * seconds[0] / events,
    }


def _energies(energy: str | float | None, trained: dict[str, Any], name: str, force: bool) -> tuple[float, float]:
    """Bounds in MeV."""
    least, most = float(trained["min"]), float(trained["max"])
    if energy is None:
        return least, most
    try:
        bounds = [MEV * float(part) for part in str(energy).split(":")]
    except ValueError:
        bounds = []
    if len(bounds) not in (1, 2) or not all(0 < bound < np.inf for bound in bounds) or bounds[0] > bounds[-1]:
        raise FacsimError(f"an energy is a number of GeV, as 10, or a range of them, as 1:50, not '{energy}'.")
    if not force and (bounds[0] < 0.99 * least or bounds[-1] > 1.01 * most):
        raise FacsimError(
            f"'{name}' was trained from {least / MEV:.3g} to {most / MEV:.3g} GeV, and {energy} is outside: choose "
            "--energy within, or add --force to extrapolate at your own risk."
        )
    return bounds[0], bounds[-1]
