"""A part chosen by name, with options: `{name: gan, critic_steps: 3}`, or the name alone."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from facsim.core.errors import FacsimError

Options = TypeVar("Options", bound=BaseModel)


class Choice(BaseModel):
    """A name and, as all other keys, the options of what has it."""

    model_config = ConfigDict(extra="allow", frozen=True)
    name: str

    @model_validator(mode="before")
    @classmethod
    def _name_alone(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value

    @property
    def options(self) -> dict[str, Any]:
        """Everything but the name."""
        return dict(self.__pydantic_extra__ or {})

    def with_defaults(self, **defaults: Any) -> Choice:
        """The same with `defaults` for the options that are not given."""
        return Choice(name=self.name, **{**defaults, **self.options})


def known(name: str, table: Iterable[str], what: str) -> None:
    """Refuse a `name` that is not in `table`; `what` is a word for its kind.

    Raises:
        FacsimError: it is not.
    """
    names = sorted(table)
    if name not in names:
        near = get_close_matches(name, names, 1)
        hint = f"; did you mean '{near[0]}'?" if near else "."
        raise FacsimError(f"unknown {what} '{name}': expected one of {names}{hint}")


def checked(kind: type[Options], given: dict[str, Any], where: str) -> Options:
    """Options of class `kind` from a mapping.

    Raises:
        FacsimError: an unknown key or a bad value, named as `where`.key.
    """
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        path = ".".join([where, *(str(part) for part in first["loc"])])
        if first["type"] == "extra_forbidden":
            raise FacsimError(f"unknown option '{path}': expected one of {sorted(kind.model_fields)}.") from None
        what = first["msg"].removeprefix("Value error, ")
        raise FacsimError(f"'{path}': {what} (got {first['input']!r}).") from None
