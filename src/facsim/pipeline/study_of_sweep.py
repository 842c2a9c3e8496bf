"""Optuna's side of a sweep: which values are tried next, in a study on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from facsim.config.sweep import Parameter, Sweep
from facsim.core.errors import FacsimError, MissingExtraError
from facsim.core.rng import integer_seed

Json = dict[str, Any]
NAME = "facsim"


class Study:
    """A study in `study.db` that goes on where it was: a trial that was interrupted comes again.

    The values of trial k follow from the seed and the trials before it, whatever was interrupted between.
    """

    def __init__(self, study: Any, distributions: Json, seed: int) -> None:
        self.study, self.distributions, self.seed = study, distributions, seed

    @classmethod
    def open(cls, out: Path, sweep: Sweep, seed: int, identity: str) -> Study:
        """The study of `sweep` in `out`, a new one or the one that is there.

        Raises:
            FacsimError: Optuna is not installed, or `out` holds another sweep.
        """
        try:
            import optuna  # noqa: PLC0415  optional
        except ImportError:
            raise MissingExtraError("sweep", "optuna") from None
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        out.mkdir(parents=True, exist_ok=True)
        storage = f"sqlite:///{(out / 'study.db').absolute()}"
        names = optuna.get_all_study_names(storage)
        study = optuna.load_study(study_name=NAME, storage=storage) if NAME in names else None
        if study is not None and study.user_attrs.get("identity") != identity:
            if any(trial.value is not None for trial in study.get_trials(deepcopy=False)):
                raise FacsimError(
                    f"'{out}' holds a sweep of other parameters or settings: give the same ones, or another --out."
                )
            optuna.delete_study(study_name=NAME, storage=storage)  # nothing is lost
            study = None
        if study is None:
            study = optuna.create_study(storage=storage, study_name=NAME, direction=sweep.direction)
            study.set_user_attr("identity", identity)
        return cls(study, {key: _distribution(value) for key, value in sweep.parameters.items()}, seed)

    def next(self, most: int) -> tuple[int, Json] | None:
        """Number and values of the trial to do; None when there are `most`."""
        from optuna.trial import TrialState  # noqa: PLC0415

        unfinished = self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        if unfinished:
            return unfinished[0].number, dict(unfinished[0].params)
        number = len(self.study.get_trials(deepcopy=False))
        if number >= most:
            return None
        self.study.sampler = _sampler(self.seed, number)
        trial = self.study.ask(self.distributions)
        return trial.number, dict(trial.params)

    def tell(self, number: int, value: float | None) -> None:
        """Record the objective of a trial, None for one that failed."""
        from optuna.trial import TrialState  # noqa: PLC0415

        if value is None:
            self.study.tell(number, state=TrialState.FAIL)
        else:
            self.study.tell(number, value)

    def trials(self) -> list[tuple[int, Json, float | None]]:
        """Number, values and objective of all trials, in order."""
        found = self.study.get_trials(deepcopy=False)
        return [(trial.number, dict(trial.params), trial.value) for trial in found]


def _sampler(seed: int, number: int) -> Any:
    from optuna.samplers import TPESampler  # noqa: PLC0415

    return TPESampler(seed=integer_seed(seed, "sweep", number) % 2**32)


def _distribution(parameter: Parameter) -> Any:
    from optuna.distributions import (  # noqa: PLC0415
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )

    if parameter.kind == "choice":
        return CategoricalDistribution(parameter.given)
    low, high = parameter.given
    kind = IntDistribution if "integer" in parameter.kind else FloatDistribution
    return kind(low, high, log="log" in parameter.kind)
