"""The public images of dark showers: the layout they have, and files that are not what they say."""

import os
from pathlib import Path

import numpy as np
import pytest

from facsim.core.errors import FacsimError
from facsim.core.rng import generator
from facsim.core.sources import read_labels
from facsim.data import open_events
from facsim.physics.dark_schema import FEATURES, TOTAL, as_images, is_dark


def pictures(n=12, channels=3, seed=1):
    """Images with as many pixels as the public ones, above thresholds like theirs."""
    rng = generator(seed, "images")
    x = np.zeros((n, 72, 58, 3), np.float32)
    for channel, (share, least, mean) in enumerate(((0.02, 0.1, 9.0), (0.044, 0.5, 3.0), (0.014, 1.4, 16.0))):
        on = rng.random((n, 72, 58)) < share
        x[..., channel] = on * (least + rng.exponential(mean, (n, 72, 58)))
    return x if channels == 3 else x.sum(axis=3, keepdims=True)


def write(folder, name="qcd_gensim_1.npz", **changes):
    n = len(changes.get("images", np.empty(12)))
    arrays = {
        "images": pictures(),
        "labels": np.zeros(n, np.float32),
        "masses": np.zeros(n, np.float32),
        "n_tracks": np.arange(n, dtype=np.float32)[:, None],
        **changes,
    }
    path = folder / name
    np.savez_compressed(path, **{key: value for key, value in arrays.items() if value is not None})
    return path


def test_the_public_layout(tmp_path):
    x = pictures()
    source = open_events(write(tmp_path, images=x))
    assert is_dark(source.schema)
    assert source.schema.features == FEATURES
    assert [c.name for c in source.schema.conditions] == ["mass", "is_qcd", "is_suep", "is_svj", "n_tracks"]
    events = source.read(3, 9)
    assert np.array_equal(as_images(events.x), x[3:9])
    assert events.cond.tolist() == [[0, 1, 0, 0, k] for k in range(3, 9)]
    assert np.array_equal(source.read(0, 2).x, x[:2].reshape(2, -1, 3))
    assert source.read(3, 3).x.shape == (0, 72 * 58, 3)
    assert np.array_equal(read_labels(source).cond[3:9], events.cond)


def test_one_channel_has_other_codes_of_masses(tmp_path):
    labels, masses = np.array([0, 1, 1, 2], np.float32), np.array([0, 2, 4, 7], np.float32)
    three = write(tmp_path, "mixed.npz", images=pictures(4), labels=labels, masses=masses)
    one = write(tmp_path, "one.npz", images=pictures(4, 1), labels=labels, masses=masses, n_tracks=None)
    assert read_labels(open_events(three)).cond[:, 0].tolist() == [0, 200, 400, 4100]
    source = open_events(one)
    assert source.schema.features == TOTAL
    assert source.read(0, 4).cond[:, 0].tolist() == [0, 400, 1000, 4100]
    gev = write(tmp_path, "gev.npz", images=pictures(4), labels=labels, masses=np.array([0, 350.0, 700.0, 1500.0]))
    assert read_labels(open_events(gev)).cond[:, 0].tolist() == [0, 350, 700, 1500]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("qcd_gensim_1.npz", [0, 1, 0, 0]),
        ("n_tracks_test_suep_gensim_h400_phi2_dp0p7_dt2_103_6.npz", [400, 0, 1, 0]),
        ("svj_3100_16671_0.npz", [3100, 0, 0, 1]),
    ],
)
def test_the_name_tells_what_the_arrays_do_not(tmp_path, name, expected):
    path = write(tmp_path, name, labels=None, masses=None, n_tracks=None)
    assert read_labels(open_events(path)).cond[0].tolist() == expected


def broken(change):
    x = pictures()
    change(x)
    return x


def nan(x):
    x[5, 3, 3, 0] = np.nan


def negative(x):
    x[5, 3, 3, 0] = -1.0


def empty(x):
    x[5] = 0


@pytest.mark.parametrize(
    ("change", "message"),
    [(nan, "image 5 .* not a finite"), (negative, "image 5 .* negative"), (empty, "image 5 .* empty")],
)
def test_images_that_cannot_be(tmp_path, change, message):
    source = open_events(write(tmp_path, images=broken(change)))
    assert len(source.read(0, 5)) == 5
    with pytest.raises(FacsimError, match=message):
        source.read(4, 8)


@pytest.mark.parametrize("order", [(1, 0, 2), (0, 2, 1), (2, 1, 0), (1, 2, 0), (2, 0, 1)])
def test_channels_in_another_order(tmp_path, order):
    with pytest.raises(FacsimError, match="are not tracker, ECAL, HCAL"):
        open_events(write(tmp_path, images=pictures()[..., list(order)]))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"images": np.ones((12, 58, 72, 3), np.float32)}, r"expected \(N, 72, 58, 3\)"),
        ({"images": np.ones((12, 72, 58), np.float32)}, r"expected \(N, 72, 58, 3\)"),
        ({"images": np.ones((12, 72, 58, 2), np.float32)}, r"expected \(N, 72, 58, 3\)"),
        ({"images": pictures() / pictures().sum(axis=(1, 2, 3), keepdims=True)}, "expected GeV"),
        ({"labels": np.full(12, 3.0)}, r"expected 0 \(QCD\)"),
        ({"labels": np.zeros(5)}, r"expected \(12,\)"),
        ({"labels": np.ones(12), "masses": np.ones(12)}, "is called one of 'qcd'"),
        ({"masses": np.full(12, 9.0)}, "expected a code"),
        ({"masses": np.full(12, np.nan)}, "no number from 0 on"),
        ({"n_tracks": np.full(12, -1.0)}, "no number from 0 on"),
    ],
)
def test_files_that_cannot_be(tmp_path, changes, message):
    with pytest.raises(FacsimError, match=message):
        open_events(write(tmp_path, **changes))


def test_masses_and_names_that_contradict_or_lack(tmp_path):
    path = write(tmp_path, "suep_gensim_h125_1.npz", labels=np.ones(12), masses=np.full(12, 3.0))
    with pytest.raises(FacsimError, match=r"is called one of 125 GeV.*300"):
        open_events(path)
    with pytest.raises(FacsimError, match="its name tells no process"):
        open_events(write(tmp_path, "some.npz", labels=None))
    with pytest.raises(FacsimError, match="its name tells none"):
        open_events(write(tmp_path, "some.npz", labels=np.ones(12), masses=None))


def test_a_damaged_archive(tmp_path):
    path = write(tmp_path)
    data = path.read_bytes()
    # the directory at the end stays, what it points to does not
    path.write_bytes(data[:100] + bytes(len(data) // 2) + data[100 + len(data) // 2 :])
    with pytest.raises(FacsimError, match=r"damaged|no readable"):
        open_events(path).read(0, 12)


def test_the_published_files():
    folder = Path(os.environ.get("FACSIM_DATA", "")) / "cms-dark-showers"
    if not os.environ.get("FACSIM_DATA") or not folder.is_dir():
        pytest.skip("FACSIM_DATA names no folder with cms-dark-showers")
    files = sorted(folder.glob("*.npz"))
    assert len(files) > 20
    for path in files:
        source = open_events(path)
        events = source.read(0, len(source))
        x, cond = as_images(events.x), events.cond
        assert (cond[:, 1:4].sum(axis=1) == 1).all()
        one_channel = path.name.startswith("supervised")
        assert x.shape[3] == (1 if one_channel else 3)
        if not one_channel:
            # a track is in a pixel of its own, mostly
            pixels = (x[..., 0] > 0).sum(axis=(1, 2))
            assert (pixels <= cond[:, 4]).all()
            assert pixels.sum() > 0.8 * cond[:, 4].sum()
