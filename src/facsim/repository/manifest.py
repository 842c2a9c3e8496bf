"""The manifest of a model in a repository: what it is, and size and checksum of every file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from facsim.core.errors import FacsimError
from facsim.core.guard import check_file, check_format, parse_json
from facsim.repository.versions import NAME, is_version

FORMAT, NEWEST = "facsim-model", 1
MANIFEST = "manifest.json"
WEIGHTS, MODEL, CARD = "weights.safetensors", "model.json", "card.json"
SCORES, CHECK, GRAPH, PICTURE, LICENCE = "scores.json", "check.json", "model.onnx", "card.png", "LICENCE"
NEEDED = (WEIGHTS, MODEL, CARD)
KNOWN = (*NEEDED, SCORES, CHECK, GRAPH, PICTURE, LICENCE)
"""Files of a model. None can be code: weights and graph are arrays and operations, the rest is text and a picture."""
LARGEST_MANIFEST = 1 << 20
LARGEST_FILE = 8 << 30


@dataclass(frozen=True)
class Manifest:
    """What a repository says of one version of a model.

    Attributes:
        format: `facsim-model-1`. facsim: version that saved it.
        name, version: of the model. created: date and time, UTC. licence: SPDX identifier, or `see LICENCE`.
        model: registered name of its class; `plugin` the file and SHA-256 of the plug-in that defines it, if one does.
        files: name to `bytes` and `sha256`.
        summary: for lists: `representation`, `events`, `conditions` (name, unit, min, max) and `score`.
        provenance: `truth`, `seed` and `git` as far as they are known.
    """

    format: str
    facsim: str
    name: str
    version: str
    created: str
    licence: str
    model: str
    files: Mapping[str, Mapping[str, Any]]
    summary: Mapping[str, Any]
    provenance: Mapping[str, Any]
    plugin: Mapping[str, Any] | None = None

    @property
    def reference(self) -> str:
        """`name@version`."""
        return f"{self.name}@{self.version}"

    @property
    def bytes(self) -> int:
        """Of all files together."""
        return sum(int(facts["bytes"]) for facts in self.files.values())

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; `read_manifest` is the inverse."""
        return asdict(self)


def read_manifest(text: bytes, where: str, name: str, version: str) -> Manifest:
    """The manifest of `name` in `version`, whose JSON `text` is from `where`; nothing in it is trusted.

    Raises:
        FacsimError: it is of a newer facsim or no manifest, names files that are none of a model's (paths, say), or is
            of another model.
    """
    data = parse_json(text, where, LARGEST_MANIFEST)
    check_format(data.get("format"), FORMAT, NEWEST, where)
    lacking = [key for key in Manifest.__dataclass_fields__ if key != "plugin" and key not in data]
    if lacking:
        raise FacsimError(f"'{where}' lacks {lacking}: it is no manifest of a model.")
    found = {key: data[key] for key in Manifest.__dataclass_fields__ if key in data}
    texts = [found[key] for key in ("format", "facsim", "name", "version", "created", "licence", "model")]
    tables = [found["files"], found["summary"], found["provenance"], found.get("plugin") or {}]
    if not all(map(_is_text, texts)) or not all(isinstance(t, dict) for t in tables):
        raise FacsimError(f"'{where}' is no manifest of a model: an entry is of another kind than it should be.")
    if (found["name"], found["version"]) != (name, version):
        raise FacsimError(f"'{where}' is the manifest of '{found['name']}@{found['version']}', not {name}@{version}.")
    check_names(found["files"], where)
    _check_summary(found["summary"], where)
    return Manifest(**found)


def check_names(files: Mapping[str, Any], where: str) -> None:
    """Refuse files that are none of a model's, or of no sound size or checksum.

    Raises:
        FacsimError: there is one, or one that a model needs is lacking.
    """
    strange = [name for name in files if name not in KNOWN]
    if strange:
        raise FacsimError(
            f"'{where}' names '{strange[0][:80]}', which is no file of a model: expected some of {list(KNOWN)}, in one "
            "folder; nothing was read."
        )
    missing = [name for name in NEEDED if name not in files]
    if missing:
        raise FacsimError(f"'{where}' does not name {missing}, without which there is no model.")
    for name, facts in files.items():
        size = facts.get("bytes") if isinstance(facts, dict) else None
        digest = facts.get("sha256") if isinstance(facts, dict) else None
        sound = type(size) is int and 0 <= size <= LARGEST_FILE
        if not sound or not isinstance(digest, str) or not re.fullmatch(r"[0-9a-f]{64}", digest):
            raise FacsimError(f"'{where}' states no size of at most {LARGEST_FILE} bytes and SHA-256 of '{name}'.")


def _check_summary(summary: Mapping[str, Any], where: str) -> None:
    """What lists show has to be what they can show."""
    conditions, score = summary.get("conditions"), summary.get("score")
    texts = all(_is_text(summary.get(key)) for key in ("representation", "events"))
    columns = isinstance(conditions, list) and all(
        isinstance(c, dict)
        and all(_is_text(c.get(key)) for key in ("name", "unit"))
        and all(isinstance(c.get(key), int | float) for key in ("min", "max"))
        for c in conditions
    )
    if not texts or not columns or not (score is None or isinstance(score, dict)):
        raise FacsimError(f"the summary in '{where}' is none: expected representation, events, conditions and score.")


def _is_text(value: object) -> bool:
    """Whether it is text without what a terminal would obey."""
    return isinstance(value, str) and value.isprintable()


def check_files(folder: Path, manifest: Manifest) -> None:
    """Compare the files in `folder` with the manifest.

    Raises:
        FacsimError: one is missing, a link, of another size or another checksum.
    """
    wrong = wrong_files(folder, manifest)
    if wrong:
        raise FacsimError(wrong[0])


def wrong_files(folder: Path, manifest: Manifest) -> list[str]:
    """What is wrong with each file in `folder` that is not as in the manifest."""
    if folder.is_symlink():
        return [f"'{folder}' is a link: a model's files lie in the folder of its version."]
    found = []
    for name, facts in manifest.files.items():
        try:
            check_file(folder / name, facts, f"the {MANIFEST} of {manifest.reference}")
        except FacsimError as error:
            found.append(str(error))
    return found


def checked_identity(name: str, version: str) -> None:
    """Refuse what is no name or no version of a model.

    Raises:
        FacsimError: as said.
    """
    if not NAME.fullmatch(name):
        raise FacsimError(f"'{name[:80]}' is no name of a model: expected up to 64 letters, digits, '-', '_'.")
    if not is_version(version):
        raise FacsimError(f"'{version[:80]}' is no version: expected three numbers, as in 1.2.0 or 2.0.0-rc.1.")
