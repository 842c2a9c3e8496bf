"""What a compressed model was made from and judged by, and whether that is what the run and the call say now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from facsim import __version__
from facsim.core.errors import FacsimError
from facsim.export.card import sha256
from facsim.pipeline.compression.methods import Asked
from facsim.pipeline.compression.record import Record, records
from facsim.run import Run
from facsim.stamps import fingerprint, read_stamp
from facsim.train.settings import NO_MATTER

Json = dict[str, Any]


@dataclass(frozen=True)
class Present:
    """The run as it is now, and the seed and `smoke` of the call.

    Attributes:
        weights, truth: checksums of the surrogate's weights and of truth and splits. train: settings of the training.
        judging: checksum of what scores depend on beside these.
    """

    run: Run
    seed: int
    smoke: bool
    weights: str
    truth: str | None
    train: Json
    judging: str

    @classmethod
    def of(cls, run: Run, seed: int | None, smoke: bool) -> Present:
        """Of `run`, with its own seed if none is given."""
        config, stamp = run.config, read_stamp(run.stamp("prepare"))
        judged = {"evaluate": config.evaluate.model_dump(mode="json"), "sample": config.sample.model_dump(mode="json")}
        return cls(
            run,
            config.seed if seed is None else seed,
            smoke,
            sha256(run.model() / "weights.safetensors"),
            None if stamp is None else stamp.identity,
            config.train.model_dump(mode="json", exclude=set(NO_MATTER)),
            fingerprint({"facsim": __version__, "seed": config.seed, **judged}),
        )

    def told(self, one: Asked) -> Json:
        """What determines the compressed model `one`.

        Raises:
            FacsimError: it starts from a compressed model that cannot be taken.
        """
        told = {"method": one.name, "options": one.options.model_dump(mode="json"), "label": one.label}
        return self._completed(told)

    def identity(self, told: Json) -> str:
        """Checksum of `told`, of the version and of the settings of the training."""
        return fingerprint({"facsim": __version__, **told, "train": self.train})

    def base(self, label: str, after: str | None) -> Record | None:
        """The compressed model that the one called `label` starts from; None where that is the original.

        Raises:
            FacsimError: it is not there, has no weights, or was not made of what there is now.
        """
        if after is None:
            return None
        found = Record(self.run, after)
        why = "not there, or without weights" if found.weights is None or after == label else self.other(found)
        if why is not None:
            names = [one.label for one in records(self.run) if one.weights is not None and self.other(one) is None]
            raise FacsimError(
                f"'{label}' cannot start from '{after}' ({why}): expected a compressed model of this run with weights, "
                f"one of {names}."
            )
        return found

    def other(self, record: Record) -> str | None:
        """Why the model of `record` would be another one today, in words; None when it would not."""
        content = record.content
        source = content.get("source")
        source = source if isinstance(source, dict) else {}
        seed, how = content.get("seed"), "with --smoke" if content.get("smoke") else "without --smoke"
        for is_other, why in (
            (not record.made(), "its files are missing or were changed"),
            (source.get("weights") != self.weights, "made of other weights"),
            (source.get("truth") != self.truth, "made with other truth"),
            (seed != self.seed, f"made with seed {seed}"),
            (content.get("smoke") != self.smoke, f"made {how}"),
        ):
            if is_other:
                return why
        try:
            told = self._completed({key: content.get(key) for key in ("method", "options", "label")})
        except FacsimError:
            return "it starts from a model that has changed"
        if content.get("identity") == self.identity(told):
            return None
        if source.get("start") != told["source"]["start"]:
            return "it starts from a model that has changed"
        return "made with other settings or by another version of facsim"

    def outdated(self, record: Record) -> str | None:
        """Why `record` cannot stand in the present table, in words; None when it can."""
        why = self.other(record)
        return why or (None if record.judged(self.judging) else "judged in another way")

    def _completed(self, told: Json) -> Json:
        options = told["options"] if isinstance(told["options"], dict) else {}
        base = self.base(str(told["label"]), options.get("after"))
        folder = self.run.model() if base is None else base.weights
        assert folder is not None
        source = {"weights": self.weights, "start": sha256(folder / "weights.safetensors"), "truth": self.truth}
        return {**told, "seed": self.seed, "smoke": self.smoke, "source": source}
