"""The folder of one compressed model: what is done in it, and whether it is kept as a model."""

from __future__ import annotations

import re
import shutil
from contextlib import suppress
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
NEW, OLD = ".new", ".old"
"""Folders below `FOLDER`: of what is being made, and of what makes room for it."""
FORMAT = "facsim-compressed-1"
MODEL_FILES = ("models", "model.onnx", "card.json")


class Record:
    """`compressed/<label>/compress.json` and the files beside it.

    A model that is worse than allowed lies in the folder `refused`, where nothing looks for one; its scores stay.
    One that is being made lies in `compressed/.new/<label>` until it is judged, so that an earlier one stays meanwhile.
    """

    def __init__(self, run: Run, label: str, *, new: bool = False) -> None:
        self.run, self.label = run, label
        folder = run.dir / FOLDER / NEW if new else run.dir / FOLDER
        self.place = replace(run, dir=folder / re.sub(r"[^\w.=+-]", "_", label))
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

    def begin(self, identity: str, told: Json) -> Record:
        """The record of a new one, or of one that goes on; where only the judging is another, with the same model."""
        new = Record(self.run, self.label, new=True)
        if new.content.get("identity") == identity:
            for path in new.place.dir.rglob(".*"):
                if path.is_file():  # of a write that was killed
                    path.unlink()
            new.keep(True)
            return new
        shutil.rmtree(new.place.dir, ignore_errors=True)
        new.content = {"format": FORMAT, "identity": identity, **told}
        new.place.dir.mkdir(parents=True)
        if self.content.get("identity") == identity and self.made():
            for path in self._model_files():
                copy = new.place.dir / path.relative_to(self._base())
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(path, copy)
            new.content |= {key: self.content[key] for key in ("made", "facts", "seconds") if key in self.content}
        new._write()
        return new

    def finish(self) -> None:
        """Put a new one where it belongs, in the place of an earlier one; nothing where it lies there already."""
        final = Record(self.run, self.label)
        if final.path == self.path:
            return
        old = self.run.dir / FOLDER / OLD / final.place.dir.name
        if final.place.dir.exists():
            old.parent.mkdir(exist_ok=True)
            final.place.dir.replace(old)
        self.place.dir.replace(final.place.dir)
        self.place, self.path = final.place, final.path
        tidy(self.run)

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

    def _base(self) -> Path:
        return self.place.dir if self.kept else self.refused

    def _model_files(self) -> list[Path]:
        base = self._base()
        return [
            path
            for path in (base / "model.onnx", *sorted((base / "models" / SURROGATE).glob("*")))
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


def tidy(run: Run) -> None:
    """Bring back what made room for a new one that never came; remove the rest of what made room."""
    folder = run.dir / FOLDER
    for old in (folder / OLD).glob("*"):
        place = folder / old.name
        if place.exists():
            shutil.rmtree(old)
        else:
            old.replace(place)
    for name in (NEW, OLD):
        with suppress(OSError):  # not empty, or not there
            (folder / name).rmdir()
