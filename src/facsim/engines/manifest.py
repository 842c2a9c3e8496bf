"""The manifest of a farm's folder: what is made in it, so that no two things are mixed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from facsim.core.errors import FacsimError
from facsim.core.store import read_json, write_json
from facsim.engines.shards import FOLDER, FORMAT, Job

NAME, DONE = "farm.json", "done.json"
REPLACED = ("config.yaml", "truth.h5", "events.h5", "hists.json", "scores", "hists", "report")
"""What farms write, and runs and other commands too."""


def claim(job: Job) -> None:
    """Write the manifest of `job` in its folder, or check that the one there is of the same settings and versions.

    Raises:
        FacsimError: it is of others, the folder holds files of something else, or it cannot be written.
    """
    path = job.folder / NAME
    mine = {"format": FORMAT, "task": job.task, "settings": job.settings, "versions": job.versions}
    if not path.is_file():
        taken = [name for name in REPLACED if (job.folder / name).exists()]
        if taken and not any((job.folder / name).exists() for name in (FOLDER, DONE)):
            raise FacsimError(
                f"'{job.folder}' holds '{taken[0]}', which no farm made and this one could replace: choose another "
                "--out, a folder of its own."
            )
        write_json(path, {**mine, "fingerprint": job.fingerprint})
        return
    try:
        there = read_json(path)
    except FacsimError as error:
        raise FacsimError(f"{str(error)[:-1]}: delete it and give the same command again.") from None
    if not isinstance(there, dict) or there.get("fingerprint") != job.fingerprint:
        what = _difference(there if isinstance(there, dict) else {}, mine)
        raise FacsimError(
            f"'{job.folder}' holds shards of other settings ({what}): choose another --out, delete it, or give the "
            "settings they were made with."
        )


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
