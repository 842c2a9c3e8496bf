"""What a file of events holds: representation, named columns with units, geometry, provenance."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from facsim.core.cell_geometry import geometry_from_dict
from facsim.core.errors import FacsimError
from facsim.core.geometry import CylinderGeometry, Geometry

Representation = Literal["table", "grid", "cloud"]
SCHEMA = "schema"
LARGEST_ATTRIBUTE = 32_000
AXIAL_CONDITIONS = ("incident_energy", "pdg")
GIVEN_FEATURES = 3
"""Columns of a given point: two places and a size, which is 0 where there is no point."""


@dataclass(frozen=True)
class Feature:
    """A named quantity and its unit (HEP units: MeV, mm, ns, rad; empty when it has none)."""

    name: str
    unit: str = ""


@dataclass(frozen=True)
class Schema:
    """Description of events.

    `features` are the columns of a table, the channels of a grid, the point features of a cloud;
    `conditions` are known per event before simulation. `provenance` says where the events come from. `points` is the
    size to which clouds are padded, None where it is not known; files of one kind may differ in it.

    `given` is a number of points that are known of each event before simulation, such as the particles of a jet before
    the detector: the last 3 * `given` conditions are these points, one after the other, zeros where there is none. They
    are conditions as far as arrays go, and no quantities to bin in, plot or guard one by one: `scalar_conditions` are.

    Raises:
        FacsimError: fewer conditions than the given points have columns.
    """

    representation: Representation
    features: tuple[Feature, ...]
    conditions: tuple[Feature, ...] = ()
    geometry: Geometry | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict, compare=False)
    points: int | None = field(default=None, compare=False)
    given: int = 0

    def __post_init__(self) -> None:
        given: object = self.given  # of a file, which may hold anything
        whole = isinstance(given, int) and not isinstance(given, bool)
        if not whole or not 0 <= GIVEN_FEATURES * self.given <= len(self.conditions):
            raise FacsimError(
                f"a schema with {len(self.conditions)} conditions cannot have {given!r} given points: they are "
                f"the last {GIVEN_FEATURES} conditions for each."
            )

    @property
    def scalar_conditions(self) -> tuple[Feature, ...]:
        """The conditions that are no coordinates of given points."""
        return self.conditions[: len(self.conditions) - GIVEN_FEATURES * self.given]

    def scalars(self, cond: NDArray[Any]) -> NDArray[Any]:
        """Columns of the `scalar_conditions`, (N, S), of conditions (N, K)."""
        return cond[:, : len(self.scalar_conditions)]

    def given_points(self, cond: NDArray[Any]) -> NDArray[Any]:
        """The given points (N, given, 3) of conditions (N, K)."""
        return cond[:, len(self.scalar_conditions) :].reshape(len(cond), self.given, GIVEN_FEATURES)

    def condition_index(self, name: str) -> int:
        """Column of the condition `name`.

        Raises:
            FacsimError: there is no such condition.
        """
        names = [feature.name for feature in self.conditions]
        if name not in names:
            raise FacsimError(f"the events have no condition '{name}'; they have {names}.")
        return names.index(name)

    @property
    def is_axial(self) -> bool:
        """Whether a shower turned about the particle's axis is as likely as before: nothing but energy and particle is
        known of it, and the read-out is a cylinder. An angle, a position or cells in a plane break the symmetry."""
        round_cells = self.geometry is None or isinstance(self.geometry, CylinderGeometry)
        return round_cells and all(feature.name in AXIAL_CONDITIONS for feature in self.conditions)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready description; `from_dict` is its inverse."""
        return {
            "representation": self.representation,
            "features": [[f.name, f.unit] for f in self.features],
            "conditions": [[f.name, f.unit] for f in self.conditions],
            "geometry": None if self.geometry is None else self.geometry.to_dict(),
            "provenance": dict(self.provenance),
            **({} if self.points is None else {"points": self.points}),
            **({"given": self.given} if self.given else {}),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Schema:
        """Schema from `to_dict`'s mapping.

        Raises:
            FacsimError: unknown representation, a missing key, or more given points than conditions.
        """
        try:
            if data["representation"] not in get_args(Representation):
                raise FacsimError(
                    f"unknown representation '{data['representation']}': expected one of {get_args(Representation)}."
                )
            geometry = data["geometry"]
            return cls(
                representation=data["representation"],
                features=tuple(Feature(*pair) for pair in data["features"]),
                conditions=tuple(Feature(*pair) for pair in data["conditions"]),
                geometry=None if geometry is None else geometry_from_dict(geometry),
                provenance=dict(data.get("provenance", {})),
                points=data.get("points"),
                given=data.get("given", 0),
            )
        except KeyError as error:
            raise FacsimError(f"a schema needs the key {error}; it has {sorted(data)}.") from None


def store_schema(group: Any, schema: Schema) -> None:
    """Write `schema` as JSON into an HDF5 group: its attribute `schema`, or, since HDF5 limits attributes to 64 kB, a
    data set of that name where the geometry is large."""
    text = json.dumps(schema.to_dict())
    if len(text) < LARGEST_ATTRIBUTE:
        group.attrs[SCHEMA] = text
    else:
        group.create_dataset(SCHEMA, data=np.frombuffer(text.encode(), dtype=np.uint8), compression="gzip")


def stored_schema(group: Any) -> str | None:
    """The JSON that `store_schema` wrote into an HDF5 group, None if there is none."""
    if SCHEMA in group:
        return bytes(group[SCHEMA][:]).decode(errors="replace")
    text: str | None = group.attrs.get(SCHEMA)
    return text


def given_conditions(points: int, features: tuple[Feature, ...], prefix: str) -> tuple[Feature, ...]:
    """Conditions that `points` given points of three `features` are: `gen0_etarel`, ... for the prefix `gen`."""
    return tuple(Feature(f"{prefix}{k}_{f.name}", f.unit) for k in range(points) for f in features)


def parse_schema(text: Any, where: str) -> Schema:
    """Schema from the JSON `text` stored in the file `where`.

    Raises:
        FacsimError: the text is missing, not JSON, or not a schema.
    """
    try:
        return Schema.from_dict(json.loads(text))
    except (ValueError, TypeError) as error:
        raise FacsimError(f"the schema stored in '{where}' cannot be read: {error}.") from None


def calorimeter_schema(
    geometry: Geometry,
    conditions: tuple[Feature, ...] = (Feature("incident_energy", "MeV"),),
    provenance: Mapping[str, Any] | None = None,
) -> Schema:
    """Schema of showers on `geometry`: one energy channel (MeV) a cell, conditioned on the incident energy (MeV)."""
    return Schema("grid", (Feature("energy", "MeV"),), conditions, geometry, dict(provenance or {}))
