"""Truth of particle identification with LHCb's RICH detectors: differences of log-likelihoods of single tracks."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator, model_validator

from facsim.core.errors import FacsimError
from facsim.core.schema import Feature, Schema
from facsim.physics.rich import HYPOTHESES, SPECIES, FloatArray, IntArray
from facsim.physics.rich_observables import HITS_PER_TRACK
from facsim.physics.splot import fit_mass, sweights
from facsim.simulate.rich_kinematics import TRACKS, Tracks, draw_tracks, species_of
from facsim.simulate.rich_rings import simulate_dlls
from facsim.simulate.truth import Drawn, VectorisedSimulation

SpeciesName = Literal["e", "mu", "pi", "k", "p"]
FEATURES = tuple(Feature(f"RichDLL{name}") for name in HYPOTHESES)
MASS_WINDOW, MASS_PEAK, MASS_WIDTH, MASS_SLOPE = (1800.0, 1930.0), 1865.0, 8.0, 0.004
"""Of the discriminating variable of calibration samples, MeV: window, mean and width of the signal, and 1/MeV."""
SPD_SPREAD = 0.15
"""Logarithmic width of the number of SPD hits at a given number of tracks."""
FEWEST_FITTED = 1000
"""Tracks of a chunk with background, from whose masses the sWeights come."""
LARGEST_ETA, LARGEST_OCCUPANCY = 10.0, 1e5


class RichSimulation(VectorisedSimulation):
    """Tracks in the RICH detectors.

    The features are RichDLLe, RichDLLmu, RichDLLk, RichDLLp and RichDLLbt, log-likelihood differences to the pion. The
    conditions are the momentum P (MeV), eta, the occupancy, and with several species one column for each, such as
    `is_k`, that is 1 for tracks of that species and else 0.

    Args:
        species: of the tracks, in equal parts.
        kinematics: `calibration` (D0, J/psi, Lambda decays), or B0 -> K*0 mu mu (`b-zero`) and B+ -> K*+ mu mu
            (`b-plus`).
        occupancy: what is known of the event: its number of tracks, or of SPD hits.
        background: share of tracks that are none of the wanted kind. With it events have sWeights from a fit of the
            mass of the candidates, and the target (N, 2) holds the truth, 1 for signal, and the mass (MeV).
    """

    simulator: ClassVar[str] = "ring likelihoods"
    noun: ClassVar[str] = "tracks"

    species: Annotated[tuple[SpeciesName, ...], Field(min_length=1)] = ("k",)
    kinematics: Literal["calibration", "b-zero", "b-plus"] = "calibration"
    occupancy: Literal["nTracks", "nSPDHits"] = "nTracks"
    background: Annotated[float, Field(ge=0, le=0.9)] = 0.0
    chunk: Annotated[int, Field(ge=1)] = 20_000

    @field_validator("species", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value

    @model_validator(mode="after")
    def _possible(self) -> RichSimulation:
        known = species_of(self.kinematics)
        for name in self.species:
            if name not in known:
                raise ValueError(f"'{self.kinematics}' has tracks of {known}, and none of '{name}'")
        if len(set(self.species)) != len(self.species):
            raise ValueError(f"each species may be named once, not {list(self.species)}")
        if self.background and self.chunk < FEWEST_FITTED:
            raise ValueError(f"with background, chunk: the fit of the mass needs {FEWEST_FITTED}, not {self.chunk}")
        return self

    @property
    def chunk_events(self) -> int:
        """As even as can be with background: a short last chunk would leave its fit of the mass few tracks."""
        return -(-self.events // -(-self.events // self.chunk)) if self.background else self.chunk

    def schema_of(self) -> Schema:
        columns = [Feature("P", "MeV"), Feature("eta"), Feature(self.occupancy)]
        if len(self.species) > 1:
            columns += [Feature(f"is_{name}") for name in self.species]
        return Schema("table", FEATURES, tuple(columns))

    def generate(self, n: int, rng: np.random.Generator) -> Drawn:
        species = np.array([SPECIES.index(name) for name in self.species])[np.arange(n) % len(self.species)]
        rng.shuffle(species)
        tracks = self._tracks(species, rng)
        if not self.background:
            return Drawn(simulate_dlls(tracks, species, rng), self._conditions(tracks, species, rng))
        signal = rng.uniform(size=n) >= self.background
        # combinations of any tracks: mostly pions, softer than what is looked for
        actual = np.where(signal, species, np.where(rng.uniform(size=n) < 0.8, SPECIES.index("pi"), species))
        softer = np.where(signal, 1.0, rng.uniform(0.5, 1.0, n))
        tracks = Tracks(np.maximum(tracks.momentum * softer, 2000.0), tracks.eta, tracks.n_tracks)
        mass = _masses(signal, rng)
        fit = fit_mass(mass, MASS_WINDOW)
        weight = sweights(fit.densities(mass), fit.yields)[:, 0]
        x = simulate_dlls(tracks, actual, rng)
        target = np.column_stack([signal.astype(np.float64), mass])
        return Drawn(x, self._conditions(tracks, species, rng), weight, target)

    def respond(self, cond: NDArray[Any], rng: np.random.Generator) -> FloatArray:
        cond = np.asarray(cond, dtype=np.float64)
        names = [feature.name for feature in self.schema_of().conditions]
        if cond.ndim != 2 or cond.shape[1] != len(names):
            raise FacsimError(f"expected conditions of shape (N, {len(names)}) with columns {names}, not {cond.shape}.")
        _check_tracks(cond)
        which = np.zeros(len(cond), dtype=np.int64) if len(self.species) == 1 else cond[:, 3:].argmax(axis=1)
        species = np.array([SPECIES.index(name) for name in self.species])[which]
        n_tracks = cond[:, 2]
        if self.occupancy == "nSPDHits":
            n_tracks = _tracks_of_hits(n_tracks, rng)
        return simulate_dlls(Tracks(cond[:, 0], cond[:, 1], n_tracks), species, rng)

    def _tracks(self, species: IntArray, rng: np.random.Generator) -> Tracks:
        """Tracks at the places of their species."""
        columns = np.zeros((3, len(species)))
        for number in np.unique(species):
            here = species == number
            columns[:, here] = draw_tracks(self.kinematics, SPECIES[number], int(here.sum()), rng)
        return Tracks(*columns)

    def _conditions(self, tracks: Tracks, species: IntArray, rng: np.random.Generator) -> FloatArray:
        occupancy = tracks.n_tracks
        if self.occupancy == "nSPDHits":
            occupancy = np.round(occupancy * HITS_PER_TRACK * rng.lognormal(0, SPD_SPREAD, len(species)))
        columns = [tracks.momentum, tracks.eta, occupancy]
        if len(self.species) > 1:
            columns += [(species == SPECIES.index(name)).astype(np.float64) for name in self.species]
        return np.column_stack(columns)


def _check_tracks(cond: FloatArray) -> None:
    """Refuse conditions of tracks that cannot be.

    Raises:
        FacsimError: they are.
    """
    possible = np.isfinite(cond).all() and (cond[:, 0] > 0).all() and (np.abs(cond[:, 1]) <= LARGEST_ETA).all()
    if not possible or (cond[:, 2] < 0).any() or (cond[:, 2] > LARGEST_OCCUPANCY).any():
        raise FacsimError(
            f"tracks need finite conditions, a positive momentum (MeV), |eta| up to {LARGEST_ETA:g} and an occupancy "
            f"of 0 to {LARGEST_OCCUPANCY:g}."
        )
    marks = cond[:, 3:]
    if marks.shape[1] and not (np.isin(marks, (0, 1)).all() and (marks.sum(axis=1) == 1).all()):
        raise FacsimError("of the columns that mark the species of a track, such as 'is_k', one is 1 and the rest 0.")


def _tracks_of_hits(hits: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Numbers of tracks of events with so many SPD hits: what is known of all events, and of the hits, in logarithms.

    Both are Gaussian there, so that events at given hits are those that the simulation has at these hits.
    """
    median, width = TRACKS
    share = width**2 / (width**2 + SPD_SPREAD**2)
    centre = share * np.log(np.maximum(hits, 1.0) / HITS_PER_TRACK) + (1 - share) * np.log(median)
    found: FloatArray = np.exp(centre + np.sqrt(share) * SPD_SPREAD * rng.standard_normal(len(hits)))
    return found


def _masses(signal: NDArray[np.bool_], rng: np.random.Generator) -> FloatArray:
    """Masses of candidates, MeV: a Gaussian for signal, an exponential in the window for the rest."""
    low, high = MASS_WINDOW
    n = len(signal)
    peak = np.clip(rng.normal(MASS_PEAK, MASS_WIDTH, n), low, high)
    falling = low - np.log1p(-rng.uniform(size=n) * -np.expm1(-MASS_SLOPE * (high - low))) / MASS_SLOPE
    return np.where(signal, peak, falling)
