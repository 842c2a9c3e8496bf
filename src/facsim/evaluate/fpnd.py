"""Frechet ParticleNet distance (FPND, arXiv 2106.11535) in plain torch, with the weights of an installed jetnet."""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facsim.core.errors import FacsimError
from facsim.metrics.frechet import frechet_distance
from facsim.metrics.protocols import JETNET
from facsim.metrics.score import Score
from facsim.models.nets.particlenet import ParticleNet

__all__ = ["fpnd", "particlenet_activations"]

PARTICLES = 30
JET_TYPES = ("g", "q", "t")
MOST_JETS = 50_000
JETS_AT_ONCE = {"cpu": 16}  # what fits in the cache of a core
JETS_AT_ONCE_ELSEWHERE = 1024
LARGEST = (1.6211985349655151, 0.520724892616272, 0.8934717178344727)
"""What eta, phi and pT (all relative) are divided by; pT then loses a half (jetnet's `fpnd_norm`)."""
RESOURCES = Path("evaluation") / "fpnd_resources" / "jetnet" / f"{PARTICLES}_particles"
BLOCKS = 20


def fpnd(
    jets: NDArray[Any] | Tensor,
    jet_type: str,
    *,
    null: NDArray[Any] | Tensor | None = None,
    weights: Path | str | None = None,
    device: str | torch.device = "cpu",
) -> Score:
    """FPND of generated jets, as jetnet 0.2.5's `fpnd`: the Frechet distance of ParticleNet's activations.

    The reference is jetnet's own mean and covariance of real jets (the first 50 000 of its `valid` split), so that no
    truth is needed but for the null. As in jetnet, padding counts as particles and at most 50 000 jets are used; the
    number is biased upwards for fewer. The error is a jackknife of 20 blocks of jets.

    Args:
        jets: (N, 30, 3 or more), relative eta, phi, pT as in JetNet, padding 0.
        jet_type: `g`, `q` or `t`.
        null: truth of the same form.
        weights: folder with `pnet_state_dict.pt`, `<type>_mu.txt` and `<type>_sigma.txt`; by default that of jetnet.
        device: where the network runs.

    Raises:
        FacsimError: another number of particles, an unknown type, too few jets, or no weights.
    """
    if jet_type not in JET_TYPES:
        raise FacsimError(f"FPND knows the jet types {list(JET_TYPES)}, not '{jet_type}'.")
    folder = _folder() if weights is None else Path(weights)
    value, error = _distance(jets, jet_type, folder, device)
    of_null = (float("nan"), float("nan")) if null is None else _distance(null, jet_type, folder, device)
    return Score("fpnd", JETNET, value, error, *of_null, MOST_JETS, min(len(jets), MOST_JETS))


def particlenet_activations(
    jets: NDArray[Any] | Tensor, weights: Path | str | None = None, device: str | torch.device = "cpu"
) -> NDArray[np.float64]:
    """The 256 activations of each jet (N, 256); arguments and errors as of `fpnd`."""
    array = torch.as_tensor(jets)
    if array.ndim != 3 or array.shape[1] != PARTICLES or array.shape[2] < 3:
        raise FacsimError(f"FPND needs jets of shape (N, {PARTICLES}, 3 or more), not {tuple(array.shape)}.")
    if not bool(torch.isfinite(array).all()):
        raise FacsimError("the jets of FPND hold numbers that are not finite; remove those jets.")
    net = _network(_folder() if weights is None else Path(weights)).to(device)
    size = JETS_AT_ONCE.get(torch.device(device).type, JETS_AT_ONCE_ELSEWHERE)
    found = []
    with torch.inference_mode():
        for part in torch.split(array[:MOST_JETS, :, :3].to(torch.float32), size):
            scaled = part.to(device) / torch.tensor(LARGEST, device=device)
            scaled[:, :, 2] -= 0.5
            found.append(net.activations(scaled).cpu())
    return np.asarray(torch.cat(found), dtype=np.float64)


def _distance(
    jets: NDArray[Any] | Tensor, jet_type: str, folder: Path, device: str | torch.device
) -> tuple[float, float]:
    """Distance to the stored moments, and its jackknife error."""
    x = particlenet_activations(jets, folder, device)
    if len(x) < 2 * BLOCKS:
        raise FacsimError(f"FPND needs at least {2 * BLOCKS} jets, not {len(x)}.")
    reference = _read(folder / f"{jet_type}_mu.txt"), _read(folder / f"{jet_type}_sigma.txt")
    block = np.arange(len(x)) % BLOCKS

    def distance(part: NDArray[np.float64]) -> float:
        return frechet_distance(*reference, part.mean(axis=0), np.cov(part, rowvar=False))

    without = np.array([distance(x[block != k]) for k in range(BLOCKS)])
    return distance(x), float(np.sqrt((BLOCKS - 1) / BLOCKS * np.sum((without - without.mean()) ** 2)))


@lru_cache(maxsize=4)
def _network(folder: Path) -> ParticleNet:
    path = folder / "pnet_state_dict.pt"
    if not path.is_file():
        raise FacsimError(f"there is no file {path} with ParticleNet's weights; give the folder of jetnet's files.")
    net = ParticleNet()
    net.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return net.eval()


@lru_cache(maxsize=8)
def _read(path: Path) -> NDArray[np.float64]:
    if not path.is_file():
        raise FacsimError(f"there is no file {path} with the moments of real jets; give the folder of jetnet's files.")
    return np.loadtxt(path)


def _folder() -> Path:
    """The folder of an installed jetnet, which is not imported: with today's numpy that fails."""
    found = find_spec("jetnet")
    places = list(found.submodule_search_locations or ()) if found else []
    if not places:
        raise FacsimError(
            "FPND needs the weights that come with the package jetnet: run pip install --no-deps jetnet==0.2.5, or "
            "give the folder that holds pnet_state_dict.pt."
        )
    return Path(places[0]) / RESOURCES
