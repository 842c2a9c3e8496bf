"""Numbers and names as a reader wants them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

DASH, TIMES, SIGMA = "\u2013", "\u00d7", "\u03c3"
PM = "\u00a0\u00b1\u00a0"  # does not break across lines
NARROW = "\u202f"  # narrow no-break space, between thousands and before units
MINUS = "\u2212"

OBSERVABLES: dict[str, tuple[str, str]] = {
    "e_ratio": ("Visible over incident energy", "the peak is the response, the tails are leakage and late showers"),
    "e_total": ("Total visible energy", "the shape follows the spectrum of incident energies"),
    "e_layer": ("Energy in a layer", "the low edge, where showers start late, is hard to model"),
    "ec_x": ("Centre of energy in x", "it has to be symmetric about zero; the width is the fluctuation of the core"),
    "ec_y": ("Centre of energy in y", "it has to be symmetric about zero and like the one in x"),
    "ec_r": ("Centre of energy in radius", "too small means too narrow showers"),
    "width_x": ("Width in x", "zero where a single cell was hit; correlations between cells show here first"),
    "width_y": ("Width in y", "it has to be like the one in x"),
    "width_r": ("Width in radius", "zero where a single ring was hit"),
    "hits": ("Cells with energy", "a surrogate that blurs its showers hits too many cells"),
    "depth": ("Mean depth", "the layer about which the energy lies; it fluctuates with the first interaction"),
    "depth_width": ("Length of the shower", "too narrow a peak means showers that are too much alike"),
    "layer_share": ("Share of the energy in a layer", "it shows the fluctuation of the shape apart from the energy"),
    "ring_share": ("Share of the energy in a ring", "it shows how dense the core is"),
    "sparsity": ("Share of empty cells", "a surrogate that blurs its showers has too few empty cells"),
    "mass": ("Jet mass", "over the jet's pT; heavy particles that decay in the jet make peaks"),
    "pt": ("Momentum of the constituents", "of those that are kept, over the jet's pT"),
    "multiplicity": ("Number of particles", "of those that are kept"),
    "tau21": ("N-subjettiness ratio tau21", "small for jets of two prongs"),
    "tau32": ("N-subjettiness ratio tau32", "small for jets of three prongs"),
    "d2": ("Energy correlation ratio D2", "small for jets of two prongs"),
    "width": ("Width", "mean distance from the axis, by pT; quark jets are narrower than those of gluons"),
    "ptd": ("Momentum dispersion", "1 for a jet of one particle"),
    "leading": ("Hardest particle", "its pT over the jet's"),
    "cell": ("Energy of single cells", "the left end is the read-out threshold, the right end the shower core"),
}
_SCORES = {
    "auc_high": "AUC on high-level observables",
    "auc_cells": "AUC on cells",
    "auc_network": "AUC of a network on particles",
    "fpd/multiple": "FPD as a multiple of truth's own",
    "fpnd": "ParticleNet distance (FPND)",
    "w1m": "jet mass (W1M)",
    "w1m/multiple": "W1M as a multiple of truth's own",
    "w1p": "particle features, mean (W1P)",
    "w1p/multiple": "W1P as a multiple of truth's own",
    "w1p/eta": "particle eta",
    "w1p/phi": "particle phi",
    "w1p/pt": "particle pT",
    "w1efp": "energy flow polynomials, mean (W1EFP)",
    "w1efp/multiple": "W1EFP as a multiple of truth's own",
    "mmd": "minimum matching distance (MMD)",
    "coverage": "coverage (COV)",
    "fpd": "Fréchet distance (FPD)",
    "kpd": "kernel distance (KPD)",
    "correlation/e_layer": "correlations of layer energies",
    "memorisation": "distance to the nearest training event",
    "memorisation/close": "share close to a training event",
    "memorisation/copies": "share of copies of training events",
    "memorisation/exact": "share equal to a training event",
    "duplicates": "share with a copy in the sample",
    "equivalent_size/e_layer": "judged by layer energies",
}
_ALIASES = {"cells": "cell", "cell_energy": "cell", "spectrum": "cell", "cell_spectrum": "cell"}


def describe(observable: str) -> tuple[str, str]:
    """Name of an observable and what to look for, both plain words."""
    key = _ALIASES.get(observable, observable)
    return OBSERVABLES.get(key, (observable.replace("_", " "), "truth and surrogate should agree within the bands"))


def count(number: float) -> str:
    """`12 800`, with narrow spaces between thousands."""
    return f"{round(number):,}".replace(",", NARROW)


def significant(value: float, digits: int = 3) -> str:
    """`value` with `digits` significant digits, without trailing exponent for everyday sizes."""
    if not math.isfinite(value):
        return DASH
    if value == 0:
        return "0"
    size = math.floor(math.log10(abs(value)))
    if -4 <= size < 5:
        return _minus(f"{value:.{max(0, digits - 1 - size)}f}")
    return _power(value, digits)


def plus_minus(value: float | None, error: float | None) -> str:
    """`0.7132 ± 0.0087`: two significant digits of the error decide how the value is rounded."""
    if value is None or not math.isfinite(value):
        return DASH
    if not error or not math.isfinite(error):
        return significant(value, 4)
    places = 1 - math.floor(math.log10(error))
    if places > 7 or abs(value) >= 1e6:
        return f"{_power(value, 3)}{PM}{_power(error, 2)}"
    places = max(places, 0)
    return _minus(f"{value:.{places}f}{PM}{error:.{places}f}")


def duration(ms: float) -> str:
    """A time with its unit, three significant digits: `0.413 ms`, `73.2 ms`, `1.20 s`."""
    if ms >= 1000:
        return f"{significant(ms / 1000)}{NARROW}s"
    return f"{significant(ms)}{NARROW}ms"


def times(factor: float) -> str:
    """A speed-up: `24`, `7.9`, `0.64`."""
    return significant(factor, 2 if factor < 100 else 3)


def energy(mev: float) -> str:
    """`1.26 GeV` or `500 MeV`."""
    return f"{mev / 1e3:.3g}{NARROW}GeV" if mev >= 1e3 else f"{mev:.3g}{NARROW}MeV"


def listing(words: Iterable[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    items = list(words)
    return " and ".join(items) if len(items) < 3 else f"{', '.join(items[:-1])} and {items[-1]}"


def capital(sentence: str) -> str:
    """With its first letter a capital one."""
    return sentence[:1].upper() + sentence[1:]


def score_label(name: str) -> str:
    """Plain words for a score's name, `separation/e_ratio` included."""
    if name in _SCORES:
        return _SCORES[name]
    family, _, observable = name.partition("/")
    if not observable:
        return name.replace("_", " ")
    words, _ = describe(re.sub(r"[/\[].*$", "", observable))
    rest = observable[len(re.sub(r"[/\[].*$", "", observable)) :].strip("/[]")
    return f"{words.lower()}{f' ({rest})' if rest else ''}" if family in ("separation", "w1") else f"{family}, {words}"


def _minus(text: str) -> str:
    return re.sub(r"^-", MINUS, text)


def _power(value: float, digits: int) -> str:
    if value == 0:
        return "0"
    size = math.floor(math.log10(abs(value)))
    raised = str(size).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return _minus(f"{value / 10.0**size:.{digits - 1}f}{TIMES}10{raised}")
