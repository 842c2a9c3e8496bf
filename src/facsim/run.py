"""The run directory: where files lie, which stage is done, what produced it, and who works in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from facsim.config import RunConfig, save_config
from facsim.core.errors import FacsimError
from facsim.core.lock import locked
from facsim.core.store import read_json, write_json
from facsim.provenance import provenance

SURROGATE = "surrogate"
CLEARED = ("samples", "scores", "hists")
"""Folders from which stages remove what an earlier configuration left."""
Advance = Callable[[float, str], None]


class Reporter(Protocol):
    """Tells a person what goes on."""

    def say(self, text: str, style: str = "") -> None:
        """Show one line; `style` is `bold`, `dim`, `yellow` ..."""
        ...

    def progress(self, label: str) -> AbstractContextManager[Advance]:
        """Context with a function of (fraction done, note)."""
        ...


class Silent:
    """A reporter that says nothing."""

    def say(self, text: str, style: str = "") -> None:
        """Show nothing."""

    def progress(self, label: str) -> AbstractContextManager[Advance]:
        """A function that shows nothing."""
        return nullcontext(lambda fraction, note: None)


@dataclass(frozen=True)
class Run:
    """A run directory and its configuration; stages meet only through the files named here."""

    dir: Path
    config: RunConfig
    reporter: Reporter = field(default_factory=Silent)

    @property
    def truth(self) -> Path:
        return self.dir / "truth.h5"

    @property
    def data(self) -> Path:
        return self.dir / "data.json"

    @property
    def onnx(self) -> Path:
        return self.dir / "model.onnx"

    @property
    def report(self) -> Path:
        return self.dir / "report" / "index.html"

    @property
    def card(self) -> Path:
        return self.dir / "card.json"

    @property
    def check(self) -> Path:
        return self.dir / "check.json"

    @property
    def c_files(self) -> list[Path]:
        """Source and header of the C export, where the run has one."""
        export = self.config.export
        return [] if export is None or not export.c else [self.dir / f"{export.c_name}.{end}" for end in ("c", "h")]

    @property
    def variants(self) -> dict[str, Path]:
        """Variants of the exported graph by name."""
        export = self.config.export
        return {} if export is None else {name: self.dir / f"model.{name}.onnx" for name in export.variants}

    @property
    def triton(self) -> Path:
        """Folder that Triton serves models from."""
        return self.dir / "triton"

    @property
    def triton_files(self) -> list[Path]:
        """What is in it, where the run exports it."""
        served = None if self.config.export is None else self.config.export.triton
        names = ("config.pbtxt", "1/model.onnx")
        return [] if served is None else [self.triton / served.name / name for name in names]

    @property
    def application(self) -> Path:
        return self.dir / "application.json"

    @property
    def compressed(self) -> Path:
        """Table of compressed models."""
        return self.dir / "compressed" / "table.json"

    @property
    def timing(self) -> Path:
        return self.dir / "scores" / "timing.json"

    @property
    def curve(self) -> Path:
        return self.dir / "scores" / "steps.json"

    @property
    def names(self) -> list[str]:
        """Names of all that is sampled and judged: the surrogate if there is one, then the baselines."""
        surrogate = [] if self.config.model is None else [SURROGATE]
        return [*surrogate, *(baseline.name for baseline in self.config.baselines)]

    @property
    def steps(self) -> list[int]:
        """Lengths of the surrogate's sampler on the curve of quality against time."""
        return [] if self.config.model is None else sorted(set(self.config.sample.steps))

    def step_samples(self, steps: int) -> Path:
        return self.dir / "samples" / "steps" / f"{steps}.h5"

    def step_scores(self, steps: int) -> Path:
        return self.dir / "scores" / "steps" / f"{steps}.json"

    def model(self, name: str = SURROGATE) -> Path:
        return self.dir / "models" / name

    def samples(self, name: str) -> Path:
        return self.dir / "samples" / f"{name}.h5"

    def scores(self, name: str) -> Path:
        return self.dir / "scores" / f"{name}.json"

    def hists(self, name: str) -> Path:
        return self.dir / "hists" / f"{name}.json"

    def stamp(self, stage: str) -> Path:
        return self.dir / "stamps" / f"{stage}.json"

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep a second facsim process out of this directory, as `core.lock.locked` does.

        Raises:
            FacsimError: another process holds it, or the directory cannot be written.
        """
        with locked(self.dir, lambda text: self.reporter.say(text, "yellow")):
            yield

    def save(self, command: list[str]) -> None:
        """Write the resolved configuration and add this command to the provenance.

        Raises:
            FacsimError: the directory is no run's, and holds files where those of a run would replace them.
        """
        path = self.dir / "provenance.json"
        self._check_own(path)
        save_config(self.config, self.dir / "config.yaml")
        history = read_json(path)["history"] if path.is_file() else []
        entry = {"time": datetime.now(UTC).isoformat(timespec="seconds"), "command": command}
        write_json(path, {**provenance(self.config.seed), "history": [*history, entry]})

    def _check_own(self, provenance_file: Path) -> None:
        taken = [name for name in CLEARED if any((self.dir / name).glob("*"))]
        if taken and not provenance_file.is_file():
            raise FacsimError(
                f"'{self.dir}' is no run directory, and files in '{self.dir / taken[0]}' would be removed: "
                "choose another --out."
            )


def saved_config(out: Path) -> Path:
    """The configuration saved in the run directory `out`.

    Raises:
        FacsimError: there is none.
    """
    path = out / "config.yaml"
    if not path.is_file():
        raise FacsimError(f"'{out}' is not a run directory yet: give a configuration file (facsim init writes one).")
    return path
