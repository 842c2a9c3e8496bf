"""The section `sweep` of a configuration: which keys are searched, and by which score."""

from __future__ import annotations

import math
from typing import Any, Literal

import yaml
from pydantic import Field, field_validator, model_validator

from facsim.config.sections import Section
from facsim.core.errors import FacsimError

Value = bool | int | float | str | None
TRAINING = "early_stopping"
"""The objective that is no score of a scorecard: the best score of the early stopping."""


class Parameter(Section):
    """The values of one key: listed, or from a range whose ends belong to it."""

    choice: list[Value] | None = Field(None, min_length=1)
    uniform: tuple[float, float] | None = None
    log_uniform: tuple[float, float] | None = None
    integer: tuple[int, int] | None = None
    log_integer: tuple[int, int] | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Parameter:
        if len(self.model_fields_set) != 1 or self.given is None:
            raise ValueError(f"give one of {list(Parameter.model_fields)}, for example log_uniform: [1.0e-4, 1.0e-2]")
        if self.kind != "choice":
            low, high = self.given
            if not low < high or not math.isfinite(high - low) or ("log" in self.kind and low <= 0):
                raise ValueError(f"a range rises, a log one from above 0, unlike {[low, high]}")
        return self

    @property
    def kind(self) -> str:
        """Name of the field that is given."""
        return next(iter(self.model_fields_set))

    @property
    def given(self) -> Any:
        """The values, or the ends of the range."""
        return getattr(self, self.kind)


class Sweep(Section):
    """A search over keys of the configuration.

    Args:
        parameters: dotted key, as for `--set`, to its values.
        trials: how many settings are tried.
        objective: name of a score of the scorecard, such as `auc_high` or `separation/e_ratio`; or `early_stopping`.
        region, protocol: of that score; by default over all energies, and the first protocol it has.
        direction: whether the smallest or the largest value is the best.
    """

    parameters: dict[str, Parameter] = Field(min_length=1)
    trials: int = Field(20, ge=1)
    objective: str = "auc_high"
    region: str = "all"
    protocol: str | None = None
    direction: Literal["minimize", "maximize"] = "minimize"

    @field_validator("parameters")
    @classmethod
    def _searchable(cls, parameters: dict[str, Parameter]) -> dict[str, Parameter]:
        for key in parameters:
            if key.split(".")[0] not in ("model", "train"):
                raise ValueError(f"a sweep searches keys of 'model' and 'train', on one truth, not '{key}'")
        return parameters


def settings_of(values: dict[str, Value]) -> list[str]:
    """`values` by dotted key as overrides of a configuration, exactly."""
    return [f"{key}={yaml.safe_dump(value).removesuffix('...' + chr(10)).strip()}" for key, value in values.items()]


def corners(parameters: dict[str, Parameter]) -> list[dict[str, Value]]:
    """Settings that contain every listed value and both ends of every range."""
    ends = {key: list(parameter.given) for key, parameter in parameters.items()}
    most = max(map(len, ends.values()))
    return [{key: values[min(i, len(values) - 1)] for key, values in ends.items()} for i in range(most)]


def check_objective(sweep: Sweep, early_stopping: bool) -> None:
    """Refuse the score of an early stopping that there is none of.

    Raises:
        FacsimError: `train.early_stopping` is not given.
    """
    if sweep.objective == TRAINING and not early_stopping:
        raise FacsimError(
            "the sweep's objective is 'early_stopping', but 'train.early_stopping' is not given: "
            "--set train.early_stopping.score=w1, or sweep.objective=auc_high."
        )
