"""The C++ project that runs exported models, copied to where it is wanted, and the ONNX Runtime that it can open."""

from __future__ import annotations

import shutil
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from facsim.core.errors import FacsimError
from facsim.core.store import atomic_path

SHIPPED = Path(__file__).parent / "cpp"
KINDS = (".hpp", ".cpp", ".txt")
LIBRARIES = ("libonnxruntime.so*", "libonnxruntime*.dylib")


def cpp(out: str | Path, *, force: bool = False) -> dict[str, Any]:
    """Copy headers, CMake project and example to the folder `out`, and say where an ONNX Runtime library lies.

    Args:
        out: the folder; what else is in it stays.
        force: replace files that differ from those that are copied.

    Returns:
        `folder`, `files` in it, the `runtime` library of the Python package onnxruntime and its `runtime_version`, None
        where it is not installed.

    Raises:
        FacsimError: `out` is a file, cannot be written, or has other versions of the files.
    """
    folder = Path(out)
    if folder.exists() and not folder.is_dir():
        raise FacsimError(f"--out must be a folder for the C++ files, and '{folder}' is none.")
    names = [path.relative_to(SHIPPED) for path in sorted(SHIPPED.rglob("*")) if path.suffix in KINDS]
    other = [name for name in names if _differs(folder / name, SHIPPED / name)]
    if other and not force:
        raise FacsimError(
            f"'{folder / other[0]}' differs from the file that would be copied, by an edit or by its version: choose "
            "another --out, or replace it with --force."
        )
    for name in names:
        with atomic_path(folder / name) as temporary:
            shutil.copyfile(SHIPPED / name, temporary)
    library = runtime_library()
    return {
        "folder": str(folder),
        "files": [str(name) for name in names],
        "runtime": None if library is None else str(library),
        "runtime_version": None if library is None else _runtime_version(),
    }


def runtime_library() -> Path | None:
    """ONNX Runtime's library in the Python package onnxruntime, the same build that Python runs; None without it."""
    spec = find_spec("onnxruntime")
    folders = [] if spec is None else [Path(place) / "capi" for place in spec.submodule_search_locations or ()]
    found = [path for folder in folders for kind in LIBRARIES for path in sorted(folder.glob(kind))]
    return next((path.resolve() for path in found if "providers" not in path.name), None)


def _runtime_version() -> str | None:
    try:
        return version("onnxruntime")
    except PackageNotFoundError:  # another build of it, such as onnxruntime-gpu
        return None


def _differs(path: Path, shipped: Path) -> bool:
    return path.exists() and not (path.is_file() and path.read_bytes() == shipped.read_bytes())
