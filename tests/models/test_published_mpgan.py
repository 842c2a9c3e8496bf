"""MPGAN's published weights: the imported model against a forward pass written anew from the paper, in numpy."""

from __future__ import annotations

import itertools
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.core.schema import Feature, Schema
from facsim.models.base import draw_noise
from facsim.models.checkpoint import load_model, save_model
from facsim.models.published_mpgan import LARGEST, import_mpgan
from facsim.models.single_stage import SingleStage

FEATURES = (Feature("etarel"), Feature("phirel", "rad"), Feature("ptrel"))
SCHEMA = Schema("cloud", FEATURES, (Feature("pt", "GeV"), Feature("num_particles")), points=30)
FREE = Schema("cloud", FEATURES, (Feature("pt", "GeV"), Feature("eta")), points=30)
NOISE, HIDDEN, EDGES, NODES = 6, 5, (7, 9), (11, 8)
State = dict[str, torch.Tensor]


def published(layout: str, hidden_out: int = 3) -> State:
    """Random weights under the names of one of the repository's layouts."""
    rng = torch.Generator().manual_seed(5)
    state: State = {}
    for layer, (n_in, n_out) in enumerate([(NOISE, HIDDEN), (HIDDEN, hidden_out)]):
        for net, sizes in (("fe", (2 * n_in, *EDGES)), ("fn", (EDGES[-1] + n_in, *NODES, n_out))):
            for k, (n, m) in enumerate(itertools.pairwise(sizes)):
                name = f"mp_layers.{layer}.{net}.net.{k}" if layout == "new" else f"{net}.{layer}.{k}"
                state[f"{name}.weight"] = torch.randn(m, n, generator=rng) / n**0.5
                state[f"{name}.bias"] = 0.1 * torch.randn(m, generator=rng)
    return state


def forward(state: State, noise: NDArray[np.float64], count: int, kind: str) -> NDArray[np.float64]:
    """Points of one jet from noise (30, NOISE) of width 0.2, pair by pair; those that are real, by the first number."""
    arrays = {key: value.numpy().astype(np.float64) for key, value in state.items()}

    def linear(net: str, layer: int, k: int, x: NDArray[np.float64]) -> NDArray[np.float64]:
        name = f"mp_layers.{layer}.{net}.net.{k}"
        name = name if f"{name}.weight" in arrays else f"{net}.{layer}.{k}"
        return np.asarray(arrays[f"{name}.weight"] @ x + arrays[f"{name}.bias"])

    def leaky(x: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.where(x > 0, x, 0.2 * x)

    rank = noise[:, 0].argsort().argsort()
    real, h = rank < count, noise
    for layer in range(2):
        after = []
        for i in range(30):
            message = np.zeros(EDGES[-1])
            for j in np.flatnonzero(real):
                x = np.concatenate([h[i], h[j]])
                for k in range(len(EDGES)):
                    x = leaky(linear("fe", layer, k, x))
                message += x
            x = np.concatenate([message, h[i]])
            for k in range(len(NODES)):
                x = leaky(linear("fn", layer, k, x))
            after.append(linear("fn", layer, len(NODES), x))
        h = np.array(after)
    z = np.tanh(h[:, :3])
    z[:, 2] += 0.5
    z *= LARGEST[kind]
    z[:, 2] = np.maximum(z[:, 2], 0)
    return np.asarray(z[noise[:, 0].argsort()][:count])


def imported(state: State, folder: Path, kind: str = "t", schema: Schema = SCHEMA) -> SingleStage:
    torch.save(state, folder / "G_best_epoch.pt")
    return import_mpgan(folder / "G_best_epoch.pt", kind, schema, torch.tensor([30, 12, 12, 29]).repeat(50))


@pytest.mark.parametrize(("layout", "kind", "hidden"), [("new", "t", 3), ("new", "g", 3), ("old", "q", HIDDEN)])
def test_samples_are_those_of_the_published_forward_pass(layout: str, kind: str, hidden: int, tmp_path: Path) -> None:
    state = published(layout, hidden)
    model = imported(state, tmp_path, kind)
    counts = [30, 1, 17]
    noise = draw_noise(model.noise_spec(3), torch.Generator().manual_seed(2))
    with torch.no_grad():
        x = model.sample(torch.tensor([[1000.0, float(n)] for n in counts]), noise).numpy()
    assert x.shape == (3, 30, 4)
    for k, n in enumerate(counts):
        expected = forward(state, 0.2 * noise["noise"][k].numpy().astype(np.float64), n, kind)
        np.testing.assert_allclose(x[k, :n, :3], expected, rtol=1e-4, atol=1e-5)
        assert x[k, :n, 3].all()
        assert not x[k, n:].any()


def test_without_a_number_of_particles_it_is_that_of_the_jets_given(tmp_path: Path) -> None:
    model = imported(published("new"), tmp_path, schema=FREE)
    save_model(model, "single-stage", tmp_path / "saved")
    loaded = load_model(tmp_path / "saved")
    cond = torch.tensor([[1000.0, 0.5]]).repeat(2000, 1)
    noise = draw_noise(loaded.noise_spec(2000), torch.Generator().manual_seed(3))
    with torch.no_grad():
        count = loaded.sample(cond, noise)[..., 3].sum(1)
    shares = {n: float((count == n).float().mean()) for n in (12, 29, 30)}
    assert shares[12] == pytest.approx(0.5, abs=0.05)
    assert shares[29] == pytest.approx(0.25, abs=0.05)
    assert shares[30] == pytest.approx(0.25, abs=0.05)


def test_conditions_have_no_influence(tmp_path: Path) -> None:
    model = imported(published("new"), tmp_path)
    noise = draw_noise(model.noise_spec(1), torch.Generator().manual_seed(3))
    with torch.no_grad():
        first, other = (model.sample(torch.tensor([[pt, 20.0]]), noise) for pt in (10.0, 5000.0))
    assert torch.equal(first, other)


def _without(name: str) -> State:
    state = published("new")
    del state[name]
    return state


REFUSED = {
    "a latent layer": ({**published("new"), "lfc_layer.weight": torch.zeros(2, 2)}, "the name 'lfc_layer.weight'"),
    "another network": ({"net.0.weight": torch.zeros(2, 2)}, "the name 'net.0.weight' is not known"),
    "nothing": ({}, "it has 0 complete layers"),
    "no bias": (_without("mp_layers.0.fe.net.1.bias"), "layer 1 of 'fe' 0 is not linear"),
    "a gap": (_without("mp_layers.1.fe.net.0.weight"), "it has 1 complete layers"),
    "labels": (
        {**published("new"), "mp_layers.0.fe.net.0.weight": torch.zeros(EDGES[0], 2 * NOISE + 1)},
        "a layer takes 13 numbers where 12 come",
    ),
    "other widths": (
        {
            **published("new"),
            "mp_layers.1.fe.net.0.bias": torch.zeros(3),
            "mp_layers.1.fe.net.0.weight": torch.zeros(3, 10),
        },
        "not of equal widths",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_other_layouts_are_refused_in_one_sentence(case: str, tmp_path: Path) -> None:
    state, message = REFUSED[case]
    with pytest.raises(FacsimError, match=message) as caught:
        imported(state, tmp_path)
    assert str(caught.value).count(". ") == 0


class _Harm:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return (open, (str(self.path), "w"))


def test_code_in_a_file_is_not_run(tmp_path: Path) -> None:
    file, harm = tmp_path / "G.pt", tmp_path / "harm"
    torch.save({"a": _Harm(harm)}, file)
    for content in (file.read_bytes(), pickle.dumps(_Harm(harm)), b"", b"no file of PyTorch"):
        file.write_bytes(content)
        with pytest.raises(FacsimError, match="is no PyTorch file of arrays alone"):
            import_mpgan(file, "g", SCHEMA, torch.tensor([30]))
    assert not harm.exists()


def test_other_files_jets_and_kinds_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FacsimError, match="is no file: give the state dict"):
        import_mpgan(tmp_path / "none.pt", "g", SCHEMA, torch.tensor([30]))
    torch.save([torch.zeros(2)], tmp_path / "list.pt")
    with pytest.raises(FacsimError, match="holds no state dict"):
        import_mpgan(tmp_path / "list.pt", "g", SCHEMA, torch.tensor([30]))
    with pytest.raises(FacsimError, match=r"of the kinds \['g', 'q', 't'\], not 'w'"):
        imported(published("new"), tmp_path, "w")
    with pytest.raises(FacsimError, match="jets of 30 particles"):
        imported(published("new"), tmp_path, schema=Schema("cloud", FEATURES, (), points=150))
