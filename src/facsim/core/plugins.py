"""Classes from outside the package: plug-in files, installed packages (entry points), classes given in Python.

The tables of the package (`MODELS`, `BASELINES`) stay literal; what comes from outside is looked up after them.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable, Mapping
from importlib.metadata import entry_points
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Literal

from facsim.core.errors import FacsimError

Group = Literal["models", "baselines"]
TABLES: dict[Group, str] = {"models": "MODELS", "baselines": "BASELINES"}

_added: dict[Group, dict[str, type]] = {"models": {}, "baselines": {}}
_given: set[tuple[Group, str]] = set()


def give(group: Group, kind: type) -> str:
    """Make `kind` known in this process by its own name, which is returned.

    Raises:
        FacsimError: it is no class.
    """
    if not isinstance(kind, type):
        raise FacsimError(f"expected a class, for example a subclass of facsim.models.EventModel, not {kind!r}.")
    _added[group][kind.__name__] = kind
    _given.add((group, kind.__name__))
    return kind.__name__


def is_given(group: Group, name: str) -> bool:
    """Whether `name` is a class that `give` made known: other processes cannot find it."""
    return (group, name) in _given


def load_plugin(path: str | Path) -> None:
    """Run a plug-in file, a Python file with a dictionary `MODELS` or `BASELINES` (name to class), and add its classes.

    A file that has not changed since it was loaded is not run again.

    Raises:
        FacsimError: no such file, an error in it, or neither dictionary.
    """
    path = Path(path).absolute()
    try:
        content = path.read_bytes()
    except OSError as error:
        raise FacsimError(f"cannot read the plug-in '{path}': {error.strerror}.") from None
    name = f"facsim_plugin_{path.stem}_{hashlib.sha256(str(path).encode() + content).hexdigest()[:12]}"
    module = sys.modules.get(name) or _run(path, name)
    tables = {group: getattr(module, table, {}) for group, table in TABLES.items()}
    if not any(tables.values()) or not all(map(_is_table, tables.values())):
        raise FacsimError(
            f"the plug-in '{path}' offers nothing: expected a dictionary MODELS or BASELINES, name to class."
        )
    for group, table in tables.items():
        _added[group].update(table)


def _is_table(table: object) -> bool:
    return isinstance(table, Mapping) and all(isinstance(kind, type) for kind in table.values())


def _run(path: Path, name: str) -> ModuleType:
    spec = spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise FacsimError(f"the plug-in '{path}' is not a Python file: its name must end in .py.")
    module = sys.modules[name] = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise FacsimError(f"the plug-in '{path}' cannot be loaded: {type(error).__name__}: {error}.") from error
    return module


def find(group: Group, table: Mapping[str, type], name: str) -> type | None:
    """The class called `name`: of `table`, added in this process, or of an installed package; None if there is none.

    Raises:
        FacsimError: the installed package that offers it cannot be imported.
    """
    if name in table:
        return table[name]
    if name in _added[group]:
        return _added[group][name]
    for entry in entry_points(group=f"facsim.{group}", name=name):
        try:
            kind: type = entry.load()
        except Exception as error:
            raise FacsimError(f"'{name}' of the package '{entry.value}' cannot be loaded: {error}.") from error
        return kind
    return None


def names(group: Group, table: Iterable[str]) -> list[str]:
    """All names that `find` knows, sorted."""
    return sorted({*table, *_added[group], *entry_points(group=f"facsim.{group}").names})
