"""A model by name from a repository: where its files lie on this machine, all checksums verified."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from facsim.core.cache import build_once, cache_dir
from facsim.core.errors import FacsimError
from facsim.repository.manifest import MANIFEST, Manifest, check_files, read_manifest
from facsim.repository.places import Place, places, reaching
from facsim.repository.versions import parse_reference

BLOCK = 1 << 20


@dataclass(frozen=True)
class Fetched:
    """A model of the repository `root` whose files lie in `folder`, as its manifest states."""

    root: str
    folder: Path
    manifest: Manifest


def find(reference: str, repository: str | Path | None = None) -> tuple[Place, str, str]:
    """Where `name` or `name@version` is: the first repository that has it, its name and its version.

    Raises:
        FacsimError: none has it, or one that comes before cannot be reached.
    """
    name, version = parse_reference(reference)
    looked: list[Place] = []
    for place in places(repository):
        looked.append(place)
        there = version or place.newest(name)
        if there is not None and (version is None or _is_cached(place, name, there) or place.has(name, there)):
            return place, name, there
    raise _absent(reference, looked)


def _absent(reference: str, looked: list[Place]) -> FacsimError:
    name, version = parse_reference(reference)
    where = ", ".join(f"'{place.root}'" for place in looked)
    versions = [found for place in looked for found in place.versions(name)]
    if versions:
        return FacsimError(f"there is no version {version} of '{name}' in {where}: expected one of {sorted(versions)}.")
    known = [found for place in looked for found in place.names()]
    if not known:
        return FacsimError(f"there is no model '{name}' in {where}, and no other either: check the folder or URL.")
    near = get_close_matches(name, known, 1)
    hint = f"; did you mean '{near[0]}'?" if near else "."
    return FacsimError(f"there is no model '{name}' in {where}: expected one of {known}{hint}")


def fetch(reference: str, repository: str | Path | None = None) -> Fetched:
    """The files of `name` or `name@version`, fetched where they are not on this machine, each with its checksum.

    What was fetched stays in `models/` of facsim's cache; a version that is named and is there needs no network.

    Args:
        reference: the newest version without one.
        repository: folder or URL; None looks at the models that ship with facsim and at FACSIM_MODELS.

    Raises:
        FacsimError: there is no such model, its repository cannot be reached, or a file is not as its manifest says.
    """
    named = parse_reference(reference).version is not None
    place, name, version = find(reference, repository)
    folder = Path(place.file(name, version)) if place.is_local else cache_folder(place, name, version)
    if named and _is_cached(place, name, version):
        manifest = read_manifest((folder / MANIFEST).read_bytes(), str(folder / MANIFEST), name, version)
    else:
        manifest = place.manifest(name, version)
        if not place.is_local:
            build_once(folder, lambda temporary: _download(place, manifest, temporary))
    try:
        check_files(folder, manifest)
    except FacsimError as error:
        if place.is_local:
            raise
        raise FacsimError(f"{str(error).removesuffix('.')}, after removing '{folder}'.") from None
    return Fetched(place.root, folder, manifest)


def cache_folder(place: Place, name: str, version: str) -> Path:
    """Where what was fetched of a repository that is not on this machine lies."""
    return cache_dir() / "models" / hashlib.sha256(place.root.encode()).hexdigest()[:16] / name / version


def _is_cached(place: Place, name: str, version: str) -> bool:
    return not place.is_local and (cache_folder(place, name, version) / MANIFEST).is_file()


def _download(place: Place, manifest: Manifest, folder: Path) -> None:
    """Fill `folder`; a file that is longer than stated is not read to its end."""
    for name, facts in manifest.files.items():
        left = int(facts["bytes"]) + 1
        path = place.file(manifest.name, manifest.version, name)
        with reaching(place.root), place.fs.open(path, "rb") as source, (folder / name).open("wb") as target:
            while left and (block := source.read(min(BLOCK, left))):
                target.write(block)
                left -= len(block)
    check_files(folder, manifest)
    (folder / MANIFEST).write_text(json.dumps(manifest.to_dict(), indent=2), encoding="utf-8")
