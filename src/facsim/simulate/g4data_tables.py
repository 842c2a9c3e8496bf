"""Electromagnetic tables of the miniature Geant4 data, from numbers inside two packages of the extra `geant4`.

Each writer makes the files Geant4 11.4 reads from G4EMLOW for one element. File formats: a header line with the range
and number of points, then pairs of energy (MeV) and value.
"""

from __future__ import annotations

import json
import sqlite3
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from facsim.core.errors import FacsimError, MissingExtraError
from facsim.core.geometry import FloatArray

ELECTRON_MASS = 0.51099895
BARN_PER_CM2_PER_MOL = 1 / 0.602214076
MM2_PER_BARN = 1e-22
SELTZER_BERGER = Path("data") / "bremsstrahlung_seltzer_berger1986.txt"
XRAYDB = Path("xraydb.sqlite")


def package_file(package: str, name: Path) -> Path:
    """The file `name` inside an installed package, without importing the package.

    Raises:
        MissingExtraError: the package is not installed.
        FacsimError: it holds no such file.
    """
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtraError("geant4", {"yamc": "yamc-core"}.get(package, package))
    path = Path(spec.submodule_search_locations[0]) / name
    if not path.is_file():
        raise FacsimError(
            f"the package '{package}' holds no '{name}': install the versions of the extra with "
            "pip install 'facsim[geant4]'."
        )
    return path


def write_vector(path: Path, x: FloatArray, y: FloatArray, head: str | None = None) -> None:
    """Write a Geant4 physics vector: `x` in MeV, shape (n,), and its values; `head` replaces the second line."""
    second = f"{len(x)}\n" if head is None else ""
    tail = "" if head is None else f" {head}"
    rows = "".join(f"{a:.9g} {b:.9g}\n" for a, b in zip(x, y, strict=True))
    path.write_text(f"{x[0]:.9g} {x[-1]:.9g} {len(x)}{tail}\n{second}{rows}", encoding="ascii")


def read_seltzer_berger() -> tuple[FloatArray, FloatArray, FloatArray]:
    """Bremsstrahlung cross sections of S. M. Seltzer and M. J. Berger, At. Data Nucl. Data Tables 35 (1986) 345.

    Returns:
        Electron energies (T,) in MeV, photon fractions k/T (k,), and beta^2/Z^2 k dsigma/dk in mb, (100, T, k) for
        Z = 1 to 100. Read from the package yamc-core; the tables are work of the US government (NBS).
    """
    path = package_file("yamc", SELTZER_BERGER)
    words = " ".join(path.read_text(encoding="ascii").splitlines()[4:]).split()
    n_t, n_k = int(words[0]), int(words[1])
    size = 100 * n_t * n_k
    values = np.array(words[2 : 2 + n_t + n_k + size], dtype=np.float64)
    return values[:n_t], values[n_t : n_t + n_k], values[n_t + n_k :].reshape(100, n_t, n_k)


def write_bremsstrahlung(folder: Path, charges: tuple[int, ...]) -> None:
    """`brem_SB/br<Z>`: the tables of `read_seltzer_berger` in the layout of G4SeltzerBergerModel."""
    energies, fractions, tables = read_seltzer_berger()
    out = folder / "brem_SB"
    out.mkdir(parents=True)
    head = (
        f"0 {len(fractions)} {len(energies)}\n"
        + " ".join(f"{v:.6g}" for v in fractions)
        + "\n"
        + " ".join(f"{v:.8g}" for v in np.log(energies))
        + "\n"
    )
    for z in charges:
        rows = "".join(" ".join(f"{v:.6g}" for v in row) + "\n" for row in tables[z - 1])
        (out / f"br{z}").write_text(head + rows, encoding="ascii")


class ElementTables:
    """Cross sections of one element from the tables of W. T. Elam, B. D. Ravel and J. R. Sieber, Radiat. Phys. Chem.
    63 (2002) 121, read from the database of the package xraydb (MIT licence)."""

    def __init__(self, z: int) -> None:
        database = sqlite3.connect(f"{package_file('xraydb', XRAYDB).as_uri()}?mode=ro", uri=True)
        try:
            self._database = database
            self.symbol, self.mass = self._row("elements", "element, molar_mass", "atomic_number", z)
            self.photo_energy, photo = self._log_table("photoabsorption", "log_photoabsorption")
            self.photo = photo * self.mass * BARN_PER_CM2_PER_MOL
            self.coherent_energy, coherent = self._log_table("scattering", "log_coherent_scatter")
            self.coherent = coherent * self.mass * BARN_PER_CM2_PER_MOL
            query = "select absorption_edge, jump_ratio from xray_levels where element=? order by absorption_edge desc"
            levels = database.execute(query, (self.symbol,)).fetchall()
        finally:
            database.close()
        found = [(e * 1e-6, max(j, 1.0001)) for e, j in levels if e > 100.0 and j and j > 1.0]
        self.levels: list[tuple[float, float]] = found or [(1.36e-5, 2.0)]

    def _row(self, table: str, columns: str, key: str, value: object) -> tuple[str, float]:
        row = self._database.execute(f"select {columns} from {table} where {key}=?", (value,)).fetchone()
        if row is None:
            raise FacsimError(f"the package xraydb has no tables for the element Z={value}.")
        return row[0], row[1]

    def _log_table(self, table: str, column: str) -> tuple[FloatArray, FloatArray]:
        """Energies in MeV and values in cm2/g."""
        energy, value = self._row(table, f"log_energy, {column}", "element", self.symbol)
        return np.exp(np.array(json.loads(energy))) * 1e-6, np.exp(np.array(json.loads(str(value))))


def sauter(energy: FloatArray) -> FloatArray:
    """Energy dependence of the K-shell photoelectric cross section well above the edge, arbitrary norm, MeV.

    F. Sauter, Ann. Phys. 11 (1931) 454; used above 1 MeV, where the Elam tables end.
    """
    g = 1 + energy / ELECTRON_MASS
    s = np.sqrt(g * g - 1)
    bracket = 4 / 3 + g * (g - 2) / (g + 1) * (1 - np.log((g + s) / (g - s)) / (2 * g * s))
    return np.asarray((ELECTRON_MASS / energy) ** 5 * s**3 * bracket)


def write_photoelectric(folder: Path, charges: tuple[int, ...], highest: float = 1e6) -> None:
    """`epics2017/phot/pe-*`: E^3 sigma (MeV^3 barn) of G4LivermorePhotoElectricModel, to `highest` MeV."""
    out = folder / "epics2017" / "phot"
    out.mkdir(parents=True)
    for z in charges:
        tables = ElementTables(z)
        grid, sigma = _photo_curve(tables, highest)
        y = sigma * grid**3
        edges = [edge for edge, _ in tables.levels]
        above = grid >= edges[0] * (1 - 1e-9)
        write_vector(out / f"pe-cs-{z}.dat", grid[above], y[above])
        # the parametrised forms take over above the energy in the header, which no photon reaches
        shells = "".join(f"{edge:.9g} 0 0 0 0 0 0\n" for edge in edges)
        for kind, limit in (("high", "1e15"), ("low", "1e14")):
            (out / f"pe-{kind}-{z}.dat").write_text(f"{len(edges)} {len(edges)} {limit}\n{shells}", encoding="ascii")
        if len(edges) > 1:
            below = grid <= edges[0] * (1 + 1e-9)
            write_vector(out / f"pe-le-cs-{z}.dat", grid[below], y[below])
            _write_shells(out / f"pe-ss-cs-{z}.dat", grid, y, tables.levels)


def _photo_curve(tables: ElementTables, highest: float) -> tuple[FloatArray, FloatArray]:
    """Photoelectric cross section (barn) on a grid that keeps both sides of every edge."""
    energy, edges = tables.photo_energy, np.array([edge for edge, _ in tables.levels])
    points = [np.geomspace(energy[0], 1.0, 400), energy[energy <= 1.0], edges * (1 - 1e-6), edges * (1 + 1e-6)]
    low = np.unique(np.concatenate(points))
    low = low[(low >= energy[0]) & (low <= 1.0)]
    sigma = np.exp(np.interp(np.log(low), np.log(energy), np.log(tables.photo)))
    high = np.geomspace(1.0, highest, 300)[1:]
    tail = sigma[-1] * sauter(high) / sauter(np.array([1.0]))
    return np.concatenate([low, high]), np.concatenate([sigma, tail])


def _write_shells(path: Path, grid: FloatArray, y: FloatArray, levels: list[tuple[float, float]]) -> None:
    """Share of each shell from the jump ratios of the edges, constant above each edge."""
    rest = np.ones_like(grid)
    text = []
    for i, (edge, jump) in enumerate(levels):
        is_open = grid > edge
        share = np.where(is_open, rest * (1 - 1 / jump) if i < len(levels) - 1 else rest, 0.0)
        rest = rest - share
        x, v = grid[is_open], (share * y)[is_open]
        text.append(f"{x[0]:.9g} {x[-1]:.9g} {len(x)} {i}\n")
        text.extend(f"{a:.9g} {b:.9g}\n" for a, b in zip(x, v, strict=True))
    path.write_text("".join(text), encoding="ascii")


def write_rayleigh(folder: Path, charges: tuple[int, ...]) -> None:
    """`epics2017/rayl/re-cs-<Z>.dat`: E^2 sigma (MeV^2 mm^2) of coherent scattering."""
    out = folder / "epics2017" / "rayl"
    out.mkdir(parents=True)
    for z in charges:
        tables = ElementTables(z)
        energy, sigma = tables.coherent_energy, tables.coherent * MM2_PER_BARN
        grid = np.geomspace(energy[0], energy[-1], 300)
        y = np.exp(np.interp(np.log(grid), np.log(energy), np.log(sigma))) * grid**2
        write_vector(out / f"re-cs-{z}.dat", grid, y)
