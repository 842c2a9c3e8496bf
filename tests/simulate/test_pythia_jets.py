"""Jets of Pythia: JetNet's form, the window, the physics that tells kinds apart, seeds."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from facsim.core.errors import FacsimError, MissingExtraError
from facsim.physics.jets import jet_features
from facsim.simulate.pythia_jets import JETS, pythia_jets


def test_unknown_kinds_and_no_jets_are_told() -> None:
    with pytest.raises(FacsimError, match="no jets 'muon': expected one of gluon, quark, top, w, z"):
        pythia_jets(10, "muon")
    with pytest.raises(FacsimError, match="at least one jet has to be simulated, not 0"):
        pythia_jets(0)


def test_a_missing_package_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fastjet", None)
    with pytest.raises(MissingExtraError, match=r"'fastjet', which is not installed: run pip install 'facsim\[jets\]'"):
        pythia_jets(1)


@pytest.mark.parametrize("kind", sorted(JETS))
def test_jets_are_in_jetnets_form(kind: str) -> None:
    pytest.importorskip("pythia8mc")
    pytest.importorskip("fastjet")
    told: list[float] = []
    jets = pythia_jets(40, kind, seed=3, progress=told.append)
    assert jets.shape == (40, 30, 4)
    assert jets.dtype == np.float32
    real = jets[:, :, 3] == 1
    assert np.all(jets[~real] == 0)
    assert np.all(np.diff(jets[:, :, 2], axis=1) <= 0)
    assert np.all(np.hypot(jets[:, :, 0], jets[:, :, 1]) < 1.6)
    found = jet_features(jets[:, :, :3].astype(np.float64))
    # the hardest 30 constituents carry most of the jet and point along it
    assert np.all((found["pt"] > 0.5) & (found["pt"] < 1.001))
    assert np.abs(np.median(found["eta"])) < 0.02
    assert told[-1] == 1.0


def test_seeds_and_kinds_make_jets() -> None:
    pytest.importorskip("pythia8mc")
    pytest.importorskip("fastjet")
    gluon = pythia_jets(80, "gluon", seed=1)
    np.testing.assert_array_equal(pythia_jets(30, "gluon", seed=1), gluon[:30])
    assert not np.array_equal(pythia_jets(30, "gluon", seed=2), gluon[:30])
    mass = {"gluon": jet_features(gluon[:, :, :3])["mass"]}
    mass["w"] = jet_features(pythia_jets(80, "w", seed=1)[:, :, :3])["mass"]
    mass["top"] = jet_features(pythia_jets(80, "top", seed=1)[:, :, :3])["mass"]
    # of about 1 TeV: the W at 80 GeV and the top at 173 GeV, less what the 30 hardest do not hold
    assert np.median(mass["w"]) == pytest.approx(0.080, abs=0.008)
    assert np.median(mass["top"]) == pytest.approx(0.155, abs=0.04)
    assert np.quantile(mass["w"], 0.8) - np.quantile(mass["w"], 0.2) < 0.5 * (
        np.quantile(mass["gluon"], 0.8) - np.quantile(mass["gluon"], 0.2)
    )
