"""`facsim import`: a state dict as published becomes a model that is loaded, sampled and refused twice."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import facsim
from facsim.cli import app
from facsim.core.rng import generator
from facsim.data.jetnet import write_jetnet


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Weights of the published sizes and 40 made-up jets of 5 to 30 particles in JetNet's layout."""
    rng = torch.Generator().manual_seed(1)
    state = {}
    for layer, n_in in enumerate((32, 32)):
        for net, sizes in (("fe", (2 * n_in, 96, 160, 192)), ("fn", (192 + n_in, 256, 256, (32, 3)[layer]))):
            for k, (n, m) in enumerate(itertools.pairwise(sizes)):
                state[f"mp_layers.{layer}.{net}.net.{k}.weight"] = torch.randn(m, n, generator=rng) / n
                state[f"mp_layers.{layer}.{net}.net.{k}.bias"] = torch.zeros(m)
    torch.save(state, tmp_path / "G.pt")
    count = np.arange(40) % 26 + 5
    jets = np.random.default_rng(1).uniform(0, 0.03, (40, 30, 4)).astype(np.float32)
    jets[..., 3] = np.arange(30) < count[:, None]
    features = np.stack([np.full(40, 1e3), np.zeros(40), np.full(40, 90.0), count], 1)
    write_jetnet(tmp_path / "jets.h5", jets * jets[..., 3:], features)
    return tmp_path


def _import(files: Path, *more: str) -> tuple[int, str, str]:
    paths = [str(files / "G.pt"), "--data", str(files / "jets.h5"), "--out", str(files / "model")]
    done = CliRunner().invoke(app, ["import", *paths, *more])
    return done.exit_code, done.stdout, done.stderr


def test_published_weights_become_a_model(files: Path) -> None:
    code, out, _ = _import(files, "--jets", "g", "--json")
    assert code == 0
    assert json.loads(out)["published"] == "mpgan"
    jets = facsim.load(files / "model").sample(np.array([[1e3, 0.0, 90.0, 12.0], [1e3, 0.0, 90.0, 30.0]]), generator(3))
    assert jets[..., 3].sum(1).tolist() == [12, 30]
    assert np.abs(jets[..., 0]).max() > 0
    code, _, err = _import(files, "--jets", "g")
    assert code == 1
    assert "holds a model already" in err


@pytest.mark.parametrize(
    ("more", "message"), [(("--jets", "w"), "not 'w'"), (("--jets", "g", "--model", "gapt"), "no import of 'gapt'")]
)
def test_what_is_not_published_is_refused(files: Path, more: tuple[str, ...], message: str) -> None:
    code, _, err = _import(files, *more)
    assert code == 1
    assert message in err
    assert not (files / "model").exists()
