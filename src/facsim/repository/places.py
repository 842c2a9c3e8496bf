"""Where models lie: the repository that ships with facsim, those in FACSIM_MODELS, or any that is named."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facsim.core.errors import FacsimError
from facsim.repository.manifest import LARGEST_MANIFEST, MANIFEST, Manifest, read_manifest
from facsim.repository.versions import NAME, is_version, newest

SHIPPED = Path(__file__).parents[1] / "models" / "shipped"
VARIABLE = "FACSIM_MODELS"


@dataclass(frozen=True)
class Place:
    """A repository: `<root>/<name>/<version>/`, by a folder or any URL that fsspec knows.

    Args:
        root: as given. fs, path: fsspec's file system and the root in it.
    """

    root: str
    fs: Any
    path: str

    @property
    def is_local(self) -> bool:
        """Whether its files are used where they lie."""
        kinds = self.fs.protocol if isinstance(self.fs.protocol, tuple | list) else (self.fs.protocol,)
        return "file" in kinds

    def file(self, *parts: str) -> str:
        """Path of `parts` in the file system."""
        return "/".join([self.path.rstrip("/"), *parts] if self.path else parts)  # the root of an archive is ""

    def names(self) -> list[str]:
        """Names of the models, sorted.

        Raises:
            FacsimError: the place cannot be reached.
        """
        return sorted(name for name in self._listed() if NAME.fullmatch(name) and self.versions(name))

    def versions(self, name: str) -> list[str]:
        """Versions of `name` that are there whole, in no order; none of no such model. Errors as of `names`."""
        return [found for found in self._listed(name) if is_version(found) and self.has(name, found)]

    def newest(self, name: str) -> str | None:
        """The newest version of `name`; None where there is no such model. Errors as of `names`."""
        return newest(self.versions(name))

    def has(self, name: str, version: str) -> bool:
        """Whether that version is there, whole."""
        with reaching(self.root):
            return bool(self.fs.exists(self.file(name, version, MANIFEST)))

    def manifest(self, name: str, version: str) -> Manifest:
        """What the place says of `name` in `version`.

        Raises:
            FacsimError: it cannot be read, or as `read_manifest`.
        """
        where = f"{self.root.rstrip('/')}/{name}/{version}/{MANIFEST}"
        with reaching(self.root), self.fs.open(self.file(name, version, MANIFEST), "rb") as handle:
            text: bytes = handle.read(LARGEST_MANIFEST + 1)
        return read_manifest(text, where, name, version)

    def _listed(self, *parts: str) -> set[str]:
        """Last parts of the names of what is in a folder."""
        if self.is_local and Path(self.path).is_file():
            raise FacsimError(f"'{self.root}' is a file: a repository is a folder or a URL.")
        with reaching(self.root):
            self.fs.invalidate_cache()
            try:
                found = self.fs.ls(self.file(*parts), detail=False)
            except FileNotFoundError:
                if not parts:
                    raise _nowhere(self.root) from None
                return set()
        return {str(entry).rstrip("/").rpartition("/")[2] for entry in found}


@contextmanager
def reaching(root: str) -> Iterator[None]:
    """Tell what goes wrong with the repository `root` in a sentence.

    Raises:
        FacsimError: something went wrong; each file system of fsspec has errors of its own.
    """
    try:
        yield
    except FacsimError:
        raise
    except FileNotFoundError:
        raise FacsimError(f"a file that was looked for in the repository '{root}' is not there.") from None
    except (IsADirectoryError, NotADirectoryError) as error:
        kind = "a folder, and a file" if isinstance(error, IsADirectoryError) else "no folder, and one"
        raise FacsimError(
            f"the repository '{root}' cannot be read: '{error.filename}' is {kind} is expected."
        ) from None
    except ImportError as error:
        words = " ".join(str(error).split())
        raise FacsimError(f"the repository '{root}' needs a package that is not installed: {words}.") from None
    except Exception as error:
        words = " ".join(str(error).split())[:200] or type(error).__name__
        raise FacsimError(f"the repository '{root}' cannot be reached ({words}): check address and network.") from error


def open_place(root: str | Path) -> Place:
    """The repository at a folder or URL; whether it is there shows when it is read.

    Raises:
        FacsimError: a URL of a kind that fsspec does not know or whose package is not installed, or no archive there.
    """
    from fsspec.core import url_to_fs  # noqa: PLC0415  takes 50 ms

    with reaching(str(root)):
        try:
            fs, path = url_to_fs(str(root))
        except FileNotFoundError:  # of an archive
            raise _nowhere(str(root)) from None
    return Place(str(root), fs, str(path))


def _nowhere(root: str) -> FacsimError:
    return FacsimError(f"there is no repository at '{root}': check the folder or URL.")


def roots(repository: str | Path | None = None) -> list[str]:
    """What is given, else the models that ship with facsim, then the folders and URLs in FACSIM_MODELS, which commas
    divide: in the order in which a name is looked for."""
    if repository is not None:
        return [str(repository)]
    named = [root.strip() for root in os.environ.get(VARIABLE, "").split(",")]
    return [str(SHIPPED), *(root for root in named if root)]


def places(repository: str | Path | None = None) -> Iterator[Place]:
    """The repositories of `roots`, each opened when its turn comes. Errors as of `open_place`."""
    return map(open_place, roots(repository))
