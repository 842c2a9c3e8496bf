"""What a file of events holds: representation, named columns with units, geometry, provenance."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from facsim.core.errors import FacsimError
from facsim.core.geometry import CylinderGeometry

Representation = Literal["table", "grid", "cloud"]
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
    `conditions` are known per event before simulation. `provenance` says where the events come from.
    """

    representation: Representation
    features: tuple[Feature, ...]
    conditions: tuple[Feature, ...] = ()
    geometry: CylinderGeometry | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict, compare=False)

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
        known of it. An angle or a position breaks the symmetry."""
        return all(feature.name in AXIAL_CONDITIONS for feature in self.conditions)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready description; `from_dict` is its inverse."""
        return {
            "representation": self.representation,
            "features": [[f.name, f.unit] for f in self.features],
            "conditions": [[f.name, f.unit] for f in self.conditions],
            "geometry": None if self.geometry is None else self.geometry.to_dict(),
            "provenance": dict(self.provenance),
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
                geometry=None if geometry is None else CylinderGeometry.from_dict(geometry),
                provenance=dict(data.get("provenance", {})),
            )
        except KeyError as error:
            raise FacsimError(f"a schema needs the key {error}; it has {sorted(data)}.") from None


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
    geometry: CylinderGeometry,
    conditions: tuple[Feature, ...] = (Feature("incident_energy", "MeV"),),
    provenance: Mapping[str, Any] | None = None,
) -> Schema:
    """Schema of showers on `geometry`: one energy channel (MeV) a cell, conditioned on the incident energy (MeV)."""
    return Schema("grid", (Feature("energy", "MeV"),), conditions, geometry, dict(provenance or {}))
