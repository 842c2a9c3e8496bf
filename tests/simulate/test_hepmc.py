"""HepMC text files: lines as the HepMC3 library (pyhepmc 2.16.1) wrote them, units, broken files, jets of a file."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from facsim.core.errors import FacsimError
from facsim.simulate.hepmc import HepMCEvents

ASCII3 = """HepMC::Version 3.02.05
HepMC::Asciiv3-START_EVENT_LISTING
E 0 1 5
U GEV MM
P 1 0 2212 0.0000000000000000e+00 0.0000000000000000e+00 6.5000000000000000e+03 6.5000000000000000e+03 0.0e+00 4
P 2 0 2212 0.0000000000000000e+00 0.0000000000000000e+00 -6.5000000000000000e+03 6.5000000000000000e+03 0.0e+00 4
V -1 0 [1,2]
P 3 -1 22 1.5 -2.5 3.0 4.183300132670378 0.0000000000000000e+00 1
P 4 -1 -211 10.0 0.0 0.0 10.0009736 1.3957000004357734e-01 1
P 5 -1 12 1.0 0.0 0.0 1.0 0.0000000000000000e+00 1
E 1 0 0
U GEV MM
E 2 0 1
U MEV MM
P 1 0 11 1000.0 0.0 0.0 1000.0 0.511 1
HepMC::Asciiv3-END_EVENT_LISTING
"""
ASCII2 = """HepMC::Version 3.02.05
HepMC::IO_GenEvent-START_EVENT_LISTING
E 0 0 0.000000e+00 0.000000e+00 0.000000e+00 0 0 1 10001 10002 0 0
U MEV MM
V -1 0 0 0 0 0 2 481 0
P 10001 2212 0.0000000000000000e+00 0.0000000000000000e+00 6.5000000000000000e+06 6.5000000000000000e+06 0.0 4 0 0 -1 0
P 10003 22 1500.0 -2500.0 3000.0 4183.300132670378 0.0000000000000000e+00 1 0 0 0 0
P 10004 -211 10000.0 0.0 0.0 10000.9736 1.3957000004357734e+02 1 0 0 0 0
HepMC::IO_GenEvent-END_EVENT_LISTING
"""


def test_final_particles_of_version_3(tmp_path: Path) -> None:
    path = tmp_path / "x.hepmc"
    path.write_text(ASCII3)
    source = HepMCEvents(path)
    first = source.next(1)
    np.testing.assert_array_equal(first.pdg, [22, -211])
    np.testing.assert_allclose(first.momentum[0], [1.5, -2.5, 3.0, 4.183300132670378])
    rest = source.next(10)
    assert rest.events == 2
    np.testing.assert_array_equal(rest.event, [1])
    np.testing.assert_allclose(rest.momentum, [[1.0, 0, 0, 1.0]])
    assert source.next(10).events == 0
    assert source.read == 3
    np.testing.assert_array_equal(HepMCEvents(path).next(1, visible=False).pdg, [22, -211, 12])


def test_an_event_in_which_the_file_breaks_off_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "x.hepmc"
    path.write_text(ASCII3.partition("E 1 0 0")[0])
    assert HepMCEvents(path).next(10).events == 0
    path.write_text(ASCII3.partition("P 1 0 11")[0])
    assert HepMCEvents(path).next(10).events == 2


def test_final_particles_of_version_2_gzipped(tmp_path: Path) -> None:
    path = tmp_path / "x.hepmc2.gz"
    with gzip.open(path, "wt") as file:
        file.write(ASCII2)
    found = HepMCEvents(path).next(5)
    assert found.events == 1
    np.testing.assert_allclose(found.momentum, [[1.5, -2.5, 3.0, 4.1833001], [10, 0, 0, 10.0009736]], rtol=1e-7)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "some text\nE 1 2\n",
            "event 1 has a line that cannot be read: ValueError expected HepMC 3 Asciiv3 or HepMC 2",
        ),
        (ASCII3.replace("-211 10.0", "-211 ten"), "event 1 has a line that cannot be read: .*ten"),
        (ASCII3.replace("U MEV", "U EV"), "event 3 has a line that cannot be read: KeyError .EV"),
        (ASCII3.replace(" 1.5 -2.5 3.0 4.183300132670378 0.0000000000000000e+00 1", ""), "event 1 has a line"),
    ],
)
def test_broken_files_are_told(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "x.hepmc"
    path.write_text(text)
    with pytest.raises(FacsimError, match=message):
        HepMCEvents(path).next(10)
    with pytest.raises(FacsimError, match="cannot read the HepMC file"):
        HepMCEvents(tmp_path / "none.hepmc").next(1)


def test_jets_of_a_file_are_those_of_its_particles(tmp_path: Path) -> None:
    pytest.importorskip("fastjet")
    from facsim.core.store import StoreReader  # noqa: PLC0415
    from facsim.simulate.jets import JetSimulation  # noqa: PLC0415

    lines = ["HepMC::Asciiv3-START_EVENT_LISTING"]
    for event, pt in enumerate((900.0, 1000.0, 100.0)):
        lines += [f"E {event} 0 4", "U GEV MM"]
        for i, (share, phi) in enumerate(((0.75, 0.1), (0.25, -0.3), (1.0, np.pi))):
            px, py = share * pt * np.cos(phi), share * pt * np.sin(phi)
            lines.append(f"P {i + 1} 0 211 {px} {py} 0.0 {share * pt} 0.0 1")
    path = tmp_path / "x.hepmc"
    path.write_text("\n".join([*lines, "HepMC::Asciiv3-END_EVENT_LISTING", ""]))
    settings = JetSimulation(events=4, kinds=["mine"], hepmc=path, workers=1)
    settings.simulate(tmp_path / "jets.h5", 1)
    jets = StoreReader(tmp_path / "jets.h5").read(0, 4)
    np.testing.assert_allclose(np.sort(jets.cond[:, 0]), np.sort([900, 1000, *(jets.cond[jets.mask.sum(1) == 2, 0])]))
    two = jets.x[jets.mask.sum(axis=1) == 2][:, :2]
    np.testing.assert_allclose(two[:, 0, 1] - two[:, 1, 1], 0.4, rtol=1e-5)
    np.testing.assert_allclose(two[:, 0, 2] / two[:, 1, 2], 3.0, rtol=1e-5)
    with pytest.raises(FacsimError, match="holds 3 events with 4 jets in the window, and 5 are wanted"):
        JetSimulation(events=5, kinds=["mine"], hepmc=path, workers=1).simulate(tmp_path / "more.h5", 1)
