"""Classes from outside the package: plug-in files, classes given in Python, installed packages (entry points).

The tables of the package (`MODELS`, `BASELINES`) stay literal; what comes from outside is looked up after them. The
plug-ins of one configuration are known at a time (`use`); a class given in Python as long as the process lives.
"""

from __future__ import annotations

import hashlib
import inspect
import re
import sys
import traceback
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from facsim.core.errors import FacsimError

Group = Literal["models", "baselines"]
TABLES: dict[Group, str] = {"models": "MODELS", "baselines": "BASELINES"}
RESERVED = ("surrogate", "timing", "steps")
"""Names of files of a run directory."""


@dataclass(frozen=True)
class _Entry:
    """A class, where it comes from in words, what changes when its code does, and what defines it for others."""

    kind: type
    origin: str
    identity: str
    definition: Mapping[str, str]


_from_files: dict[tuple[Group, str], _Entry] = {}
_given: dict[tuple[Group, str], _Entry] = {}


def give(group: Group, kind: type) -> str:
    """Make `kind` known in this process by its own name, which is returned.

    Raises:
        FacsimError: it is no class, or its name cannot be used.
    """
    if not isinstance(kind, type):
        raise FacsimError(f"expected a class, for example a subclass of facsim.models.EventModel, not {kind!r}.")
    name = _checked_name(kind.__name__, "a class given in Python")
    try:
        code = inspect.getsource(kind).encode()
    except (OSError, TypeError):  # typed in at a prompt: its code cannot be compared
        code = uuid.uuid4().hex.encode()
    definition = {"class": name, "sha256": hashlib.sha256(code).hexdigest()}
    _given[group, name] = _Entry(kind, "a class given in Python", _digest(code), definition)
    return name


def is_given(group: Group, name: str) -> bool:
    """Whether `name` is a class that `give` made known: other processes cannot find it."""
    return (group, name) in _given


def use(paths: Iterable[str | Path]) -> None:
    """Know the classes of these plug-in files and of no others.

    Raises:
        FacsimError: as `load_plugin`.
    """
    _from_files.clear()
    for path in paths:
        load_plugin(path)


def load_plugin(path: str | Path) -> None:
    """Run a plug-in file, a Python file with a dictionary `MODELS` or `BASELINES` (name to class), and add its classes.

    A file that has not changed since it was loaded is not run again.

    Raises:
        FacsimError: no such file, an error in it, neither dictionary, or a name that cannot be used.
    """
    path = Path(path).absolute()
    try:
        content = path.read_bytes()
    except OSError as error:
        raise FacsimError(f"cannot read the plug-in '{path}': {error.strerror}.") from None
    identity = _digest(str(path).encode() + content)
    name = f"facsim_plugin_{re.sub(r'[^A-Za-z0-9_]', '_', path.stem)}_{identity}"
    module = sys.modules.get(name) or _run(path, content, name)
    tables = {group: getattr(module, table, {}) for group, table in TABLES.items()}
    if not any(tables.values()) or not all(map(_is_table, tables.values())):
        raise FacsimError(
            f"the plug-in '{path}' offers nothing: expected a dictionary MODELS or BASELINES, name to class."
        )
    for group, table in tables.items():
        for known, kind in table.items():
            other = _from_files.get((group, _checked_name(known, f"the plug-in '{path}'")))
            if other is not None and other.origin != str(path):
                raise FacsimError(f"'{known}' is defined by two plug-ins, '{other.origin}' and '{path}': rename one.")
            definition = {"file": path.name, "sha256": hashlib.sha256(content).hexdigest()}
            _from_files[group, known] = _Entry(kind, str(path), identity, definition)


def _is_table(table: object) -> bool:
    return isinstance(table, Mapping) and all(
        isinstance(name, str) and isinstance(kind, type) for name, kind in table.items()
    )


def _checked_name(name: str, origin: str) -> str:
    """Names become names of files in the run directory."""
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", name) or name in RESERVED:
        raise FacsimError(
            f"{origin} uses the name '{name}': expected letters, digits, '-', '_' and '.', and none of "
            f"{list(RESERVED)}."
        )
    return name


def _run(path: Path, content: bytes, name: str) -> ModuleType:
    module = sys.modules[name] = ModuleType(name)
    module.__file__ = str(path)
    try:
        # not through the import system, whose stored bytecode may be that of an older file of the same second
        exec(compile(content, str(path), "exec"), module.__dict__)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
        where = f" in line {lines[-1]}" if lines else ""
        raise FacsimError(f"the plug-in '{path}' cannot be loaded: {_words(error)}{where}.") from error
    return module


def find(group: Group, table: Mapping[str, type], name: str) -> type | None:
    """The class called `name`: of `table`, of a plug-in, given in Python, or of an installed package; else None.

    Raises:
        FacsimError: a plug-in has the name of one of the table, or an installed package cannot be imported.
    """
    entry = _find(group, name)
    if entry is not None and name in table:
        raise FacsimError(f"'{name}' is one of facsim's own {group}, but {entry.origin} defines it too: rename that.")
    if name in table:
        return table[name]
    return None if entry is None else entry.kind


def identity(group: Group, name: str) -> str | None:
    """What changes when the code of a class from outside does; None for facsim's own."""
    entry = _find(group, name)
    return None if entry is None else entry.identity


def definition(group: Group, name: str) -> dict[str, str] | None:
    """What others need to have the class: `file` or `class` and the `sha256` of its code, or `package` and `version`;
    None for facsim's own."""
    entry = _find(group, name)
    return None if entry is None else dict(entry.definition)


def _find(group: Group, name: str) -> _Entry | None:
    for entries in (_given, _from_files):
        if (group, name) in entries:
            return entries[group, name]
    for entry in entry_points(group=f"facsim.{group}", name=name):
        try:
            kind: Any = entry.load()
        except Exception as error:
            raise FacsimError(f"'{name}' of the package '{entry.value}' cannot be loaded: {_words(error)}.") from error
        if not isinstance(kind, type):
            raise FacsimError(f"'{name}' of the package '{entry.value}' is not a class but {kind!r}.")
        version = "" if entry.dist is None else entry.dist.version
        definition = {"package": entry.value, "version": version}
        return _Entry(kind, f"the package '{entry.value}'", f"{entry.value} {version}", definition)
    return None


def names(group: Group, table: Iterable[str]) -> list[str]:
    """All names that `find` knows, sorted."""
    others = [name for entries in (_given, _from_files) for kind, name in entries if kind == group]
    return sorted({*table, *others, *entry_points(group=f"facsim.{group}").names})


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]


def _words(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
