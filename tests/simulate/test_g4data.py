"""The Geant4 data directory: physics of the tables, atomic building, checksums, official data first."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from facsim.core.cache import cache_dir
from facsim.core.errors import FacsimError, MissingExtraError
from facsim.simulate import g4data_tables
from facsim.simulate.g4data import find_data, find_official
from facsim.simulate.g4data_folders import DIRECTORIES
from facsim.simulate.g4data_hadronic import mass_number, neutron_inelastic, photonuclear
from facsim.simulate.g4data_miniature import miniature, verify
from facsim.simulate.g4data_tables import ElementTables, read_seltzer_berger, sauter

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("yamc") is None or importlib.util.find_spec("xraydb") is None,
    reason="the packages with the tables are not installed",
)
TUNGSTEN_SILICON = {"G4_W", "G4_Si"}


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACSIM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("GEANT4_DATA_DIR", *DIRECTORIES):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A miniature of hydrogen and silicon, built once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACSIM_CACHE", str(tmp_path_factory.mktemp("template")))
        return miniature((1, 14)).root


@pytest.fixture
def built(template: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(template, tmp_path / "cache" / template.name))


def test_photoelectric_cross_section_of_lead() -> None:
    """NIST XCOM: 5.24 cm2/g of photoelectric absorption in lead at 100 keV, 1.81e-2 at 1 MeV."""
    lead = ElementTables(82)
    barn = np.exp(np.interp(np.log([0.1, 1.0]), np.log(lead.photo_energy), np.log(lead.photo)))
    np.testing.assert_allclose(barn * 0.602214076 / 207.2, [5.24, 1.81e-2], rtol=0.04)
    assert lead.levels[0][0] == pytest.approx(0.0880045, rel=1e-3)


def test_sauter_falls_like_one_over_energy_at_high_energy() -> None:
    energy = np.array([1e4, 1e5])
    ratio = sauter(energy)[0] / sauter(energy)[1]
    assert ratio == pytest.approx(10, rel=1e-3)


def test_bremsstrahlung_tables_are_those_of_seltzer_and_berger() -> None:
    """57 energies from 1 keV to 10 GeV, 32 photon fractions; the tip is below the soft end at high energy."""
    energies, fractions, tables = read_seltzer_berger()
    assert tables.shape == (100, len(energies), len(fractions))
    assert (energies[0], energies[-1]) == pytest.approx((1e-3, 1e4))
    assert (fractions[0], fractions[-1]) == (0.0, 1.0)
    assert np.all(np.diff(energies) > 0)
    assert np.all(np.diff(fractions) > 0)
    # complete screening, Y. Tsai: (16/3) alpha r_e^2 [ln(184.15 Z^-1/3) - f(Z)] for k -> 0, here tungsten, mb
    coulomb = 0.175
    soft = 16 / 3 / 137.036 * 79.4077 * (np.log(184.15 * 74 ** (-1 / 3)) - coulomb + 1 / 18)
    assert tables[73, -1, 0] == pytest.approx(soft, rel=0.05)


def test_hadronic_stand_ins_have_the_right_size() -> None:
    """Neutron inelastic on iron is 0.78 b and on lead 1.7 b at a few hundred MeV; the giant dipole of lead 0.64 b."""
    assert [mass_number(z) for z in (6, 26, 82, 92)] == pytest.approx([12.0, 55.8, 207.2, 238.0], rel=0.04)
    energy = np.array([500.0])
    assert neutron_inelastic(energy, 26)[0] == pytest.approx(0.78, rel=0.1)
    assert neutron_inelastic(energy, 82)[0] == pytest.approx(1.73, rel=0.1)
    assert neutron_inelastic(np.array([0.1]), 82)[0] == 0.0
    assert photonuclear(np.linspace(8, 30, 500), 82).max() == pytest.approx(0.64, rel=0.1)
    assert photonuclear(np.array([5.0]), 82)[0] == 0.0


def test_the_miniature_holds_the_elements_asked_for_and_verifies(built: Path) -> None:
    low_energy = built / DIRECTORIES["G4LEDATA"]
    assert sorted(p.name for p in (low_energy / "brem_SB").iterdir()) == ["br1", "br14"]
    assert (low_energy / "epics2017" / "phot" / "pe-ss-cs-14.dat").is_file()
    assert all((built / name).is_dir() for name in DIRECTORIES.values())
    assert verify(built) == miniature((1, 14)).checksum
    assert sum(p.stat().st_size for p in built.rglob("*")) < 3e6


def test_the_same_elements_are_built_once_and_others_apart(built: Path) -> None:
    before = (built / "manifest.json").stat().st_mtime_ns
    assert find_data({"G4_Si"}).root == built
    assert (built / "manifest.json").stat().st_mtime_ns == before
    assert find_data(TUNGSTEN_SILICON).root != built


def test_shell_shares_add_up_to_the_whole_cross_section(built: Path) -> None:
    folder = built / DIRECTORIES["G4LEDATA"] / "epics2017" / "phot"
    total = np.loadtxt(folder / "pe-cs-14.dat", skiprows=2)
    lines = (folder / "pe-ss-cs-14.dat").read_text().splitlines()
    summed, at = np.zeros(len(total)), 0
    while at < len(lines):
        count = int(lines[at].split()[2])
        shell = np.array([line.split() for line in lines[at + 1 : at + 1 + count]], dtype=float)
        summed += np.interp(total[:, 0], shell[:, 0], shell[:, 1], left=0.0)
        at += 1 + count
    np.testing.assert_allclose(summed[1:], total[1:, 1], rtol=1e-6)


@pytest.mark.parametrize("damage", ["change", "remove", "add"])
def test_damaged_data_are_refused(built: Path, damage: str) -> None:
    victim = built / DIRECTORIES["G4LEDATA"] / "brem_SB" / "br14"
    if damage == "change":
        victim.write_text(victim.read_text().replace("7", "8", 1))
    elif damage == "remove":
        victim.unlink()
    else:
        victim = victim.with_name("br99")
        victim.write_text("1")
    with pytest.raises(FacsimError, match=rf"{victim.name}.*checksum.*delete the folder"):
        find_data({"G4_Si"})
    shutil.rmtree(built)
    assert verify(find_data({"G4_Si"}).root)


def test_a_broken_manifest_is_refused(built: Path) -> None:
    (built / "manifest.json").write_text("[]")
    with pytest.raises(FacsimError, match="lists no files"):
        miniature((1, 14))


def test_processes_that_race_build_one_directory(tmp_path: Path) -> None:
    code = "from facsim.simulate.g4data_miniature import miniature; print(miniature((1, 14)).checksum)"
    environment = {**os.environ, "PYTHONPATH": str(Path(g4data_tables.__file__).parents[2]), "OMP_NUM_THREADS": "1"}
    racers = [
        subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [racer.communicate(timeout=180)[0] for racer in racers]
    assert [racer.returncode for racer in racers] == [0, 0]
    assert len(set(said)) == 1
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_a_failed_build_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(g4data_tables, "XRAYDB", Path("absent.sqlite"))
    with pytest.raises(FacsimError, match=r"holds no 'absent\.sqlite'"):
        miniature((1, 14))
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(g4data_tables, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"yamc-core.*facsim\[geant4\]"):
        read_seltzer_berger()


def test_a_cache_that_cannot_be_written_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FACSIM_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(FacsimError, match="cannot write"):
        miniature((1, 14))


def test_where_the_cache_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cache_dir() == tmp_path / "cache"
    monkeypatch.delenv("FACSIM_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_dir() == tmp_path / "xdg" / "facsim"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_dir() == tmp_path / "home" / ".cache" / "facsim"


def completed(source: Path, target: Path) -> Path:
    """A copy of a miniature in which no set is empty, as in the official data."""
    shutil.copytree(source, target)
    (target / "manifest.json").unlink()
    for name in DIRECTORIES.values():
        (target / name / "README").write_text("contents")
    (target / DIRECTORIES["G4ENSDFSTATEDATA"] / "ENSDFSTATE.dat").write_text("0 0 -")
    return target


def test_complete_official_data_come_first(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    official = completed(built, tmp_path / "official")
    monkeypatch.setenv("GEANT4_DATA_DIR", str(official))
    data = find_data({"G4_Si"})
    assert (data.kind, data.root) == ("official", official)
    assert data.environment()["G4LEDATA"] == str(official / "G4EMLOW8.8")
    assert "official" in data.provenance()["note"]
    (official / "G4EMLOW8.8" / "README").write_text("other contents")
    assert find_data({"G4_Si"}).checksum != data.checksum


@pytest.mark.parametrize("lack", ["set", "contents", "levels"])
def test_incomplete_official_data_are_not_used(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lack: str
) -> None:
    official = completed(built, tmp_path / "official")
    monkeypatch.setenv("GEANT4_DATA_DIR", str(official))
    if lack == "set":
        shutil.rmtree(official / DIRECTORIES["G4PIIDATA"])
    elif lack == "contents":
        (official / DIRECTORIES["G4PIIDATA"] / "README").unlink()
    else:
        (official / DIRECTORIES["G4ENSDFSTATEDATA"] / "ENSDFSTATE.dat").write_text("")
    assert find_official() is None
    assert find_data({"G4_Si"}).kind == "miniature"


def test_official_data_in_scattered_folders(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    official = completed(built, tmp_path / "official")
    for i, (variable, name) in enumerate(DIRECTORIES.items()):
        place = tmp_path / f"place{i % 2}"
        place.mkdir(exist_ok=True)
        (official / name).rename(place / name)
        monkeypatch.setenv(variable, str(place / name))
    data = find_data({"G4_Si"})
    assert data.kind == "official"
    assert all((data.root / name).is_dir() for name in DIRECTORIES.values())
    monkeypatch.setenv("G4LEDATA", str(tmp_path / "G4EMLOW8.6"))
    assert find_data({"G4_Si"}).kind == "miniature"
