"""Events of Pythia 8 as flat arrays of their final particles, with overlaid collisions if wanted.

Example:
    >>> for particles in pythia_events(HARD["t"], seed=1):
    ...     particles.momentum, particles.pdg, particles.event, particles.charge
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError, MissingExtraError
from facsim.core.geometry import FloatArray
from facsim.core.rng import generator, integer_seed
from facsim.physics.particles import Particles, invisible, merged

ENERGY = 13_000.0
EVENTS_AT_ONCE = 100
LARGEST_SEED = 900_000_000
PARTON_PT = (990.0, 1010.0)

_W_TO_QUARKS = ("24:onMode = off", "24:onIfAny = 1 2 3 4 5")
_Z_TO_QUARKS = ("23:onMode = off", "23:onIfAny = 1 2 3 4 5")
_HARD = (f"PhaseSpace:pTHatMin = {PARTON_PT[0]}", f"PhaseSpace:pTHatMax = {PARTON_PT[1]}")
HARD: dict[str, tuple[str, ...]] = {
    "g": (*_HARD, "HardQCD:gg2gg = on"),
    "q": (*_HARD, "HardQCD:qq2qq = on"),
    "t": (*_HARD, "Top:gg2ttbar = on", "Top:qqbar2ttbar = on", *_W_TO_QUARKS),
    "w": (*_HARD, "WeakDoubleBoson:ffbar2WW = on", *_W_TO_QUARKS),
    "z": (*_HARD, "WeakDoubleBoson:ffbar2gmZgmZ = on", "WeakZ0:gmZmode = 2", *_Z_TO_QUARKS),
}
"""JetNet's name of a kind of jets to the settings of Pythia that make pairs of them at 1 TeV; a new kind is a line."""
MINIMUM_BIAS = ("SoftQCD:inelastic = on",)


@dataclass(frozen=True)
class Veto:
    """Ends an event before most of its cost is spent, where it cannot become a wanted one.

    Args:
        scale: looked at when showers and further scatterings down to this pT are done, GeV.
        least: sum of the transverse energies of the event's final partons and resonances below which it ends, GeV.
    """

    scale: float
    least: float


class Pythia:
    """Pythia with its own random numbers; the same arguments give the same events, in the same order.

    Args:
        lines: its settings, as in a command file; later ones win.
        seed: of its random numbers.
        veto: events that end early, and are not given.

    Attributes:
        tried: hard collisions that were begun, those of the veto included.

    Raises:
        FacsimError: a line that Pythia does not understand, or settings that do not start.
        MissingExtraError: Pythia or awkward is not installed.
    """

    def __init__(self, lines: Sequence[str], seed: int, veto: Veto | None = None) -> None:
        try:
            import awkward  # noqa: F401, PLC0415  optional, for Pythia's records
            import pythia8mc  # noqa: PLC0415  optional
        except ImportError as error:
            raise MissingExtraError("jets", str(error.name)) from None
        self._pythia = pythia8mc.Pythia("", False)
        own = 1 + integer_seed(seed, "pythia") % (LARGEST_SEED - 1)
        fixed = ("Print:quiet = on", f"Beams:eCM = {ENERGY}")
        for line in (*fixed, *lines, "Random:setSeed = on", f"Random:seed = {own}"):
            if not self._pythia.readString(line, False):
                raise FacsimError(
                    f"Pythia does not know the setting '{line}': expected 'Group:name = value' as in its manual."
                )
        self.tried = 0
        if veto is not None:
            self._hook = _hook(pythia8mc, veto)  # Pythia does not keep it alive
            self._pythia.setUserHooksPtr(self._hook)
        else:
            self._hook = None
        if not self._pythia.init():
            raise FacsimError(
                f"Pythia does not start with the settings {list(lines)}: see that they name a process; if they do, let "
                "PYTHIA8DATA name its folder share/Pythia8/xmldoc, or reinstall it."
            )

    def next(self, events: int, visible: bool = True) -> Particles:
        """The final particles of the next `events` events; invisible ones are left out where only `visible` ones count.

        Raises:
            FacsimError: Pythia makes no events any more.
        """
        return self.weighted(events, visible)[0]

    def weighted(self, events: int, visible: bool = True) -> tuple[Particles, FloatArray]:
        """As `next`, and the weights (events,), 1 where the events are not biased."""
        if events < 1:
            nothing = np.empty(0, dtype=np.int64)
            return Particles(0, nothing, nothing, np.empty((0, 4))), np.empty(0)
        found: list[Particles] = []
        weights: list[FloatArray] = []
        done, barren = 0, 0
        while done < events:
            # events that Pythia gives up are left out, and a few are normal
            batch = self._pythia.nextBatch(events - done)
            record = batch.prt
            self.tried += events - done
            barren = 0 if len(record) else barren + events - done
            if barren >= EVENTS_AT_ONCE:
                raise FacsimError(f"Pythia made {done} events of {events}, then none in {barren}: see its settings.")
            if not len(record):
                continue
            part = _final(record, visible)
            found.append(replace(part, event=part.event + done))
            weights.append(np.asarray(batch.info.weights[:, 0], dtype=np.float64))
            done += part.events
        if self._hook is not None:
            self.tried = self._hook.seen
        return found[0] if len(found) == 1 else merged(events, found), np.concatenate(weights)


class EventMaker(Protocol):
    """Gives final particles of one event after the other."""

    def next(self, events: int, visible: bool = True) -> Particles: ...


class Collisions:
    """Hard collisions, with others at 13 TeV laid over them if wanted; all come from one point.

    Args:
        hard: makes the hard ones: settings of Pythia, such as an entry of `HARD` with further lines, or `HepMCEvents`.
        seed: of all random numbers.
        pile_up: mean of the Poisson number of collisions laid over each event.
        pile_up_lines: settings of Pythia that make those.

    Raises:
        FacsimError, MissingExtraError: as `Pythia`.
    """

    def __init__(
        self,
        hard: Sequence[str] | EventMaker,
        seed: int,
        *,
        pile_up: float = 0.0,
        pile_up_lines: Sequence[str] = MINIMUM_BIAS,
    ) -> None:
        self._hard: EventMaker = Pythia(hard, integer_seed(seed, "hard")) if isinstance(hard, Sequence) else hard
        self._soft = Pythia(pile_up_lines, integer_seed(seed, "pile-up")) if pile_up > 0 else None
        self._pile_up, self._rng = pile_up, generator(seed, "number of collisions")

    def next(self, events: int, visible: bool = True) -> Particles:
        """Final particles of the next `events` events, those of the hard collision first within an event; GeV."""
        particles = self._hard.next(events, visible)
        if self._soft is None:
            return particles
        events = particles.events
        parts, host = [particles], np.repeat(np.arange(events), self._rng.poisson(self._pile_up, events))
        for first in range(0, len(host), EVENTS_AT_ONCE):
            chosen = host[first : first + EVENTS_AT_ONCE]
            more = self._soft.next(len(chosen), visible)
            parts.append(Particles(events, chosen[more.event], more.pdg, more.momentum))
        return merged(events, parts)


def pythia_events(
    lines: Sequence[str], seed: int, *, at_once: int = EVENTS_AT_ONCE, pile_up: float = 0.0, visible: bool = True
) -> Iterator[Particles]:
    """Batches of `at_once` events of `Collisions`, without end; neutrinos are left out where `visible`."""
    source = Collisions(lines, seed, pile_up=pile_up)
    while True:
        yield source.next(at_once, visible)


def _hook(pythia8mc: Any, veto: Veto) -> Any:
    """The veto as Pythia asks for it; `seen` counts the events that were looked at."""

    class Hook(pythia8mc.UserHooks):  # type: ignore[misc]
        seen = 0

        def canVetoPT(self) -> bool:
            return True

        def scaleVetoPT(self) -> float:
            return veto.scale

        def doVetoPT(self, _place: int, event: Any) -> bool:
            self.seen += 1
            total = 0.0
            for place in range(event.size() - 1, 0, -1):
                entry = event[place]
                if entry.isFinal():
                    total += entry.mT()
                    if total >= veto.least:
                        return False
            return True

    return Hook()


def _final(record: Any, visible: bool) -> Particles:
    """Final particles of Pythia's records, nested arrays."""
    import awkward as ak  # noqa: PLC0415  optional

    seen = record.status > 0
    if visible:
        pdg = ak.to_numpy(ak.flatten(record.id))
        seen = seen & ak.unflatten(~invisible(pdg), ak.num(record.id))
    event = np.repeat(np.arange(len(record)), ak.to_numpy(ak.sum(seen, axis=1)))

    def column(values: Any) -> NDArray[Any]:
        return np.asarray(ak.to_numpy(ak.flatten(values[seen])))

    momentum = np.stack([column(record.p[axis]) for axis in ("px", "py", "pz", "e")], axis=1)
    return Particles(len(record), event, column(record.id).astype(np.int64), momentum.astype(np.float64))
