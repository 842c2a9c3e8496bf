"""The folder of one compressed model: what is done in it, and whether it is kept as a model."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from facsim.core.errors import FacsimError
from facsim.core.store import read_json, write_json
from facsim.models.trained import COMPRESSED
from facsim.run import SURROGATE, Run
from facsim.stamps import FileMark, mark, unchanged

Json = dict[str, Any]
FOLDER, REFUSED = "compressed", "refused"
FORMAT = "facsim-compressed-1"
MODEL_FILES = ("models", "model.onnx", "card.json")


class Record:
    """`compressed/<label>/compress.json` and the files beside it.

    A model that is worse than allowed lies in the folder `refused`, where nothing looks for one; its scores stay.
    """

    def __init__(self, run: Run, label: str) -> None:
        self.label = label
        self.place = replace(run, dir=run.dir / FOLDER / re.sub(r"[^\w.=+-]", "_", label))
        self.path = self.place.dir / COMPRESSED
        self.content: Json = {}
        if self.path.is_file():
            try:
                self.content = dict(read_json(self.path))
            except (FacsimError, TypeError, ValueError):
                self.content = {}  # as if it had not been done

    @property
    def refused(self) -> Path:
        return self.place.dir / REFUSED

    @property
    def kept(self) -> bool:
        return not self.refused.is_dir()

    def open(self, identity: str, told: Json) -> None:
        """Begin, unless it goes on: what another compression left is removed."""
        if self.content.get("identity") != identity:
            shutil.rmtree(self.place.dir, ignore_errors=True)
            self.content = {"format": FORMAT, "identity": identity, **told}
            self._write()

    def made(self) -> bool:
        """Whether the model is there, unchanged."""
        return self._there("made")

    def judged(self, identity: str) -> bool:
        """Whether it is scored in the way of `identity`, and the scores are there, unchanged."""
        return self.content.get("judge") == identity and self._there("judged")

    def note(self, what: str, **content: Any) -> None:
        """Record that it is `made` or `judged`, the files as they are, and further `content`."""
        files = self._model_files() if what == "made" else [self.place.scores(SURROGATE), self.place.hists(SURROGATE)]
        marks = {str(path.relative_to(self.place.dir)): asdict(mark(path)) for path in files}
        self.content |= {what: marks, **content}
        self._write()

    def tell(self, **content: Any) -> None:
        """Add `content`."""
        self.content |= content
        self._write()

    def keep(self, keep: bool) -> None:
        """Put the model where it is found, or where it is not."""
        here, there = (self.refused, self.place.dir) if keep else (self.place.dir, self.refused)
        if keep == self.kept:
            return
        there.mkdir(parents=True, exist_ok=True)
        for name in MODEL_FILES:
            if (here / name).exists():
                (here / name).replace(there / name)
        if keep:
            self.refused.rmdir()

    @property
    def weights(self) -> Path | None:
        """The folder of the weights, wherever it is."""
        folder = self._base() / "models" / SURROGATE
        return folder if (folder / "model.json").is_file() else None

    @property
    def graph(self) -> Path | None:
        """The graph, wherever it is."""
        path = self._base() / "model.onnx"
        return path if path.is_file() else None

    @contextmanager
    def at_home(self) -> Iterator[None]:
        """Meanwhile the model lies where it is found."""
        kept = self.kept
        self.keep(True)
        try:
            yield
        finally:
            self.keep(kept)

    def _base(self) -> Path:
        return self.place.dir if self.kept else self.refused

    def _model_files(self) -> list[Path]:
        return [
            path
            for path in (self.place.onnx, *sorted(self.place.model().glob("*")))
            if path.is_file() and path.name in ("model.onnx", "weights.safetensors", "model.json")
        ]

    def _there(self, what: str) -> bool:
        marks = self.content.get(what)
        base = self._base() if what == "made" else self.place.dir
        try:
            return (
                isinstance(marks, dict)
                and bool(marks)
                and all(unchanged(FileMark(**m), base / name) for name, m in marks.items())
            )
        except (AttributeError, TypeError):
            return False

    def _write(self) -> None:
        write_json(self.path, self.content)


def records(run: Run) -> list[Record]:
    """Of all folders below `compressed` that were judged."""
    found = [Record(run, path.parent.name) for path in sorted((run.dir / FOLDER).glob(f"*/{COMPRESSED}"))]
    return [record for record in found if record.content.get("judged")]
