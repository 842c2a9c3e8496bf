"""What a file of events holds: representation, named columns with units, geometry, provenance."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np

from facsim.core.cell_geometry import geometry_from_dict
from facsim.core.errors import FacsimError
from facsim.core.geometry import CylinderGeometry, Geometry

Representation = Literal["table", "grid", "cloud"]
SCHEMA = "schema"
LARGEST_ATTRIBUTE = 32_000
AXIAL_CONDITIONS = ("incident_energy", "pdg")


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
    """

    representation: Representation
    features: tuple[Feature, ...]
    conditions: tuple[Feature, ...] = ()
    geometry: Geometry | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict, compare=False)
    points: int | None = field(default=None, compare=False)

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
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Schema:
        """Schema from `to_dict`'s mapping.

        Raises:
            FacsimError: unknown representation or a missing key.
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
