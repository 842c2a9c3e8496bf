"""Names and semantic versions of models."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from facsim.core.errors import FacsimError

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
NUMBER = r"(0|[1-9]\d{0,8})"
PART = r"(?:0|[1-9]\d{0,8}|\d*[A-Za-z-][0-9A-Za-z-]*)"
VERSION = re.compile(rf"{NUMBER}\.{NUMBER}\.{NUMBER}(?:-({PART}(?:\.{PART})*))?", re.ASCII)
LONGEST = 64


class Reference(NamedTuple):
    """The name of a model, and its version; None is the newest."""

    name: str
    version: str | None


def parse_reference(text: str) -> Reference:
    """`calo` or `calo@1.2.0`.

    Raises:
        FacsimError: it is neither.
    """
    name, at, version = text.partition("@")
    if not NAME.fullmatch(name) or (at and not is_version(version)):
        raise FacsimError(
            f"'{text[:80]}' is not the name of a model: expected letters, digits, '-' and '_', and after an '@', if "
            "any, a version, as in calo@1.2.0."
        )
    return Reference(name, version if at else None)


def is_version(text: str) -> bool:
    """Whether `text` is a version of Semantic Versioning 2.0.0 without build metadata, such as 1.2.0 or 2.0.0-rc.1."""
    return len(text) <= LONGEST and VERSION.fullmatch(text) is not None


def precedence(version: str) -> tuple[object, ...]:
    """Key that sorts versions as Semantic Versioning 2.0.0 does (section 11): 1.0.0-rc.2 < 1.0.0-rc.10 < 1.0.0.

    Raises:
        FacsimError: it is no version.
    """
    match = VERSION.fullmatch(version)
    if match is None or len(version) > LONGEST:
        raise FacsimError(f"'{version[:80]}' is no version: expected three numbers, as in 1.2.0 or 2.0.0-rc.1.")
    *numbers, before = match.groups()
    parts = [] if before is None else before.split(".")
    # numbers come before words; a release comes after all that precede it
    order = [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts]
    return (*map(int, numbers), before is None, order)


def newest(versions: Iterable[str]) -> str | None:
    """The newest release, or where there is none the newest of all; None of none."""
    known = sorted(versions, key=precedence)
    releases = [version for version in known if "-" not in version] or known
    return releases[-1] if releases else None
