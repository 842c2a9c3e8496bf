"""Settings of the TPC digitiser."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Fraction = Annotated[float, Field(ge=0, le=1)]
NotNegative = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]


class TPCEffects(BaseModel):
    """Effects beyond MPD's own digitiser, all off by default.

    Args:
        gain: fluctuation of the gain of one electron: `polya` (theta 1.5, wires) or `gem` (sigma over mean 0.78).
        shaper: `gaussian` (190 ns at half height) or `semi-gaussian` (fourth order, peaking time 160 ns).
        noise: of each cell before the threshold, ADC.
        attachment: electrons lost per cm of drift.
        exb: tangent of the Lorentz angle near the wires: electrons move along the wire by it times their distance to
            the wire. wire_pitch: cm.
        gain_map: relative spread of the pads' gains; a pad keeps its gain, the same for all sectors.
        second_track: probability of a second track of the same momentum and any angles in the window.
        saturation: largest amplitude, ADC; none by default.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    gain: Literal["polya", "gem"] = "polya"
    shaper: Literal["gaussian", "semi-gaussian"] = "gaussian"
    noise: NotNegative = 0.0
    attachment: NotNegative = 0.0
    exb: float = 0.0
    wire_pitch: Positive = 0.3
    gain_map: NotNegative = 0.0
    second_track: Fraction = 0.0
    saturation: Positive | None = None


class DigitiserSettings(BaseModel):
    """How tracks become amplitudes.

    Args:
        species: of the particle.
        step: length of the steps (cm) in each of which the energy is spread evenly, as Geant steps are in MPD.
        intervals, highest: of the table of energies of a collision, see `physics.ionisation.TransferTable`. The
            MPD's simulation reads a table of this kind; its size and end are not published, and the defaults, like that
            of `step`, are set by the tail of MPD's public responses. `highest` (eV) null, best with many intervals,
            gives the physical tail, 1 / E^2.
        scale: ADC of one electron of mean gain in a peak.
        threshold: smaller amplitudes are 0, ADC.
        extension: time buckets read out before and after those that electrons reach.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    species: Literal["electron", "muon", "pion", "kaon", "proton"] = "pion"
    step: Positive = 0.75
    intervals: Annotated[int, Field(ge=100, le=100_000)] = 3000
    highest: Positive | None = 200e3
    scale: Positive = 1000 / 30 * 75 / (550 * 1.25 * 1.3)
    threshold: NotNegative = 0.9
    extension: Annotated[int, Field(ge=0, le=16)] = 3
    effects: TPCEffects = TPCEffects()


MPD_2019 = DigitiserSettings(intervals=20_000, highest=120e3, scale=1000 / 30, threshold=1.0, extension=0)
"""MPD's earlier digitiser, on another scale, which read out only buckets that electrons reach, with energies of
collisions up to 120 keV."""
