"""Jets of Pythia 8 in the form of JetNet: the constituents of the jets of two hard partons or bosons at 13 TeV.

The recipe is that of JetNet (arXiv 2106.11535) as far as Pythia alone can follow it: partons of 1 TeV within 1 %, the
Monash tune with its underlying event, anti-kT jets of R = 0.8, the hardest constituents, no detector. JetNet's hard
processes are those of MadGraph; its gluon jets come from gg -> gg, as here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError, MissingExtraError
from facsim.core.rng import integer_seed

JetArray = NDArray[np.float32]

ENERGY = 13_000.0
PARTON_PT = (990.0, 1010.0)
JET_PT = (800.0, 1600.0)
LARGEST_ETA = 2.5
RADIUS = 0.8
CONSTITUENTS = 30
EVENTS_AT_ONCE = 100
EVENTS_WITHOUT_JETS = 5000
INVISIBLE = (12, 14, 16)
LARGEST_SEED = 900_000_000

_W_TO_QUARKS = ("24:onMode = off", "24:onIfAny = 1 2 3 4 5")
_Z_TO_QUARKS = ("23:onMode = off", "23:onIfAny = 1 2 3 4 5")
JETS: dict[str, tuple[str, ...]] = {
    "gluon": ("HardQCD:gg2gg = on",),
    "quark": ("HardQCD:qq2qq = on",),
    "top": ("Top:gg2ttbar = on", "Top:qqbar2ttbar = on", *_W_TO_QUARKS),
    "w": ("WeakDoubleBoson:ffbar2WW = on", *_W_TO_QUARKS),
    "z": ("WeakDoubleBoson:ffbar2gmZgmZ = on", "WeakZ0:gmZmode = 2", *_Z_TO_QUARKS),
}
"""Kind of jet to the settings of Pythia that make it; a new kind is a line."""


def check_kind(kind: str) -> None:
    """Refuse an unknown kind of jets.

    Raises:
        FacsimError: it is no key of `JETS`.
    """
    if kind not in JETS:
        raise FacsimError(f"there are no jets '{kind}': expected one of {', '.join(JETS)}.")


def pythia_jets(
    n: int, kind: str = "gluon", seed: int = 1, progress: Callable[[float], None] | None = None
) -> JetArray:
    """Simulate `n` jets.

    The same arguments give the same jets. Workers that share a sample take different seeds.

    Args:
        n: number of jets.
        kind: a key of `JETS`.
        seed: of Pythia's random numbers.
        progress: called with the fraction done.

    Returns:
        (n, 30, 4) float32: eta and phi relative to the jet, pT over the jet's, and 1 for a particle, 0 for padding;
        hardest particles first, all 0 in the padding.

    Raises:
        FacsimError: an unknown kind, no jets asked for, or a Pythia that does not start.
        MissingExtraError: Pythia or FastJet is not installed.
    """
    check_kind(kind)
    if n < 1:
        raise FacsimError(f"at least one jet has to be simulated, not {n}.")
    parts: list[JetArray] = []
    done, barren = 0, 0
    for jets in _batches(kind, seed):
        parts.append(jets)
        done, barren = done + len(jets), 0 if len(jets) else barren + EVENTS_AT_ONCE
        if barren >= EVENTS_WITHOUT_JETS:
            raise FacsimError(
                f"Pythia made no {kind} jet of {JET_PT[0]:.0f} to {JET_PT[1]:.0f} GeV in {barren} events."
            )
        if progress is not None:
            progress(min(done / n, 1.0))
        if done >= n:
            return np.concatenate(parts)[:n]
    raise AssertionError("batches do not end")


def _batches(kind: str, seed: int) -> Iterator[JetArray]:
    """Jets of EVENTS_AT_ONCE events at a time, without end."""
    try:
        import fastjet  # noqa: PLC0415  optional
        import pythia8mc  # noqa: PLC0415  optional
    except ImportError as error:
        raise MissingExtraError("jets", str(error.name)) from None
    pythia = _started(pythia8mc, kind, seed)
    # The banner would be written on stdout, into the results of --json.
    fastjet._swig.ClusterSequence.set_fastjet_banner_stream(None)
    definition = fastjet.JetDefinition(fastjet.antikt_algorithm, RADIUS)
    while True:
        yield _clustered(fastjet, definition, pythia.nextBatch(EVENTS_AT_ONCE).prt)


def _started(pythia8mc: Any, kind: str, seed: int) -> Any:
    pythia = pythia8mc.Pythia("", False)
    own_seed = 1 + integer_seed(seed, "pythia", kind) % (LARGEST_SEED - 1)
    for line in (
        "Print:quiet = on",
        f"Beams:eCM = {ENERGY}",
        f"PhaseSpace:pTHatMin = {PARTON_PT[0]}",
        f"PhaseSpace:pTHatMax = {PARTON_PT[1]}",
        "Random:setSeed = on",
        f"Random:seed = {own_seed}",
        *JETS[kind],
    ):
        pythia.readString(line)
    if not pythia.init():
        raise FacsimError(
            "Pythia does not start: let PYTHIA8DATA name its folder share/Pythia8/xmldoc, or reinstall it."
        )
    return pythia


def _clustered(fastjet: Any, definition: Any, particles: Any) -> JetArray:
    """The two hardest jets of each event that lie in the window, from Pythia's records as nested arrays."""
    import awkward as ak  # noqa: PLC0415  comes with fastjet

    seen = particles.status > 0
    for pdg in INVISIBLE:
        seen = seen & (abs(particles.id) != pdg)
    p = particles.p[seen]
    p = ak.zip({"px": p.px, "py": p.py, "pz": p.pz, "E": p.e}, with_name="Momentum4D")
    found = fastjet.ClusterSequence(p, definition).constituents(min_pt=0.5 * JET_PT[0])
    momenta = {key: found[key] for key in ("px", "py", "pz")}
    jet_pt = np.hypot(*(ak.sum(momenta[key], axis=2) for key in ("px", "py")))
    hardest = ak.argsort(jet_pt, axis=1, ascending=False)[:, :2]
    jets = {key: ak.flatten(value[hardest], axis=1) for key, value in momenta.items()}
    return _relative(*(_padded(ak, jets[key]) for key in ("px", "py", "pz")))


def _padded(ak: Any, ragged: Any) -> NDArray[np.float64]:
    """(jets, most constituents) with 0 where there is none."""
    most = max(1, int(ak.max(ak.num(ragged), initial=0)))
    return np.asarray(ak.to_numpy(ak.fill_none(ak.pad_none(ragged, most, clip=True), 0.0)), dtype=np.float64)


def _relative(px: NDArray[np.float64], py: NDArray[np.float64], pz: NDArray[np.float64]) -> JetArray:
    """JetNet's columns of jets given by their constituents (N, P), for those jets that lie in the window."""
    jet_x, jet_y, jet_z = px.sum(axis=1), py.sum(axis=1), pz.sum(axis=1)
    jet_pt = np.hypot(jet_x, jet_y)
    jet_eta = np.arcsinh(jet_z / jet_pt)
    kept = (jet_pt > JET_PT[0]) & (jet_pt < JET_PT[1]) & (np.abs(jet_eta) < LARGEST_ETA)
    pt = np.hypot(px, py)[kept]
    order = np.argsort(-pt, axis=1)[:, :CONSTITUENTS]
    pt, px, py, pz = (np.take_along_axis(value, order, axis=1) for value in (pt, px[kept], py[kept], pz[kept]))
    real = pt > 0
    turn = np.arctan2(py, px) - np.arctan2(jet_y, jet_x)[kept, None]
    columns = (
        np.arcsinh(pz / np.where(real, pt, 1.0)) - jet_eta[kept, None],
        (turn + np.pi) % (2 * np.pi) - np.pi,
        pt / jet_pt[kept, None],
        real,
    )
    jets = np.zeros((len(pt), CONSTITUENTS, 4), dtype=np.float32)
    jets[:, : pt.shape[1]] = np.where(real[:, :, None], np.stack(columns, axis=2), 0.0)
    return jets
