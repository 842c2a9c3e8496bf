"""One look for every figure: palette, line styles, tick and font settings."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from matplotlib import rc_context
from matplotlib.axis import Axis
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

AnyFigure = Figure | SubFigure
INK = "#14181c"
MUTED = "#5d6671"
GRID = "#d8dde3"
PAPER = "#fefefe"
NULL = "#8b939c"
TRUTH = INK

# Okabe and Ito's colours, which stay apart for the common forms of colour blindness, and their twins on dark paper.
DARK_TWIN = {
    INK: "#eef1f4",
    MUTED: "#a3acb7",
    GRID: "#363d46",
    PAPER: "#171b20",
    NULL: "#87909a",
    "#0072b2": "#4fb0ee",
    "#d55e00": "#ff8b45",
    "#009e73": "#35cfa3",
    "#cc79a7": "#eba4cb",
    "#e69f00": "#ffc14d",
    "#56b4e9": "#8fd3fb",
    "#7a5195": "#bd9adb",
}
_SURROGATE = ("#0072b2",)
_SEVERAL = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#7a5195", "#56b4e9")
_GREYS = (MUTED, NULL)
_BASELINES = ("#d55e00", "#009e73", "#cc79a7", "#e69f00")
_PLACES = {"gflash": 0, "library": 1, "bootstrap": 2, "gflash-tuned": 3}  # a baseline looks the same in every run
_DASHES: tuple[Any, ...] = ("-", (0, (5, 1.6)), (0, (1.4, 1.4)), (0, (5, 1.4, 1.2, 1.4)))
_MARKERS = ("o", "s", "D", "^", "v", "P")

# Paper to ink: an empty cell looks like paper, also when the dark page inverts the picture.
ENERGY = LinearSegmentedColormap.from_list(
    "facsim-energy", ["#eef3f7", "#bfdcea", "#79bcd0", "#2f93a8", "#146a86", "#123f66", "#0d1b3d"]
)
SIGNED = LinearSegmentedColormap.from_list(
    "facsim-signed", ["#0b4f8a", "#4d97c7", "#b9d9ea", "#f7f7f7", "#f6c9a8", "#df7f3c", "#8f3503"]
)


@dataclass(frozen=True)
class Look:
    """How one sample is drawn in every figure; `leads` when axes are scaled to it, `band` when its errors are shown."""

    colour: str
    dash: Any
    marker: str
    width: float
    leads: bool = True
    band: bool = True

    @property
    def css_name(self) -> str:
        """Custom property of the page that holds the colour."""
        return css_variable(self.colour)


def css_variable(colour: str) -> str:
    """The page's custom property for a palette colour, e.g. `--c-0072b2`."""
    return f"--c-{colour.lstrip('#').lower()}"


def looks(kinds: dict[str, str]) -> dict[str, Look]:
    """A look for each sample.

    Args:
        kinds: sample name to kind; `baseline` gets the warm and dashed looks, any other kind the blue ones. Several
            surrogates get all colours, and baselines are grey.
    """
    result = {}
    counts = {"surrogate": 0, "baseline": 0}
    number = sum(kind != "baseline" for kind in kinds.values())
    several = number > 1
    for name, kind in kinds.items():
        family = "baseline" if kind == "baseline" else "surrogate"
        colours = {
            ("surrogate", False): _SURROGATE,
            ("baseline", False): _BASELINES,
            ("surrogate", True): _SEVERAL,
            ("baseline", True): _GREYS,
        }[family, several]
        index = _PLACES.get(name, counts[family]) if family == "baseline" else counts[family]
        counts[family] += 1
        dash = _DASHES[(index + 1 if family == "baseline" else index // len(colours)) % len(_DASHES)]
        marker = _MARKERS[(index + (1 if family == "baseline" else 0)) % len(_MARKERS)]
        leads, few = family == "surrogate", number < 4
        width = 1.25 if not leads else 1.9 if few else 1.4
        result[name] = Look(colours[index % len(colours)], dash, marker, width, leads, leads and few)
    return result


@contextmanager
def facsim_style(**overrides: Any) -> Iterator[None]:
    """Settings for the figures made inside: mplhep's ATLAS fonts and ticks, sized for the page."""
    import mplhep  # noqa: PLC0415  (registers its fonts when imported)

    size = 9.0
    ours: dict[str, Any] = {
        "font.size": size,
        "axes.titlesize": size + 1,
        "axes.labelsize": size + 0.5,
        "axes.labelpad": 3.0,
        "axes.linewidth": 0.8,
        "axes.edgecolor": INK,
        "axes.labelcolor": INK,
        "axes.titlecolor": INK,
        "text.color": INK,
        "axes.autolimit_mode": "data",
        "axes.axisbelow": True,
        "axes.formatter.use_mathtext": False,
        "axes.formatter.limits": "-4, 5",
        "xtick.minor.visible": False,
        "ytick.minor.visible": False,
        "axes.unicode_minus": True,
        "axes.facecolor": "none",
        "figure.facecolor": "none",
        "figure.dpi": 100,
        "xtick.color": INK,
        "ytick.color": INK,
        "xtick.labelsize": size - 0.5,
        "ytick.labelsize": size - 0.5,
        "xtick.major.size": 4.5,
        "xtick.minor.size": 2.4,
        "ytick.major.size": 4.5,
        "ytick.minor.size": 2.4,
        "xtick.major.width": 0.7,
        "ytick.major.width": 0.7,
        "xtick.minor.width": 0.5,
        "ytick.minor.width": 0.5,
        "xaxis.labellocation": "right",
        "yaxis.labellocation": "top",
        "legend.fontsize": size - 1,
        "legend.frameon": False,
        "legend.borderpad": 0.2,
        "legend.handlelength": 1.9,
        "legend.columnspacing": 1.2,
        "lines.linewidth": 1.4,
        "mathtext.default": "it",
        "svg.fonttype": "path",
        "figure.constrained_layout.use": False,
    }
    settings: Any = {**mplhep.style.ATLAS, **ours, **overrides}
    with rc_context(settings):
        yield


def log_axis(axis: Axis, most: int = 7) -> None:
    """Decades written as plain numbers between 0.001 and 1000: quicker to read, and to draw, than powers of ten."""
    axis.set_major_locator(LogLocator(numticks=most))
    axis.set_minor_locator(LogLocator(subs=(2, 5), numticks=30))
    axis.set_major_formatter(FuncFormatter(decade_label))
    axis.set_minor_formatter(NullFormatter())


def decade_label(value: float, _position: int | None = None) -> str:
    """`0.01`, `1`, `100`, and powers of ten beyond."""
    if 0.9e-3 < value < 1.1e3:
        return f"{value:g}"
    return f"$\\mathregular{{10^{{{round(math.log10(value))}}}}}$" if value > 0 else "0"


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of `width` by `height` inches that belongs to no global state."""
    return Figure(figsize=(width, height))
