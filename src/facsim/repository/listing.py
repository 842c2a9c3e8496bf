"""What there is in repositories."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from facsim.core.errors import FacsimError
from facsim.repository.places import Place, open_place, roots
from facsim.repository.versions import precedence


def list_models(repository: str | Path | None = None, every: bool = False) -> dict[str, Any]:
    """What is in a repository, or in all that a name is looked for in: `models` and `problems`.

    Args:
        repository: folder or URL; None lists the models that ship with facsim and those of FACSIM_MODELS.
        every: all versions, not the newest alone.

    Raises:
        FacsimError: the repository that is named cannot be read; of several that is a problem in the list.
    """
    rows: list[dict[str, Any]] = []
    problems: list[str] = []
    seen: set[str] = set()
    for root in roots(repository):
        try:
            place = open_place(root)
            for name, version in _all(place, every):
                try:
                    rows.append({**_row(place, name, version), "hidden": name in seen})
                except FacsimError as error:
                    problems.append(str(error))
        except FacsimError as error:
            if repository is not None:
                raise
            problems.append(str(error))
        seen |= {row["name"] for row in rows}
    return {"models": rows, "problems": problems}


def _all(place: Place, every: bool) -> Iterator[tuple[str, str]]:
    """Names and versions, the newest first."""
    for name in place.names():
        newest = place.newest(name)
        versions = sorted(place.versions(name), key=precedence, reverse=True)
        yield from ((name, version) for version in versions if every or version == newest)


def _row(place: Place, name: str, version: str) -> dict[str, Any]:
    manifest = place.manifest(name, version)
    about = {"model": manifest.model, "bytes": manifest.bytes, "licence": manifest.licence, **manifest.summary}
    return {"name": name, "version": version, "repository": place.root, **about}
