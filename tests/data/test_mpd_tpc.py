"""MPD's responses: archives and text, whole and broken."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facsim.core.errors import FacsimError
from facsim.core.sources import read_labels
from facsim.data import open_events
from facsim.data.mpd_tpc import MPDReader
from facsim.physics.tpc_window import tpc_schema

PARAMS = np.array(
    [[1.5, -20.0, 40.02, 30.995, 23, 0.5], [-3.0, 12.0, 125.4, 36.6, 33, 0.5], [0, 0, 60.0, 40.0, 23, 2.0]]
)
HITS = [[(30, 40, 5.5), (31, 41, 90.25), (34, 48, 1.0)], [(33, 118, 7.0)], []]
"""The third hit of the first response is at the far corner of the window; the third response is empty."""


def arrays(params: Any = PARAMS, hits: list[list[tuple[int, int, float]]] = HITS) -> dict[str, np.ndarray]:
    rows = np.array([hit for each in hits for hit in each], dtype=np.float64).reshape(-1, 3)
    return {
        "params": np.asarray(params, dtype=np.float32),
        "offsets": np.cumsum([0, *(len(each) for each in hits)]),
        "pad": rows[:, 0].astype(np.int16),
        "time_bucket": rows[:, 1].astype(np.int16),
        "amplitude": rows[:, 2].astype(np.float32),
    }


def text(params: Any = PARAMS, hits: list[list[tuple[int, int, float]]] = HITS) -> str:
    lines = []
    for row, each in zip(params, hits, strict=True):
        lines.append("params: " + " ".join(f"{value:g}" for value in row))
        lines.append(" ".join(f"{pad} {time} {value:g}" for pad, time, value in each))
    return "\n".join(lines) + "\n"


@pytest.fixture(params=["archive", "text"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    if request.param == "archive":
        file = tmp_path / "responses.npz"
        np.savez_compressed(file, **arrays())
    else:
        file = tmp_path / "digits.dat"
        file.write_text(text())
    return file


def test_both_layouts(path: Path) -> None:
    source = open_events(path)
    assert isinstance(source, MPDReader)
    assert (len(source), source.outside) == (3, 0)
    assert source.schema == tpc_schema()
    events = source.read(0, 3)
    image = events.x.reshape(3, 8, 16)
    assert image.dtype == np.float32
    assert (image[0, 3, 7], image[0, 4, 8], image[0, 7, 15]) == (5.5, 90.25, 1.0)
    assert (image > 0).sum() == 4
    assert image[1, 0, 0] == 7.0
    np.testing.assert_allclose(events.cond, PARAMS, rtol=1e-6)
    np.testing.assert_array_equal(read_labels(source).cond, events.cond)


def test_ranges(path: Path) -> None:
    source = open_events(path)
    whole, part = source.read(0, 3), source.read(1, 3)
    np.testing.assert_array_equal(whole.x[1:], part.x)
    np.testing.assert_array_equal(part.event_id, [1, 2])
    assert len(source.read(2, 2)) == 0
    with pytest.raises(FacsimError, match="cannot read events 1 to 4"):
        source.read(1, 4)


def test_hits_outside_of_the_window_are_counted(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **arrays(hits=[[(26, 40, 5.0), (30, 49, 5.0)], [(36, 125, 1.0)], []]))
    source = MPDReader(tmp_path / "a.npz")
    assert source.outside == 2
    assert (source.read(0, 3).x > 0).sum() == 1


def test_without_places_the_window_is_put_around_the_hits(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **arrays(PARAMS[:, :2], [[(43, 270, 5.0)], [(43, 271, 6.0)], [(44, 270, 7.0)]]))
    events = open_events(tmp_path / "a.npz").read(0, 3)
    image = events.x.reshape(3, 8, 16)
    assert (image[0, 3, 7], image[1, 3, 8], image[2, 4, 7]) == (5, 6, 7)
    assert [feature.name for feature in events.schema.conditions] == ["crossing_angle", "dip_angle"]


def changed(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in {**arrays(), **values}.items() if value is not None}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (changed(amplitude=None), r"lacks the arrays \['amplitude'\]"),
        (changed(offsets=np.array([0, 3, 4])), "do not fit: 3 responses, 3 offsets"),
        (changed(offsets=np.array([0, 4, 3, 4])), "do not fit"),
        (changed(pad=np.zeros(2, dtype=np.int16)), "do not fit"),
        (changed(params=PARAMS[:, :5]), "5 parameters a response"),
        (changed(params=PARAMS[:, 0]), "'params' in .* has the shape"),
        (changed(params=PARAMS[:0], offsets=np.array([0])), "holds no TPC responses"),
        (changed(params=np.where(PARAMS == 12, np.nan, PARAMS)), "a parameter of response 1 .* is not a finite"),
        (changed(params=np.where(PARAMS == 33, 60, PARAMS)), "there is no pad row 60"),
        (changed(amplitude=np.array([1, 2, np.nan, 3])), "amplitudes that are negative or no numbers"),
        (changed(amplitude=np.array([1, 2, -3, 3.0])), "amplitudes that are negative"),
        (changed(pad=np.array(["a", "b", "c", "d"])), "'pad' in .* has the shape"),
    ],
)
def test_broken_archives(tmp_path: Path, content: dict[str, Any], message: str) -> None:
    np.savez(tmp_path / "broken.npz", **content)
    with pytest.raises(FacsimError, match=message):
        open_events(tmp_path / "broken.npz")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("params: 1 2 40 30 23 1\n", "ends inside a response"),
        ("params: 1 2 40 30 23 1\n30 40\n", "are no triples: 2 numbers"),
        ("params: 1 2 40 30 23 1\n30 40 x\n", "something that is no number"),
        ("params: 1 2 40 30 23 1\n30 40 5\nparams: 1 2\n30 40 5\n", "has 2 parameters and the first 6"),
        ("params: 1 2 40 30 23 1\n30 40 5\nparam 1 2\n30 40 5\n", "line 3 of .* begin with 'params:'"),
        ("params: 1\n30 40 5\n", "1 parameters a response"),
        ("params: 1 2 40 30 99 1\n30 40 5\n", "no pad row 99"),
        ("params: 1 2 40 30 23 1\n30 40 nan\n", "negative or no numbers"),
    ],
)
def test_broken_text(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "broken.dat").write_text(content)
    with pytest.raises(FacsimError, match=message):
        open_events(tmp_path / "broken.dat")


def test_a_truncated_archive(tmp_path: Path) -> None:
    np.savez(tmp_path / "whole.npz", **arrays())
    data = (tmp_path / "whole.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(data[: len(data) // 2])
    with pytest.raises(FacsimError, match="damaged and cannot be read"):
        MPDReader(tmp_path / "cut.npz")


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FacsimError, match="does not exist"):
        open_events(tmp_path / "none.npz")
    with pytest.raises(FacsimError, match="does not exist"):
        MPDReader(tmp_path / "none.npz")


def test_another_geometry(path: Path) -> None:
    with pytest.raises(FacsimError, match="no other geometry"):
        open_events(path, geometry="ds2-electrons")


def test_the_public_files() -> None:
    folder = Path(os.environ.get("FACSIM_DATA", "")) / "mpd-tpc"
    if not os.environ.get("FACSIM_DATA") or not folder.is_dir():
        pytest.skip("FACSIM_DATA names no folder with mpd-tpc")
    plus, v2 = (open_events(folder / name) for name in ("v4plus_fixed_pt.npz", "v2_two_angles.npz"))
    assert isinstance(plus, MPDReader)
    assert (len(plus), len(v2), plus.outside) == (3750, 9982, 0)
    x = plus.read(0, 3750).x
    assert (x > 0).sum(axis=(1, 2)).mean() == pytest.approx(18.44, abs=0.01)
    np.testing.assert_allclose(np.percentile(x.sum(axis=(1, 2)), [50, 99]), [357, 7185], rtol=0.01)
