"""FPND: jetnet's own network and numbers where jetnet's files are, closed forms with a network of our own, errors."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from runpy import run_path

import numpy as np
import pytest
import torch

from facsim.core.errors import FacsimError
from facsim.evaluate import fpnd as module
from facsim.evaluate.fpnd import fpnd, particlenet_activations
from facsim.metrics.frechet import frechet_distance
from facsim.models.nets.particlenet import ParticleNet

GOLDEN_FOLDER = Path(__file__).parent.parent / "golden"
GOLDEN = json.loads((GOLDEN_FOLDER / "jetnet_0_2_5.json").read_text(encoding="utf-8"))
SAMPLES = run_path(str(GOLDEN_FOLDER / "make_jetnet.py"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files as jetnet has them: an untrained network, and the moments of 120 toy jets."""
    path = tmp_path_factory.mktemp("weights")
    torch.manual_seed(1)
    torch.save(ParticleNet().state_dict(), path / "pnet_state_dict.pt")
    x = particlenet_activations(SAMPLES["toy_jets"](120, 1), path)
    np.savetxt(path / "g_mu.txt", x.mean(axis=0))
    np.savetxt(path / "g_sigma.txt", np.cov(x, rowvar=False))
    return path


def test_distance_is_that_of_the_activations(folder: Path) -> None:
    jets = SAMPLES["toy_jets"](60, 2, 0.3)
    x = particlenet_activations(jets, folder)
    assert x.shape == (60, 256)
    mean, covariance = np.loadtxt(folder / "g_mu.txt"), np.loadtxt(folder / "g_sigma.txt")
    want = frechet_distance(mean, covariance, x.mean(axis=0), np.cov(x, rowvar=False))
    score = fpnd(jets, "g", null=SAMPLES["toy_jets"](60, 3), weights=folder)
    assert score.value == pytest.approx(want, rel=1e-9)
    assert score.z > 3
    assert (score.name, score.protocol, score.n_generated) == ("fpnd", "jetnet-0.2.5", 60)


def test_input_is_scaled_as_in_jetnet(folder: Path) -> None:
    jets = SAMPLES["toy_jets"](20, 4)
    net = ParticleNet()
    net.load_state_dict(torch.load(folder / "pnet_state_dict.pt", weights_only=True))
    scaled = torch.tensor(jets / np.array([1.62119853, 0.52072489, 0.89347172]) - [0, 0, 0.5], dtype=torch.float32)
    with torch.no_grad():
        want = net.eval().activations(scaled).numpy()
    np.testing.assert_allclose(particlenet_activations(jets, folder), want, atol=1e-5)


@pytest.mark.skipif(find_spec("jetnet") is None, reason="jetnet is not installed (pip install --no-deps jetnet==0.2.5)")
def test_jetnets_weights_give_jetnets_numbers() -> None:
    jets, _ = SAMPLES["jet_samples"]()
    activations = particlenet_activations(jets[:8])
    np.testing.assert_allclose(activations[:, :16], GOLDEN["fpnd"]["activations"], atol=1e-4)
    assert fpnd(jets, "t").value == pytest.approx(GOLDEN["fpnd"]["t"], rel=1e-5)


def test_broken_input_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jets = SAMPLES["toy_jets"](42, 5)
    with pytest.raises(FacsimError, match="jet types"):
        fpnd(jets, "w", weights=folder)
    with pytest.raises(FacsimError, match="shape"):
        fpnd(jets[:, :20], "g", weights=folder)
    with pytest.raises(FacsimError, match="not finite"):
        fpnd(jets * np.nan, "g", weights=folder)
    with pytest.raises(FacsimError, match="at least 40 jets"):
        fpnd(jets[:10], "g", weights=folder)
    with pytest.raises(FacsimError, match="moments of real jets"):
        fpnd(jets, "q", weights=folder)
    with pytest.raises(FacsimError, match="weights"):
        fpnd(jets, "g", weights=folder / "nowhere")
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(FacsimError, match="pip install --no-deps jetnet"):
        fpnd(jets, "g")
