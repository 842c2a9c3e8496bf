"""Jets in ROOT files of layouts that are known by their branches."""

from __future__ import annotations

from pathlib import Path

from facsim.core.errors import FacsimError
from facsim.core.events import EventSource
from facsim.data import jetclass, nanoaod


def root_jets(path: Path) -> EventSource | None:
    """Jets of a ROOT file in the layout of JetClass or NanoAOD; None where it has another layout, or without uproot.

    Raises:
        FacsimError: a missing file, or one that is broken.
    """
    try:
        import uproot  # noqa: PLC0415  optional
    except ImportError:
        return None
    if not path.is_file():
        raise FacsimError(f"'{path}' does not exist or is not a file.")
    found: dict[str, frozenset[str]] = {}
    try:
        with uproot.open(path) as file:
            for tree in (jetclass.TREE, nanoaod.TREE):
                if tree in file.keys(cycle=False):
                    found[tree] = frozenset(file[tree].keys())
    except Exception as error:  # uproot's own errors are of many kinds
        what = (str(error).splitlines() or [type(error).__name__])[0]
        raise FacsimError(f"'{path}' is not a readable ROOT file: {what}.") from None
    if found.get(jetclass.TREE, frozenset()) >= jetclass.MARKS:
        return jetclass.JetClassReader(path, found[jetclass.TREE])
    if found.get(nanoaod.TREE, frozenset()) >= nanoaod.MARKS:
        return nanoaod.NanoAODReader(path)
    return None
