"""Files from others: what is too long, too deep, damaged, newer, or not as stated is refused in one sentence."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save

from facsim.core.errors import FacsimError
from facsim.core.guard import (
    LARGEST_HEADER,
    check_file,
    check_format,
    parse_json,
    read_json_guarded,
    safetensors_header,
    sha256,
)

ARRAYS = {"a": np.zeros((3, 2), np.float32), "b": np.zeros(5, np.int64), "empty": np.zeros((0, 4), np.float16)}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"[" * 100_000 + b"]" * 100_000, "nested deeper than 40"),
        (b'{"a":' * 41 + b"1" + b"}" * 41, "nested deeper than 40"),
        (b'{"a": NaN}', "NaN is no number"),
        (b'{"a": Infinity}', "Infinity is no number"),
        (b'{"a": ' + b"9" * 5000 + b"}", "not valid JSON"),
        (b'{"a": 1', "not valid JSON"),
        (b"\xff\xfe{}", "not valid JSON"),
        (b"[1]", "holds list"),
        (b"null", "empty"),
        (b'{"a": "' + b"x" * 200 + b'"}', "longer than 100 bytes"),
    ],
)
def test_json_that_is_refused(text: bytes, words: str) -> None:
    with pytest.raises(FacsimError, match=words):
        parse_json(text, "card.json", 100 if "longer" in words else 1 << 20)


def test_json_of_depth_40_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"a":' * 40 + "1" + "}" * 40)
    assert read_json_guarded(tmp_path / "a.json")
    with pytest.raises(FacsimError, match="cannot read"):
        read_json_guarded(tmp_path / "b.json")


def test_formats() -> None:
    check_format("facsim-card-1", "facsim-card", 1, "x")
    check_format("facsim-card-1", "facsim-card", 2, "x")
    with pytest.raises(FacsimError, match="upgrade facsim"):
        check_format("facsim-card-2", "facsim-card", 1, "x")
    other: Any
    for other in (None, 1, "facsim-card", "facsim-card-0", "facsim-card-x", "facsim-check-1", "x" * 10**6):
        with pytest.raises(FacsimError, match="expected 'facsim-card-1'") as told:
            check_format(other, "facsim-card", 1, "x")
        assert len(str(told.value)) < 200


def test_a_file_is_as_stated_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    facts = {"bytes": 3, "sha256": sha256(path)}
    check_file(path, facts, "the card")
    with pytest.raises(FacsimError, match="has 3 bytes, and the card states 4"):
        check_file(path, {**facts, "bytes": 4}, "the card")
    path.write_bytes(b"abd")
    with pytest.raises(FacsimError, match="is damaged or was changed"):
        check_file(path, facts, "the card")
    path.write_bytes(b"abc")
    (tmp_path / "link").symlink_to(path)
    with pytest.raises(FacsimError, match="is a link"):
        check_file(tmp_path / "link", facts, "the card")
    with pytest.raises(FacsimError, match="is not there"):
        check_file(tmp_path / "none", facts, "the card")


def written(tmp_path: Path, header: bytes | dict[str, Any], data: bytes = b"", length: int | None = None) -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path = tmp_path / "weights.safetensors"
    path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + data)
    return path


def test_header_of_a_sound_file(tmp_path: Path) -> None:
    (tmp_path / "w").write_bytes(save(ARRAYS, {"made": "by a test"}))
    found = safetensors_header(tmp_path / "w")
    assert found == {"a": ("F32", (3, 2)), "b": ("I64", (5,)), "empty": ("F16", (0, 4))}


def entry(shape: Any = (2,), begin: Any = 0, end: Any = 8, dtype: Any = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


@pytest.mark.parametrize(
    ("header", "data", "length", "words"),
    [
        ({"a": entry()}, bytes(8), 1 << 62, "its header would be"),
        ({"a": entry()}, bytes(8), LARGEST_HEADER + 1, "its header would be"),
        ({"a": entry()}, bytes(8), 0, "its header would be 0"),
        (b"{" * 30, b"", None, "not valid JSON"),
        ({"a": entry(end=80, shape=[20])}, bytes(8), None, "its arrays end at byte 80 of 8"),
        ({"a": entry(begin=-8, end=0)}, bytes(8), None, "whose size is not that of its data"),
        ({"a": entry(shape=[1 << 60])}, bytes(8), None, "whose size is not that of its data"),
        ({"a": entry(shape=[1 << 31, 1 << 31])}, bytes(8), None, "whose size is not that of its data"),
        ({"a": entry(shape=[True, 2])}, bytes(8), None, "whose size is not that of its data"),
        ({"a": entry(shape="2")}, bytes(8), None, "whose size is not that of its data"),
        ({"a": entry(dtype="PICKLE")}, bytes(8), None, "whose size is not that of its data"),
        ({"a": [1, 2]}, bytes(8), None, "whose size is not that of its data"),
        ({"a": entry(), "b": entry()}, bytes(8), None, "overlap or leave gaps"),
        ({"a": entry(begin=8, end=16)}, bytes(16), None, "overlap or leave gaps"),
        ({"a": entry()}, bytes(9), None, "its arrays end at byte 8 of 9"),
        ({f"a{n}": entry(shape=[0], end=0) for n in range(50_001)}, b"", None, "it has 50001 arrays"),
    ],
)
def test_headers_that_are_refused(tmp_path: Path, header: Any, data: bytes, length: int | None, words: str) -> None:
    with pytest.raises(FacsimError, match=words):
        safetensors_header(written(tmp_path, header, data, length))


@given(cut=st.integers(0, 400), place=st.integers(0, 399), byte=st.integers(0, 255))
def test_damage_is_told_or_harmless(tmp_path_factory: pytest.TempPathFactory, cut: int, place: int, byte: int) -> None:
    whole = bytearray(save(ARRAYS))
    whole[place % len(whole)] = byte
    path = tmp_path_factory.mktemp("damaged") / "w"
    path.write_bytes(bytes(whole[: len(whole) - cut]))
    try:
        found = safetensors_header(path)
    except FacsimError:
        return
    assert sum(np.prod(array.shape, dtype=int) for array in found.values()) <= 2 * len(whole)
