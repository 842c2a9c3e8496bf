"""The public ECAL images: every layout that goes round, and files that are broken."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facsim.core.errors import FacsimError
from facsim.core.image import regular_image
from facsim.data import open_events
from facsim.data.checks import check_events
from facsim.data.ecal_npz import ECALReader, is_ecal_npz
from facsim.physics.ecal_observables import axis_depth

N = 7


def arrays(**changes: Any) -> dict[str, Any]:
    rng = np.random.default_rng(1)
    momentum = np.column_stack([rng.normal(size=(N, 2)), rng.uniform(5, 50, N)])
    found = {
        "EnergyDeposit": rng.gamma(0.1, 5.0, (N, 30, 30)),
        "ParticleMomentum": momentum,
        "ParticlePoint": rng.uniform(-5, 5, (N, 3)),
        **changes,
    }
    return {name: values for name, values in found.items() if values is not None}


def archive(folder: Path, **changes: Any) -> Path:
    path = folder / "images.npz"
    np.savez(path, **arrays(**changes))
    return path


@pytest.mark.parametrize("layout", ["first", "first1", "last", "last1"])
def test_images_first_or_last(tmp_path: Path, layout: str) -> None:
    images = arrays()["EnergyDeposit"]
    given = {
        "first": images,
        "first1": images[..., None],
        "last": np.moveaxis(images, 0, -1),
        "last1": np.moveaxis(images[..., None], 0, -1),
    }[layout]
    changes: dict[str, Any] = {"EnergyDeposit": given}
    if layout.startswith("last"):
        changes |= {"ParticleMomentum": arrays()["ParticleMomentum"].T, "ParticlePoint": arrays()["ParticlePoint"].T}
    source = open_events(archive(tmp_path, **changes))
    assert isinstance(source, ECALReader)
    events = source.read(2, 5)
    np.testing.assert_allclose(events.cells.reshape(-1, 30, 30), images[2:5], rtol=1e-6)
    expected = np.hstack([arrays()["ParticleMomentum"], arrays()["ParticlePoint"][:, :2]])
    np.testing.assert_array_equal(events.cond, expected[2:5])
    assert events.event_id.tolist() == [2, 3, 4]
    np.testing.assert_array_equal(source.labels().cond, expected)
    # Rows are along y.
    geometry = source.schema.geometry
    assert geometry is not None
    assert (geometry.x[1], geometry.y[30]) == (-13.5, -13.5)
    assert axis_depth(geometry) == 25  # type: ignore[arg-type]
    assert check_events(source).events == N


def test_the_type_of_the_particle(tmp_path: Path) -> None:
    source = open_events(archive(tmp_path, ParticlePDG=np.full((N, 1), 22.0)))
    assert [feature.name for feature in source.schema.conditions] == ["px", "py", "pz", "x", "y", "pdg"]
    assert source.read(0, N).condition("pdg").tolist() == [22.0] * N


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ParticlePoint": None}, r"lacks the arrays \['ParticlePoint'\]"),
        ({"EnergyDeposit": np.zeros((N, 28, 30))}, r"shape \(7, 28, 30\): expected \(N, 30, 30\)"),
        ({"EnergyDeposit": np.zeros((0, 30, 30))}, "holds no showers"),
        ({"ParticleMomentum": np.ones((N + 1, 3))}, r"shape \(8, 3\): expected \(7, 3\)"),
        ({"ParticlePoint": np.ones((N, 4))}, r"expected \(7, 2\) or \(7, 3\)"),
        ({"ParticlePDG": np.ones(3)}, r"'ParticlePDG' .* expected \(7, 1\)"),
        ({"ParticleMomentum": np.full((N, 3), np.nan)}, "'px' of shower 0 is not a finite number"),
        ({"ParticleMomentum": -np.ones((N, 3))}, "'pz' of shower 0 is -1, not positive"),
        ({"ParticlePoint": np.full((N, 2), "a")}, "expected numbers"),
        ({"ParticlePoint": np.full((N, 2), None, dtype=object)}, "pickled objects, which are not read"),
    ],
)
def test_wrong_arrays(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(FacsimError, match=message):
        open_events(archive(tmp_path, **changes))


def test_damaged_files(tmp_path: Path) -> None:
    path = archive(tmp_path)
    whole = bytearray(path.read_bytes())
    whole[400:440] = b"\xff" * 40
    path.write_bytes(whole)
    with pytest.raises(FacsimError, match="damaged"):
        open_events(path)
    path.write_bytes(path.read_bytes()[: len(whole) // 2])
    assert not is_ecal_npz(path)
    with pytest.raises(FacsimError, match="damaged or unsafe"):
        ECALReader(path)
    with pytest.raises(FacsimError, match="does not exist"):
        ECALReader(tmp_path / "none.npz")


def test_another_geometry(tmp_path: Path) -> None:
    with pytest.raises(FacsimError, match="no other geometry"):
        open_events(archive(tmp_path), geometry=regular_image("other", (0, 1, 8), (0, 1, 16)))
