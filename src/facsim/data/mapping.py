"""Mapping files: a YAML that says where a user's HDF5, ROOT or text file keeps what, in which units and in which order.

Showers as one array per event, energies in GeV and cells numbered with the layer fastest::

    incident_energy: {key: E_true, unit: GeV}
    cells: {key: hits, unit: keV, order: [r, alpha, layer]}      # slowest axis first
    geometry: ds2-electrons
    conditions:
      - {name: theta, key: angle, unit: deg}

Showers as lists of hit cells, in a ROOT tree (or HDF5 with variable-length arrays)::

    tree: events
    incident_energy: {key: EnergyMC, unit: MeV}
    cells: {id: {layer: zCell, alpha: phiCell, r: rhoCell}, energy: EnergyCell, unit: MeV, scale: 30.3}
    geometry: {file: binning.xml, particle: electron, threshold_MeV: 0.015}

A table of features::

    representation: table
    columns:
      - {name: pt, key: jets:pt, unit: GeV}      # field `pt` of a structured HDF5 data set `jets`
      - {name: mass, key: features, column: 3, unit: GeV}
    conditions:
      - {name: n_vertices, key: nPV}

Text files (CSV, TSV) hold tables too; a key is then the name of a column in the first line. Mappings that ship are in
`READY` and are given by name: `open_events("k_up_2016.csv", mapping="lhcb-rich")`.

All that is read becomes MeV, mm, ns and rad. Every key of the file format is a field below; an unknown key is refused.
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from facsim.core.errors import FacsimError
from facsim.core.showerfile import INCIDENT
from facsim.physics.units import to_base

READY = Path(__file__).with_name("mappings")
Axis = Literal["layer", "alpha", "r"]


def _known_unit(unit: str) -> str:
    try:
        to_base(unit)
    except FacsimError as error:
        raise ValueError(str(error)) from None
    return unit


def _energy_unit(unit: str) -> str:
    if to_base(_known_unit(unit))[1] != "MeV":
        raise ValueError("expected a unit of energy: eV, keV, MeV, GeV or TeV.")
    return unit


Unit = Annotated[str, AfterValidator(_known_unit)]
EnergyUnit = Annotated[str, AfterValidator(_energy_unit)]
Scale = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Strict(BaseModel):
    """Refuses keys that it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Quantity(Strict):
    """One number per event: `key` is an HDF5 path (`group/data`, `data:field`), a ROOT branch or a column of text.

    `column` picks one of an array's columns; the value is multiplied by `scale` after its unit is converted.
    """

    key: str
    unit: Unit = ""
    column: int | None = Field(default=None, ge=0)
    scale: Scale = 1.0

    @property
    def factor(self) -> float:
        """What to multiply the file's numbers by."""
        return to_base(self.unit)[0] * self.scale


class IncidentEnergy(Quantity):
    """The energy of the incident particle; its unit must be said."""

    unit: EnergyUnit


class NamedQuantity(Quantity):
    """A condition or column with the name that facsim shall use, e.g. `theta`, `phi` (rad), `x`, `y` (mm), `pdg`."""

    name: str = Field(min_length=1)


class CellIndices(Strict):
    """Lists of each hit's layer (as the geometry numbers it), sector and ring, counted from `Cells.first`."""

    layer: str
    alpha: str
    r: str


class Cells(Strict):
    """Cell energies: either `key`, an array of all cells, or `id` and `energy`, lists of the cells that were hit.

    `order` names the axes of the array or of the ids, slowest first; facsim's own is layer, alpha, r. `first` is the
    number of the first cell in `id`, 0 or 1. `counts` is for HDF5 files that keep the lists of all events end to end:
    the key of the number of hits per event. Hits in one cell are added.
    """

    unit: EnergyUnit
    key: str | None = None
    id: str | CellIndices | None = None
    energy: str | None = None
    counts: str | None = None
    order: tuple[Axis, Axis, Axis] = ("layer", "alpha", "r")
    first: int = Field(default=0, ge=0)
    scale: Scale = 1.0

    @property
    def factor(self) -> float:
        """What to multiply the file's cell energies by."""
        return to_base(self.unit)[0] * self.scale

    @model_validator(mode="after")
    def _one_layout(self) -> Self:
        if (self.key is None) == (self.id is None) or (self.id is None) != (self.energy is None):
            raise ValueError("give either 'key' (an array of all cells) or both 'id' and 'energy' (lists of hits).")
        if len(set(self.order)) != 3:
            raise ValueError("'order' must name layer, alpha and r once each.")
        return self


class EventMapping(Strict):
    """A whole mapping file; `delimiter` is what stands between the columns of a text file."""

    format: Literal["hdf5", "root", "text"] | None = None
    tree: str | None = None
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    representation: Literal["grid", "table"] = "grid"
    incident_energy: IncidentEnergy | None = None
    cells: Cells | None = None
    geometry: str | dict[str, Any] | None = None
    columns: tuple[NamedQuantity, ...] = ()
    conditions: tuple[NamedQuantity, ...] = ()
    event_id: str | None = None
    group_id: str | None = None
    weight: str | None = None

    @field_validator("columns", "conditions")
    @classmethod
    def _names_once(cls, quantities: tuple[NamedQuantity, ...]) -> tuple[NamedQuantity, ...]:
        names = [quantity.name for quantity in quantities]
        for name in names:
            if names.count(name) > 1 or name == INCIDENT:
                raise ValueError(f"the name '{name}' is taken: give each quantity its own.")
        return quantities

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.representation == "grid":
            if self.incident_energy is None or self.cells is None:
                raise ValueError("showers need 'incident_energy' and 'cells'; for a table say 'representation: table'.")
            if self.columns:
                raise ValueError("'columns' are for tables; name further quantities of showers under 'conditions'.")
        elif not self.columns or self.cells is not None or self.geometry is not None:
            raise ValueError("a table needs 'columns', and has neither 'cells' nor 'geometry'.")
        return self


def find_mapping(name: str | Path) -> Path:
    """The mapping file `name`, or the one that ships under that name.

    Raises:
        FacsimError: there is neither.
    """
    path = Path(name)
    if path.exists() or path.suffix or len(path.parts) > 1:
        return path
    known = sorted(ready.stem for ready in READY.glob("*.yaml"))
    if path.name not in known:
        raise FacsimError(f"there is no mapping file '{name}', and none of that name ships: expected one of {known}.")
    return READY / f"{path.name}.yaml"


def read_mapping(path: Path) -> EventMapping:
    """Read and check a mapping file.

    Raises:
        FacsimError: the file is missing or not YAML, or says something that is not understood; the sentence names
            the place, e.g. `cells.unit`.
    """
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FacsimError(f"cannot read the mapping file '{path}': {error.strerror}.") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise FacsimError(f"the mapping file '{path}' is not valid YAML: {' '.join(str(error).split())}.") from None
    if not isinstance(data, dict):
        raise FacsimError(f"the mapping file '{path}' must be a mapping of keys to values.")
    try:
        return EventMapping.model_validate(data)
    except ValidationError as error:
        raise FacsimError(_sentence(path, error)) from None


def _known_keys() -> set[str]:
    models = (EventMapping, Cells, CellIndices, NamedQuantity)
    return {name for model in models for name in model.model_fields}


def _sentence(path: Path, error: ValidationError) -> str:
    """The complaint of pydantic that helps most, as one sentence: a typo before what it left missing."""
    first = min(error.errors(), key=lambda one: (one["type"] != "extra_forbidden", "string_type" in one["type"]))
    known = _known_keys()
    place = ".".join(str(part) for part in first["loc"] if isinstance(part, int) or part not in ("str", "CellIndices"))
    where = f"mapping file '{path}'" + (f", '{place}'" if place else "")
    if first["type"] == "extra_forbidden":
        key = str(first["loc"][-1])
        near = difflib.get_close_matches(key, known, n=1)
        return f"{where}: unknown key" + (f"; did you mean '{near[0]}'?" if near else ".")
    if first["type"] == "missing":
        return f"{where}: this key is missing."
    text = first["msg"].removeprefix("Value error, ").rstrip(".")
    return f"{where}: {text[:1].lower()}{text[1:]}."
