"""Files from others are looked at before anything opens them: sizes, checksums, JSON, safetensors headers, versions."""

from __future__ import annotations

import hashlib
import json
import math
import re
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from facsim.core.errors import FacsimError

LARGEST_JSON = 64 << 20
"""Bytes; the geometry of a million cells takes 40 MB."""
DEEPEST = 40
LARGEST_HEADER = 16 << 20
MOST_ARRAYS = 50_000
ITEM_BYTES = {
    **{"BOOL": 1, "U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E5M2": 1, "I16": 2, "U16": 2, "F16": 2, "BF16": 2},
    **{"I32": 4, "U32": 4, "F32": 4, "I64": 8, "U64": 8, "F64": 8},
}


class Array(NamedTuple):
    """An array of a safetensors file: its type as there (`F32`, ...) and its shape."""

    dtype: str
    shape: tuple[int, ...]


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as handle:
        while block := handle.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def check_file(path: Path, facts: Mapping[str, Any], source: str) -> None:
    """Compare a file with `facts`, its `bytes` and `sha256`, which `source` states.

    Raises:
        FacsimError: it is missing, a link, or not as stated.
    """
    if path.is_symlink() or not path.is_file():
        raise FacsimError(f"'{path}', which {source} names, is {_kind(path)}: get the files again from where they are.")
    size = path.stat().st_size
    if size != facts.get("bytes"):
        raise FacsimError(f"'{path}' has {size} bytes, and {source} states {facts.get('bytes')}: get it again.")
    if sha256(path) != facts.get("sha256"):
        raise FacsimError(f"'{path}' is damaged or was changed: its SHA-256 is not the one in {source}; get it again.")


def _kind(path: Path) -> str:
    return "a link" if path.is_symlink() else "no file" if path.exists() else "not there"


def read_json_guarded(path: Path, most: int = LARGEST_JSON) -> dict[str, Any]:
    """The JSON object in a file that may come from anyone.

    Raises:
        FacsimError: the file is missing or longer than `most` bytes, or what `parse_json` refuses.
    """
    try:
        with path.open("rb") as handle:
            text = handle.read(most + 1)
    except OSError as error:
        raise FacsimError(f"cannot read '{path}': {error.strerror}.") from None
    return parse_json(text, str(path), most)


def parse_json(text: bytes, where: str, most: int = LARGEST_JSON) -> dict[str, Any]:
    """The JSON object `text` of the file `where`.

    Raises:
        FacsimError: it is longer than `most` bytes, nested deeper than 40, no JSON, no object, or holds NaN or
            infinity.
    """
    if len(text) > most:
        raise FacsimError(f"'{where}' is longer than {most} bytes, which is more than facsim writes: it is refused.")
    try:
        found = json.loads(text, parse_constant=_no_number)
    except RecursionError:
        found = None
    except ValueError as error:  # of JSON, of UTF-8, and of whole numbers with thousands of digits
        raise FacsimError(f"'{where}' is not valid JSON: {' '.join(str(error).split())[:200]}.") from None
    if found is None or _deeper(found, DEEPEST):
        raise FacsimError(f"'{where}' is nested deeper than {DEEPEST} or empty: it is refused.")
    if not isinstance(found, dict):
        raise FacsimError(f"'{where}' holds {type(found).__name__}, where a JSON object is expected.")
    return found


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def _deeper(data: Any, depth: int) -> bool:
    level = [data]
    for _ in range(depth):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return True


def check_format(found: object, kind: str, newest: int, where: str) -> None:
    """Refuse a file whose format is not `kind`-1 to `kind`-`newest`.

    Raises:
        FacsimError: it is of another kind, or of a newer facsim.
    """
    match = re.fullmatch(rf"{re.escape(kind)}-(\d{{1,6}})", found) if isinstance(found, str) else None
    if match is None or int(match[1]) < 1:
        raise FacsimError(f"'{where}' is of the format {str(found)[:60]!r}: expected '{kind}-{newest}'.")
    if int(match[1]) > newest:
        raise FacsimError(
            f"'{where}' is of the format '{found}', and this facsim reads up to '{kind}-{newest}': upgrade facsim "
            "(pip install --upgrade facsim)."
        )


def safetensors_header(path: Path) -> dict[str, Array]:
    """Types and shapes of the arrays of a safetensors file, whose data is not read.

    Raises:
        FacsimError: the file is missing or truncated, its header larger than 16 MB or none, or an array lies outside of
            the file, over another, or is of another size than its shape says.
    """
    try:
        with path.open("rb") as handle:
            size = path.stat().st_size
            start = handle.read(8)
            length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
            if not 2 <= length <= min(LARGEST_HEADER, size - 8):
                raise _weights(path, f"its header would be {length} of the file's {size} bytes")
            header = parse_json(handle.read(length), str(path), LARGEST_HEADER)
    except OSError as error:
        raise FacsimError(f"cannot read '{path}': {error.strerror}.") from None
    header.pop("__metadata__", None)
    if len(header) > MOST_ARRAYS:
        raise _weights(path, f"it has {len(header)} arrays")
    arrays = {name: _array(path, name, entry) for name, entry in header.items()}
    end = 0
    for begin, stop in sorted(entry["data_offsets"] for entry in header.values()):
        if begin != end:
            raise _weights(path, "its arrays overlap or leave gaps")
        end = stop
    if end != size - 8 - length:
        raise _weights(path, f"its arrays end at byte {end} of {size - 8 - length}")
    return arrays


def _array(path: Path, name: str, entry: Any) -> Array:
    try:
        dtype, shape, (begin, end) = entry["dtype"], entry["shape"], entry["data_offsets"]
        numbers = [*shape, begin, end]
        sound = all(type(n) is int and 0 <= n < 1 << 48 for n in numbers) and len(shape) <= 16
        fits = sound and end - begin == math.prod(shape) * ITEM_BYTES[dtype]
    except (KeyError, TypeError, ValueError):
        sound = fits = False
    if not fits:
        raise _weights(path, f"the array '{name[:80]}' is of {str(entry)[:120]}, whose size is not that of its data")
    return Array(dtype, tuple(shape))


def _weights(path: Path, why: str) -> FacsimError:
    return FacsimError(f"'{path}' is no sound safetensors file ({why}): train the model again, or get the file again.")
