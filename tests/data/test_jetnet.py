"""JetNet's files: written and read back, by range, recognised by their keys, chosen conditions, refused when broken."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from facsim.core.errors import FacsimError
from facsim.core.events import make_events
from facsim.core.schema import Feature, Schema, given_conditions
from facsim.core.sources import MemorySource, read_labels
from facsim.core.store import write_store
from facsim.data import jetnet, open_events
from facsim.data.jetnet import JetNetReader, export_jetnet, is_jets, write_jetnet
from facsim.data.splits import split_files
from facsim.physics.jet_schema import PARTICLE_FEATURES, jet_schema
from facsim.simulate.sample import sample_path

from .jets import cloud

FEATURES = np.column_stack([np.arange(1000.0, 1020), np.linspace(-1, 1, 20), np.arange(50.0, 70), np.arange(3.0, 23)])


def test_round_trip_by_range(tmp_path: Path) -> None:
    path, particles = tmp_path / "g.hdf5", cloud()
    write_jetnet(path, particles, FEATURES)
    source = open_events(path)
    assert isinstance(source, JetNetReader)
    assert is_jets(source.schema)
    assert len(source) == 20
    events = source.read(5, 12)
    present = particles[5:12, :, 3] == 1
    np.testing.assert_array_equal(events.mask, present)
    np.testing.assert_array_equal(events.x[present], particles[5:12, :, :3][present])
    assert np.all(events.x[~present] == 0)
    np.testing.assert_array_equal(events.condition("mass"), FEATURES[5:12, 2])
    np.testing.assert_array_equal(events.event_id, np.arange(5, 12))


def test_jets_without_features_have_no_conditions(tmp_path: Path) -> None:
    write_jetnet(tmp_path / "g150.hdf5", cloud(3, 150))
    events = open_events(tmp_path / "g150.hdf5").read(0, 3)
    assert events.cond.shape == (3, 0)
    assert events.x.shape == (3, 150, 3)


def test_conditions_are_chosen_and_kinds_told_by_files(tmp_path: Path) -> None:
    for kind, seed in (("g", 1), ("t", 2)):
        write_jetnet(tmp_path / f"{kind}30.hdf5", cloud(seed=seed), FEATURES * seed)
    both = open_events([tmp_path / "t30.hdf5", tmp_path / "g30.hdf5"], conditions=["eta", "type", "pt"])
    assert [feature.name for feature in both.schema.conditions] == ["eta", "is_g", "is_t", "pt"]
    events = both.read(15, 25)
    np.testing.assert_array_equal(events.condition("is_t"), np.arange(10) < 5)
    np.testing.assert_array_equal(events.condition("is_g"), np.arange(10) >= 5)
    np.testing.assert_array_equal(events.condition("pt"), [*(2 * FEATURES[15:, 0]), *FEATURES[:5, 0]])
    np.testing.assert_array_equal(read_labels(both).cond[15:25], events.cond)
    one = open_events(tmp_path / "t30.hdf5", conditions=["pt", "type"])
    assert [feature.name for feature in one.schema.conditions] == ["pt"]
    assert open_events(tmp_path / "t30.hdf5", conditions=[]).read(0, 2).cond.shape == (2, 0)
    with pytest.raises(FacsimError, match="no condition 'tau21'; they have"):
        open_events(tmp_path / "t30.hdf5", conditions=["tau21"])
    with pytest.raises(FacsimError, match="only they have the condition 'type'"):
        open_events(sample_path(), conditions=["type"])
    with pytest.raises(FacsimError, match="is given twice"):
        open_events([tmp_path / "t30.hdf5", tmp_path / "t30.hdf5"])
    with pytest.raises(FacsimError, match="is given twice"):
        open_events([tmp_path / "t30.hdf5", tmp_path / ".." / tmp_path.name / "t30.hdf5"])


def test_given_points_stay_whatever_conditions_are_chosen(tmp_path: Path) -> None:
    names = (Feature("gen_pt", "GeV"), Feature("gen_eta"), *given_conditions(2, PARTICLE_FEATURES, "gen"))
    schema, cond = Schema("cloud", PARTICLE_FEATURES, names, given=2), np.arange(80.0).reshape(10, 8)
    events = make_events(schema, cloud(10)[..., :3], cond, mask=cloud(10)[..., 3] == 1)
    write_store(tmp_path / "x.h5", [events])
    for chosen, columns in ((["gen_eta"], [1]), (["gen_eta", "gen_pt"], [1, 0]), ([], [])):
        source = open_events(tmp_path / "x.h5", conditions=chosen)
        assert [feature.name for feature in source.schema.scalar_conditions] == chosen
        np.testing.assert_array_equal(source.read(3, 5).cond, cond[3:5][:, [*columns, *range(2, 8)]])
        np.testing.assert_array_equal(
            source.schema.given_points(source.read(0, 10).cond), cond[:, 2:].reshape(10, 2, 3)
        )
    with pytest.raises(FacsimError, match="no condition 'gen0_ptrel'"):
        open_events(tmp_path / "x.h5", conditions=["gen0_ptrel"])


def test_splits_do_not_depend_on_the_files_beside() -> None:
    sizes = {"train": 0.5, "reference": 0.2, "null": 0.2}
    top, gluon = ("t", np.arange(200)), ("g", np.arange(300))
    alone = split_files([top], lambda n: sizes, seed=3)
    together = split_files([gluon, top], lambda n: sizes, seed=3)
    for name in sizes:
        mine = together[name]
        np.testing.assert_array_equal(mine[mine >= 300] - 300, alone[name])
    other = split_files([("q", np.arange(200))], lambda n: sizes, seed=3)
    assert not np.array_equal(other["train"], alone["train"])


def test_jets_are_written_a_file_per_kind(tmp_path: Path) -> None:
    particles = cloud()
    kinds = np.tile(np.eye(2), (10, 1))
    cond = np.column_stack([FEATURES[:, :2], kinds])
    events = make_events(jet_schema(("g", "t"), 30), particles[..., :3], cond, mask=particles[..., 3] == 1)
    paths = export_jetnet(MemorySource(events), tmp_path)
    assert [path.name for path in paths] == ["g.hdf5", "t.hdf5"]
    back = open_events(paths[1]).read(0, 10)
    np.testing.assert_array_equal(back.x, particles[1::2, :, :3])
    np.testing.assert_allclose(back.condition("pt"), FEATURES[1::2, 0])
    np.testing.assert_array_equal(back.condition("num_particles"), particles[1::2, :, 3].sum(axis=1))
    assert (back.condition("mass") > 0).all()
    sorted_by_kind = MemorySource(events[np.r_[0:20:2, 1:20:2]])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jetnet, "ROWS", 6)  # some pieces then hold one kind alone
        export_jetnet(sorted_by_kind, tmp_path)
    np.testing.assert_array_equal(open_events(paths[1]).read(0, 10).x, back.x)
    paths[1].unlink()
    with pytest.raises(FacsimError, match="there are no jets 't' among the 1"):
        export_jetnet(MemorySource(events[:1]), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["g.hdf5"]


def test_particles_are_put_in_order(tmp_path: Path) -> None:
    path, particles = tmp_path / "g.hdf5", cloud()
    write_jetnet(path, particles[:, ::-1])
    events = open_events(path).read(0, 20)
    np.testing.assert_array_equal(events.x, particles[:, :, :3])
    np.testing.assert_array_equal(events.mask, particles[:, :, 3] == 1)


def test_showers_are_not_jets() -> None:
    assert not is_jets(open_events(sample_path()).schema)


@pytest.mark.parametrize("order", [[2, 0, 1, 3], [0, 2, 1, 3], [1, 2, 0, 3]])
def test_columns_in_another_order_are_told(tmp_path: Path, order: list[int]) -> None:
    write_jetnet(tmp_path / "g.hdf5", cloud()[..., order])
    with pytest.raises(FacsimError, match="do not look like etarel, phirel, ptrel, mask"):
        open_events(tmp_path / "g.hdf5")


def test_swapped_axes_and_features_are_told(tmp_path: Path) -> None:
    path = tmp_path / "g.hdf5"
    write_jetnet(path, cloud().transpose(0, 2, 1))
    with pytest.raises(FacsimError, match="are its axes swapped"):
        open_events(path)
    write_jetnet(path, cloud(), FEATURES[:, [2, 1, 0, 3]])
    with pytest.raises(FacsimError, match="do not look like pt, eta, mass, num_particles"):
        open_events(path)


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ((3, 2, 3), 0.5, "is a mask and holds 0 and 1 only"),
        ((3, 2, 0), np.nan, "jet 3 has particles that are not finite numbers"),
        ((7, slice(None), 3), 0, "jet 7 has no particles"),
    ],
)
def test_broken_jets_are_told(tmp_path: Path, place: tuple[int | slice, ...], value: float, message: str) -> None:
    particles = cloud()
    particles[place] = value
    write_jetnet(tmp_path / "g.hdf5", particles)
    with pytest.raises(FacsimError, match=message):
        open_events(tmp_path / "g.hdf5").read(0, 20)


def test_a_particle_that_stands_twice_is_told(tmp_path: Path) -> None:
    particles = cloud()
    particles[5, 2] = particles[5, 0]
    write_jetnet(tmp_path / "g.hdf5", particles)
    with pytest.raises(FacsimError, match="jet 5 has the same particle twice"):
        open_events(tmp_path / "g.hdf5").read(0, 20)


def test_broken_files_are_told(tmp_path: Path) -> None:
    path = tmp_path / "g.hdf5"
    with h5py.File(path, "w") as handle:
        handle["particle_features"] = np.zeros((5, 30, 3))
    with pytest.raises(FacsimError, match=r"shape \(5, 30, 3\), not \(jets, particles, 4\)"):
        open_events(path)
    write_jetnet(path, cloud(), np.zeros((20, 3)))
    with pytest.raises(FacsimError, match=r"'jet_features' has shape \(20, 3\), not \(20, 4\)"):
        open_events(path)
    with h5py.File(path, "w") as handle:
        handle["jet_features"] = np.zeros((5, 4))
    with pytest.raises(FacsimError, match="no file of a layout that facsim knows"):
        open_events(path)
    with pytest.raises(FacsimError, match="lacks the data set 'particle_features'"):
        JetNetReader(path)
