"""Put a version of a model into a repository: whole or not at all, and never over one that is there."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from facsim import __version__
from facsim.core.cache import build_once
from facsim.core.errors import FacsimError
from facsim.core.guard import sha256
from facsim.core.store import write_json
from facsim.repository.manifest import FORMAT, MANIFEST, NEWEST, Manifest, check_names, checked_identity
from facsim.repository.places import Place, open_place, reaching

Fill = Callable[[Path], None]


def make_manifest(
    folder: Path,
    name: str,
    version: str,
    *,
    licence: str,
    model: str,
    summary: Mapping[str, Any],
    provenance: Mapping[str, Any],
    plugin: Mapping[str, Any] | None = None,
) -> Manifest:
    """Manifest of the files in `folder`; arguments as the attributes of `Manifest`.

    Raises:
        FacsimError: a file that is none of a model's, or one that is lacking.
    """
    paths = [path for path in sorted(folder.iterdir()) if path.name != MANIFEST]
    files = {path.name: {"bytes": path.stat().st_size, "sha256": sha256(path)} for path in paths}
    check_names(files, str(folder))
    created = datetime.now(UTC).isoformat(timespec="seconds")
    kind = f"{FORMAT}-{NEWEST}"
    return Manifest(kind, __version__, name, version, created, licence, model, files, summary, provenance, plugin)


def check_free(place: Place, name: str, version: str) -> None:
    """Refuse a version that is there.

    Raises:
        FacsimError: it is, or `name` or `version` are none.
    """
    checked_identity(name, version)
    if place.has(name, version) or (place.is_local and Path(place.file(name, version)).exists()):
        raise _taken(place, name, version)


def _taken(place: Place, name: str, version: str) -> FacsimError:
    return FacsimError(
        f"'{name}@{version}' is already in '{place.root}' and is never overwritten: give another --version."
    )


def publish(root: str | Path, name: str, version: str, fill: Fill, scratch: Path) -> str:
    """Write the folder that `fill` fills, manifest included, to the repository; where it lies is returned.

    On this machine the folder is written under another name and renamed; elsewhere the files are written one after the
    other and the manifest last, without which there is no version.

    Args:
        root: folder or URL. scratch: an empty folder.

    Raises:
        FacsimError: the version is there, or the repository cannot be written.
    """
    place = open_place(root)
    check_free(place, name, version)
    fill(scratch)
    manifest = (scratch / MANIFEST).read_bytes()
    if place.is_local:
        target = Path(place.file(name, version))
        build_once(target, lambda temporary: _copy(scratch, temporary))
        if (target / MANIFEST).read_bytes() != manifest:  # another process was first
            raise _taken(place, name, version)
        return str(target)
    names = [path.name for path in sorted(scratch.iterdir()) if path.name != MANIFEST]
    with reaching(place.root):
        place.fs.makedirs(place.file(name, version), exist_ok=True)
        for each in [*names, MANIFEST]:
            with (scratch / each).open("rb") as source, place.fs.open(place.file(name, version, each), "wb") as target:
                shutil.copyfileobj(source, target)
    return f"{place.root.rstrip('/')}/{name}/{version}"


def _copy(source: Path, target: Path) -> None:
    for path in source.iterdir():
        shutil.copyfile(path, target / path.name)


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write `manifest.json` in `folder`, atomically."""
    write_json(folder / MANIFEST, manifest.to_dict())
