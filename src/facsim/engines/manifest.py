"""The manifest of a farm's folder: what is made in it, so that no two things are mixed, and who works in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from facsim.core.errors import FacsimError
from facsim.core.store import read_json, write_json
from facsim.engines.shards import FORMAT, Job

NAME = "farm.json"


def claim(job: Job) -> None:
    """Write the manifest of `job` in its folder, or check that the one there is of the same settings and versions.

    Raises:
        FacsimError: it is of others, or the folder cannot be written.
    """
    path = job.folder / NAME
    mine = {"format": FORMAT, "task": job.task, "settings": job.settings, "versions": job.versions}
    if not path.is_file():
        write_json(path, {**mine, "fingerprint": job.fingerprint})
        return
    there = read_json(path)
    if not isinstance(there, dict) or there.get("fingerprint") != job.fingerprint:
        what = _difference(there if isinstance(there, dict) else {}, mine)
        raise FacsimError(
            f"'{job.folder}' holds shards of other settings ({what}): choose another --out, delete it, or give the "
            "settings they were made with."
        )


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep a second command that gives out shards out of `folder`.

    Raises:
        FacsimError: another process does, or the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = (folder / ".lock").open("a+", encoding="utf-8")
    except OSError as error:
        raise FacsimError(f"cannot write to '{folder}': {error.strerror}.") from None
    with handle:
        try:
            import fcntl  # noqa: PLC0415  absent on Windows

            fcntl.flock(handle.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except ImportError:
            pass
        except OSError:
            raise FacsimError(f"another facsim process is working in '{folder}': wait for it to end.") from None
        yield


def _difference(there: Mapping[str, Any], here: Mapping[str, Any], where: str = "") -> str:
    """The first setting that differs, in words."""
    for key in [*here, *(key for key in there if key not in here)]:
        old, new = there.get(key), here.get(key)
        if old == new:
            continue
        name = f"{where}{key}"
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            return _difference(old, new, "" if key == "settings" else f"{name}.")
        return f"{name}: {_short(old)} there, {_short(new)} here"
    return "they cannot be read"


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:40]}..."
