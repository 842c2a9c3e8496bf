"""What a compressed model was made from and judged by, and whether that is what the run and the call say now."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
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
        if (why := self._no_base(one.label, one.options.after)) is not None:
            names = [other.label for other in records(self.run) if self._no_base(one.label, other.label) is None]
            raise FacsimError(
                f"'{one.label}' cannot start from '{one.options.after}' ({why}): expected a compressed model of this "
                f"run with weights, one of {names}."
            )
        return self._told(one.name, one.options.model_dump(mode="json"), one.label)

    def identity(self, told: Json) -> str:
        """Checksum of `told`, of the version and of the settings of the training."""
        return fingerprint({"facsim": __version__, **told, "train": self.train})

    def base(self, after: str | None) -> Path:
        """The folder of the weights of the compressed model `after`, or of the original."""
        found = self.run.model() if after is None else Record(self.run, after).weights
        assert found is not None
        return found

    def _no_base(self, label: str, after: str | None) -> str | None:
        """Why the model called `label` cannot start from the one called `after`, in words; None where it can."""
        if after is None:
            return None
        record = Record(self.run, after)
        return "not there, or without weights" if record.weights is None or after == label else self.other(record)

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
        method, options, label = content.get("method"), content.get("options"), content.get("label")
        after = options.get("after") if isinstance(options, dict) else None
        if self._no_base(str(label), after) is not None:
            return "it starts from a model that has changed"
        told = self._told(method, options, label)
        if content.get("identity") == self.identity(told):
            return None
        if source.get("start") != told["source"]["start"]:
            return "it starts from a model that has changed"
        return "made with other settings or by another version of facsim"

    def outdated(self, record: Record) -> str | None:
        """Why `record` cannot stand in the present table, in words; None when it can."""
        why = self.other(record)
        return why or (None if record.judged(self.judging) else "judged in another way")

    def _told(self, method: Any, options: Any, label: Any) -> Json:
        start = self.base(options.get("after") if isinstance(options, dict) else None)
        source = {"weights": self.weights, "start": sha256(start / "weights.safetensors"), "truth": self.truth}
        made = {"method": method, "options": options, "label": label, "seed": self.seed, "smoke": self.smoke}
        return {**made, "source": source}
