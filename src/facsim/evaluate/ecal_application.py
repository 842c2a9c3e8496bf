"""A surrogate of calorimeter showers in its place: photons on the whole LHCb calorimeter, clusters, neutral pions.

Truth and surrogate answer the same particles: single photons, photons of neutral pions, and photons and electrons of
proton collisions. Windows are put on the cell map and overlaps added, clusters are found and corrected with a
calibration that was fitted to truth alone. A second answer of truth to the same particles is the null.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from facsim.core.errors import FacsimError, MissingExtraError
from facsim.core.image import ImageGeometry
from facsim.core.rng import generator, integer_seed
from facsim.core.schema import Schema
from facsim.evaluate.ecal_curves import curves, display, shown_part
from facsim.evaluate.ecal_reconstruction import Local, Responder, calibrated, respond, see_photons, see_pions
from facsim.evaluate.ecal_scores import Given, Seen, scores
from facsim.evaluate.physics import Physics
from facsim.metrics.domain import ConditionDomain, outside_score
from facsim.metrics.score import Score
from facsim.models.choices import checked
from facsim.physics.ecal_calibration import Calibration
from facsim.physics.ecal_clusters import find_clusters
from facsim.physics.ecal_event import Particles
from facsim.physics.ecal_map import LHCB, CellMap
from facsim.physics.ecal_photons import Pions, all_pairs, pair_mass, pion_gun, single_photons
from facsim.simulate.pythia_photons import pythia_photons

Advance = Callable[[float, str], None]
TRANSVERSE = 200.0
OVERLAID = 40
DOMAIN = 20_000
"""Conditions of truth by which its domain is known."""


class ECALOptions(BaseModel):
    """Options of the section `apply` of an ECAL run.

    Args:
        photons: single photons, for the calibration and again for the comparison. pions: neutral pions. collisions:
        proton collisions of Pythia; 0 leaves them out. energy: of single photons and of all photons that are answered,
        GeV, inside the range that showers are simulated in. pion_energy: GeV. slope: largest of the slopes dx/dz and
        dy/dz of particles from collisions. outside: whether particles outside of the training domain are counted and
        answered all the same (`flag`), or refused.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    photons: int = Field(3000, ge=300)
    pions: int = Field(3000, ge=100)
    collisions: int = Field(100, ge=0)
    energy: tuple[float, float] = (2.0, 80.0)
    pion_energy: tuple[float, float] = (6.0, 80.0)
    slope: float = Field(0.3, gt=0)
    outside: Literal["flag", "refuse"] = "flag"

    @field_validator("energy", "pion_energy")
    @classmethod
    def _increasing(cls, value: tuple[float, float], info: ValidationInfo) -> tuple[float, float]:
        if not 0 < value[0] < value[1]:
            raise ValueError("expected two increasing energies in GeV")
        if info.field_name == "pion_energy" and value[0] < 2 * info.data.get("energy", (0.0, 0.0))[0]:
            least = 2 * info.data["energy"][0]
            raise ValueError(
                f"expected to start at twice apply.energy ({least:g} GeV) at least, so that both photons of a pion are "
                "in the range"
            )
        return value


@dataclass(frozen=True)
class _Particles:
    """What all responders are given; `shown` is the displayed event, and `crowd` the collisions, or None."""

    photons: Particles
    pions: Pions
    crowd: Particles | None
    shown: Particles


def ecal_application(
    truth: Any, sampler: Responder, settings: Mapping[str, Any], seed: int, advance: Advance | None = None
) -> Physics:
    """Scores, curves and the display of an event of a surrogate on the whole calorimeter.

    Args:
        truth: the task's truth simulation: `respond(cond, rng)`, its schema by `event_schema()`, and what conditions it
            is asked for by `conditions(n, rng)`.
        sampler: the surrogate, of the same conditions and windows.
        settings: see `ECALOptions`.
        seed: of particles and showers.
        advance: told the fraction done and what is done.

    Raises:
        FacsimError: options that do not exist or cannot be, windows that are not square, too few photons, or particles
            outside of the training domain that shall be refused.
    """
    options, tell = checked(ECALOptions, dict(settings), "apply"), advance or (lambda done, note: None)
    local = _local(truth.event_schema(), LHCB)
    tell(0.0, "particles")
    notes: list[str] = []
    particles = _particles(options, LHCB, seed, notes)
    energy = _mev(options.energy)
    beyond = _outside(truth, particles, local, options.outside, seed)
    tell(0.1, "calibration")
    calibration = calibrated(truth.respond, local, options.photons, energy, seed)
    samples = {}
    rows = (("reference", truth.respond), ("null", truth.respond), ("generated", sampler))
    for k, (role, responder) in enumerate(rows):
        tell(0.25 + 0.25 * k, f"{role} showers")
        samples[role] = _seen(particles, responder, local, calibration, integer_seed(seed, "ecal", role))
    given = _given(particles, LHCB)
    notes.insert(
        0,
        f"{len(particles.photons)} photons and {len(particles.pions)} neutral pions on {LHCB.n_cells} cells, "
        "answered by truth twice and by the surrogate; clusters are calibrated with other photons of truth.",
    )
    shares = ", ".join(f"{100 * score.value:.2g} % of {score.name.removeprefix('outside/')}" for score in beyond)
    notes.append(f"Particles outside of the training domain: {shares}.")
    found = [*scores(samples, given, LHCB, seed), *beyond]
    return Physics(found, curves(samples, given, LHCB), [display(samples, LHCB)], notes)


def _outside(
    truth: Any, particles: _Particles, local: Local, action: Literal["flag", "refuse"], seed: int
) -> list[Score]:
    """Shares of particles of each kind where the truth simulation is not asked, and the surrogate was not trained."""
    cond = truth.conditions(DOMAIN, generator(seed, "ecal", "domain"))
    domain = ConditionDomain.fit(cond, [f.name for f in local.conditions], integer_seed(seed, "ecal", "domain"))
    kinds = {"photons": particles.photons, "pions": particles.pions.photons, "collisions": particles.crowd}
    there = {name: local(some) for name, some in kinds.items() if some is not None and len(some)}
    return [outside_score(name, domain.guard(cond, action, "surrogate")[0], seed) for name, cond in there.items()]


def _local(schema: Schema, place: CellMap) -> Local:
    if not isinstance(schema.geometry, ImageGeometry) or len(set(schema.geometry.image)) > 1:
        raise FacsimError(
            "showers on the whole calorimeter need square windows of cells, an image of as many rows as columns."
        )
    return Local(schema.conditions, place, schema.geometry.image[0])


def _particles(options: ECALOptions, place: CellMap, seed: int, notes: list[str]) -> _Particles:
    energy = _mev(options.energy)
    photons = single_photons(options.photons, energy, place, generator(seed, "ecal", "photons"))
    pions = pion_gun(options.pions, _mev(options.pion_energy), energy, place, generator(seed, "ecal", "pions"))
    crowd, few = None, pions.photons[: 2 * OVERLAID]
    shown = Particles(np.zeros_like(few.event), few.pdg, few.momentum, few.point)
    if options.collisions:
        try:
            own_seed = integer_seed(seed, "ecal", "collisions")
            crowd, _ = pythia_photons(options.collisions, place, energy, seed=own_seed, slope=options.slope)
            most = np.bincount(crowd.event).argmax() if len(crowd) else 0
            shown = crowd[crowd.event == most]
            shown = Particles(np.zeros_like(shown.event), shown.pdg, shown.momentum, shown.point)
            notes.append(
                f"{options.collisions} collisions of Pythia at 13.6 TeV with {len(crowd)} photons and electrons of "
                f"{options.energy[0]:g} to {options.energy[1]:g} GeV; no material before the calorimeter."
            )
        except MissingExtraError as error:
            notes.append(f"No collisions: {error}")
    return _Particles(photons, pions, crowd, shown)


def _seen(particles: _Particles, responder: Responder, local: Local, calibration: Calibration, seed: int) -> Seen:
    place = local.place
    found = {
        name: calibration(find_clusters(respond(some, responder, local, seed, name), place))
        for name, some in (("photons", particles.photons), ("pions", particles.pions.photons))
    }
    shown = respond(particles.shown, responder, local, seed, "shown")
    seen = Seen(
        see_photons(particles.photons, found["photons"], place),
        see_pions(particles.pions, found["pions"], place),
        shown_part(place.paint(shown.cell, shown.energy, density=False)),
    )
    if particles.crowd is None or not len(particles.crowd):
        return seen
    n = int(particles.crowd.event.max()) + 1
    crowd = calibration(find_clusters(respond(particles.crowd, responder, local, seed, "crowd"), place))
    first, second = all_pairs(crowd, TRANSVERSE, place)
    return replace(
        seen,
        counts=np.bincount(crowd.event, minlength=n).astype(np.float64),
        sums=np.bincount(crowd.event, crowd.energy, n).astype(np.float64),
        masses=pair_mass(crowd, first, second, place),
    )


def _given(particles: _Particles, place: CellMap) -> Given:
    pions = particles.pions
    pairs = pions.photons.energy.reshape(-1, 2)
    hard = pions.photons.point.reshape(-1, 2, 2)[np.arange(len(pions)), pairs.argmax(axis=1)]
    zones = [place.zone[place.find(*point.T)] for point in (particles.photons.point, hard)]
    return Given(zones[0], particles.photons.energy, pions.energy, pions.pt, zones[1])


def _mev(gev: tuple[float, float]) -> tuple[float, float]:
    return gev[0] * 1e3, gev[1] * 1e3
