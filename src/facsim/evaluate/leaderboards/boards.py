"""The leaderboards by name: one data set of one challenge each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from facsim.core.errors import FacsimError
from facsim.evaluate.leaderboards.tables import METRICS, Entry, Metric, entries


@dataclass(frozen=True)
class Board:
    """One data set's published results.

    Args:
        name: as on the command line, e.g. `ds2`.
        title: for people.
        table: the csv file that holds it.
        x, y: metrics of the picture where nothing else is asked for: a cost and a quality.
        columns: metrics that a terminal shows.
        geometry: built-in read-out of its data, where it is one.
        particles: names of the particles that made its showers.
        caveat: a sentence that every reader needs.
    """

    name: str
    title: str
    table: str
    x: str
    y: str
    columns: tuple[str, ...]
    geometry: str | None = None
    particles: tuple[str, ...] = ()
    caveat: str = ""

    @property
    def rows(self) -> tuple[Entry, ...]:
        """Its numbers, those of truth against truth among them."""
        return tuple(entry for entry in entries(self.table) if entry.dataset == self.name)

    @property
    def models(self) -> list[str]:
        """Published models, without truth, in the table's order."""
        return list(dict.fromkeys(entry.model for entry in self.rows if not entry.is_truth))

    @property
    def metrics(self) -> list[str]:
        """Metrics that at least one row has, in the order of `METRICS`."""
        present = {entry.metric for entry in self.rows}
        return [name for name in METRICS if name in present]

    def metric(self, name: str) -> Metric:
        """The metric of that name.

        Raises:
            FacsimError: the board has no such metric.
        """
        if name not in self.metrics:
            raise FacsimError(f"leaderboard '{self.name}' has no metric '{name}': it has {', '.join(self.metrics)}.")
        return METRICS[name]

    def floors(self, metric: str) -> dict[str, Entry]:
        """Truth against truth by protocol, where it is published."""
        return {entry.protocol: entry for entry in self.rows if entry.is_truth and entry.metric == metric}


_CALO = ("params", "auc_low", "auc_high", "auc_resnet", "fpd_e3", "kpd_e3", "cpu_b1_ms", "cpu_b100_ms", "gpu_b100_ms")
_HGCAL = ("params", "showers", "auc", "fpd_e3", "kpd_e3", "sep_all", "ks_all", "b100_ms")
_JETS = ("fpd_e3", "kpd_e6", "w1m_e3", "w1p_e3", "w1pt_e3", "w1efp_e5", "fpnd", "us_per_jet", "gflop_per_jet")
_CHALLENGE = "The models were trained and judged on the challenge's own showers and timed on its machines."
_PIONS = " The two truth files differ: truth against truth has an AUC of 0.609 (cells) and 0.558."
_BALANCED = "The AUC is the balanced accuracy of rounded predictions and depends on the number of showers judged."
_MIXED = "Numbers of different protocols do not compare; those of jetfuel-2026 are second-hand."


def _calo(name: str, words: str, geometry: str, *particles: str, more: str = "") -> Board:
    title = f"CaloChallenge 2022, {words}"
    return Board(name, title, "calochallenge", "gpu_b100_ms", "auc_high", _CALO, geometry, particles, _CHALLENGE + more)


def _hgcal(particle: str, energy: str, words: str) -> Board:
    name = f"hgcal-{particle}-{energy}"
    x = "b100_ms" if name == "hgcal-photon-e50" else "params"
    return Board(name, f"CMS HGCal, {particle}s, {words}", "cms_hgcal", x, "fpd_e3", _HGCAL, caveat=_BALANCED)


def _jets(name: str, words: str, x: str, y: str) -> Board:
    return Board(name, f"JetNet, {words}", "jetnet", x, y, _JETS, caveat=_MIXED)


BOARDS: Mapping[str, Board] = {
    board.name: board
    for board in (
        _calo("ds1-photons", "data set 1, photons", "ds1-photons", "photon", "gamma"),
        _calo("ds1-pions", "data set 1, pions", "ds1-pions", "pion", "pi+", "pi-", more=_PIONS),
        _calo("ds2", "data set 2, electrons", "ds2-electrons", "electron", "e-"),
        _calo("ds3", "data set 3, electrons", "ds3-electrons", "electron", "e-"),
        *(
            _hgcal(particle, energy, words)
            for particle in ("photon", "pion")
            for energy, words in (
                ("e5", "5 GeV"), ("e50", "50 GeV"), ("e500", "500 GeV"), ("loguniform", "log-uniform energies")
            )
        ),
        _jets("jetnet-g30", "gluons, 30 particles", "gflop_per_jet", "fpnd"),
        _jets("jetnet-q30", "light quarks, 30 particles", "gflop_per_jet", "fpnd"),
        _jets("jetnet-t30", "top quarks, 30 particles", "gflop_per_jet", "fpnd"),
        _jets("jetnet-g150", "gluons, 150 particles", "w1m_e3", "fpd_e3"),
    )
}  # fmt: skip
"""Name to leaderboard."""


def find_board(name: str) -> Board:
    """The leaderboard of that name.

    Raises:
        FacsimError: there is none.
    """
    if name not in BOARDS:
        raise FacsimError(f"there is no leaderboard '{name}': there are {', '.join(BOARDS)}.")
    return BOARDS[name]
