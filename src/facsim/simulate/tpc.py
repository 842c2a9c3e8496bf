"""Truth of the task `tpc`: the detailed digitiser at conditions drawn evenly from ranges."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from facsim.core.schema import Schema
from facsim.physics import tpc
from facsim.physics.tpc_window import tpc_schema
from facsim.simulate.tpc_digitiser import digitise
from facsim.simulate.tpc_settings import DigitiserSettings
from facsim.simulate.truth import Drawn, VectorisedSimulation

Finite = Annotated[float, Field(allow_inf_nan=False)]
Range = tuple[Finite, Finite]


class TPCSimulation(VectorisedSimulation):
    """Local responses of the MPD TPC.

    Args:
        crossing_angle, dip_angle: ranges, deg, inside (-90, 90).
        drift_length: range, time buckets. pad_coordinate: range, pads. pt: range, GeV.
        pad_rows: pad rows that tracks cross, equally often; the response knows of a row only whether its pads are inner
            (below 27) or outer ones. The default is that of MPD's training data.
        digitiser: species, constants and effects.
    """

    simulator: ClassVar[str] = "detailed digitiser"
    noun: ClassVar[str] = "responses"

    crossing_angle: Range = (-20.0, 20.0)
    dip_angle: Range = (-60.0, 60.0)
    drift_length: Range = (25.0, 302.0)
    pad_coordinate: Range = (26.5, 42.5)
    pt: Range = (0.1, 2.5)
    pad_rows: Annotated[tuple[int, ...], Field(min_length=1)] = (23, 33)
    digitiser: DigitiserSettings = DigitiserSettings()

    @model_validator(mode="after")
    def _check(self) -> Self:
        limits = {
            "crossing_angle": (-90.0, 90.0),
            "dip_angle": (-90.0, 90.0),
            "drift_length": (0.0, float(tpc.BUCKETS)),
            "pad_coordinate": (0.0, float(tpc.pads_of_row(tpc.ROWS - 1))),
            "pt": (0.0, np.inf),
        }
        for name, (least, most) in limits.items():
            low, high = getattr(self, name)
            angle = name.endswith("angle")
            if not (least <= low <= high <= most) or ((angle or name == "pt") and (low <= least or high >= most)):
                raise ValueError(
                    f"{name}: the range must increase inside {least:g} to {most:g}, not {low:g} to {high:g}"
                )
        wrong = [row for row in self.pad_rows if not 0 <= row < tpc.ROWS]
        if wrong:
            raise ValueError(f"pad_rows: there is no pad row {wrong[0]}; a sector has the rows 0 to {tpc.ROWS - 1}")
        return self

    def schema_of(self) -> Schema:
        return tpc_schema()

    def generate(self, n: int, rng: np.random.Generator) -> Drawn:
        ranges = (self.crossing_angle, self.dip_angle, self.drift_length, self.pad_coordinate)
        columns = [rng.uniform(low, high, n) for low, high in ranges]
        cond = np.column_stack([*columns, rng.choice(self.pad_rows, n), rng.uniform(*self.pt, n)])
        return Drawn(self.respond(cond, rng), cond)

    def respond(
        self,
        cond: NDArray[Any],
        rng: np.random.Generator,
        *,
        span: NDArray[Any] | None = None,
        deposit: NDArray[Any] | None = None,
    ) -> NDArray[np.float32]:
        """Amplitudes (N, 128, 1) at the conditions (N, 6); `span` and `deposit` as in `digitise`.

        Raises:
            FacsimError: as `digitise`.
        """
        return digitise(cond, rng, self.digitiser, span=span, deposit=deposit)
