"""Make the small sample of Geant4 showers that ships with facsim.

    python benchmarks/make_sample.py [--events 400] [--out FILE]

Cell energies are rounded to 13 bits of mantissa (relative error below 1.3e-4, four significant digits), which the file
says in its provenance, so that the compressed file stays below 3 MB.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facsim.core.schema import Schema
from facsim.core.showerfile import append_showers, open_showers, read_extra, read_rows, read_schema
from facsim.core.store import atomic_path, open_hdf5
from facsim.simulate.sample import sample_path
from facsim.simulate.showers import ShowerSimulation, simulate_showers

SEED = 20220311
BITS = 13


def round_mantissa(values: NDArray[np.float32], bits: int) -> NDArray[np.float32]:
    """`values` rounded to `bits` bits of mantissa; zero stays zero."""
    drop = 23 - bits
    integers = values.view(np.uint32).astype(np.uint64)
    return ((integers + (1 << (drop - 1))) >> drop << drop).astype(np.uint32).view(np.float32)


def main() -> None:
    """Simulate, round, write."""
    parser = argparse.ArgumentParser(description="make the Geant4 sample that ships with facsim")
    parser.add_argument("--events", type=int, default=400)
    parser.add_argument("--workers", type=int, default=None)
    parser.add_argument("--out", type=Path, default=sample_path())
    arguments = parser.parse_args()
    settings = ShowerSimulation.parse(
        {
            "detector": "par04-w-si",
            "particle": "e-",
            "energy": {"log_uniform": [1, 50]},
            "events": arguments.events,
            "workers": arguments.workers,
        }
    )
    with tempfile.TemporaryDirectory() as folder:
        full = Path(folder) / "showers.h5"
        simulate_showers(settings, full, SEED, lambda p: print(f"{p.done}/{p.total}, {p.seconds_left} s left"))
        with open_hdf5(full) as source:
            schema = read_schema(source)
            assert schema is not None
            note = {"rounding": f"cell energies rounded to {BITS} bits of mantissa"}
            schema = Schema.from_dict(schema.to_dict() | {"provenance": {**schema.provenance, **note}})
            events = read_rows(source, schema, 0, settings.events)
            cpu_ms = np.asarray(read_extra(source, "cpu_ms", 0, settings.events))
        events.x[...] = round_mantissa(events.x, BITS)
        with atomic_path(arguments.out) as temporary, open_showers(temporary, "w") as target:
            append_showers(target, events, cpu_ms=cpu_ms)
    print(f"{arguments.out}: {settings.events} showers, {arguments.out.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
