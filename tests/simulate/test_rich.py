"""The RICH simulation: as LHCb's curves look, seeded, resumable, and its errors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from facsim.core.errors import FacsimError
from facsim.core.store import StoreReader
from facsim.physics.rich import SPECIES
from facsim.physics.rich_observables import HITS_PER_TRACK
from facsim.simulate.rich import RichSimulation, _tracks_of_hits


def dlls(species: str, n: int = 8000, **settings) -> tuple[np.ndarray, np.ndarray]:
    drawn = RichSimulation(events=n, species=species, **settings).generate(n, np.random.default_rng(1))
    return drawn.cond, drawn.x


def test_kaons_are_told_from_pions_as_in_lhcb() -> None:
    (of_k, kaon), (of_pi, pion) = dlls("k"), dlls("pi")
    for low, high, efficiency, misidentified in ((10e3, 20e3, 0.93, 0.08), (20e3, 40e3, 0.92, 0.08)):
        chosen = [x[(cond[:, 0] > low) & (cond[:, 0] < high), 2] > 0 for cond, x in ((of_k, kaon), (of_pi, pion))]
        assert chosen[0].mean() > efficiency
        assert chosen[1].mean() < misidentified
    fast = [(x[cond[:, 0] > 80e3, 2] > 0).mean() for cond, x in ((of_k, kaon), (of_pi, pion))]
    assert fast[0] - fast[1] < 0.8  # rings are of one size there


def test_below_both_thresholds_kaon_and_proton_are_exactly_the_same() -> None:
    cond, x = dlls("pi")
    slow = cond[:, 0] < 9000
    assert np.array_equal(x[slow, 2], x[slow, 3])
    assert not np.array_equal(x[~slow, 2], x[~slow, 3])


def test_sweights_give_the_signal_back() -> None:
    drawn = RichSimulation(events=20_000, species="k", background=0.4).generate(20_000, np.random.default_rng(2))
    assert drawn.weight is not None
    assert drawn.target is not None
    assert drawn.weight.min() < 0
    true = drawn.x[drawn.target[:, 0] > 0, 2]
    found = np.average(drawn.x[:, 2], weights=drawn.weight)
    error = true.std() * np.sqrt((drawn.weight**2).sum()) / drawn.weight.sum()
    assert abs(found - true.mean()) < 4 * error
    assert abs(drawn.x[:, 2].mean() - true.mean()) > 20 * error


def test_files_are_the_same_for_any_number_of_workers_and_after_an_interruption(tmp_path: Path) -> None:
    settings = RichSimulation(events=1000, species=("k", "pi"), chunk=300, workers=1)
    settings.simulate(tmp_path / "a.h5", 1)
    other = settings.model_copy(update={"workers": 3})

    def stop(progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        other.simulate(tmp_path / "b.h5", 1, stop)
    assert not (tmp_path / "b.h5").exists()
    report = other.simulate(tmp_path / "b.h5", 1)
    assert report.reused >= 300
    a, b = (StoreReader(tmp_path / name).read(0, 1000) for name in ("a.h5", "b.h5"))
    assert np.array_equal(a.x, b.x)
    assert np.array_equal(a.cond, b.cond)
    assert settings.simulate(tmp_path / "a.h5", 1).reused == 1000
    assert [feature.name for feature in a.schema.conditions] == ["P", "eta", "nTracks", "is_k", "is_pi"]


def test_responses_at_given_conditions_are_those_of_the_simulation() -> None:
    settings = RichSimulation(events=1, species=("k", "pi"))
    drawn = settings.generate(6000, np.random.default_rng(3))
    again = settings.respond(drawn.cond, np.random.default_rng(4))
    assert np.quantile(again[:, 2], [0.1, 0.5, 0.9]) == pytest.approx(
        np.quantile(drawn.x[:, 2], [0.1, 0.5, 0.9]), abs=3
    )


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"species": "p", "kinematics": "b-zero"}, "none of 'p'"),
        ({"species": ("k", "k")}, "once"),
        ({"species": "kaon"}, "species"),
        ({"background": 1.0}, "background"),
    ],
)
def test_impossible_settings_are_refused(settings, words) -> None:
    with pytest.raises(ValidationError, match=words):
        RichSimulation(events=10, **settings)


@pytest.mark.parametrize(
    "cond",
    [
        np.ones((2, 2)),
        np.array([[np.nan, 3.0, 100.0]]),
        np.array([[-1.0, 3.0, 100.0]]),
        [[1e4, 1e3, 100]],
        [[1e4, 3, 1e9]],
    ],
)
def test_impossible_conditions_are_refused(cond) -> None:
    with pytest.raises(FacsimError):
        RichSimulation(events=10, species="k").respond(cond, np.random.default_rng(1))


@pytest.mark.parametrize("marks", [(0, 0), (1, 1), (0.5, 0.5)])
def test_tracks_of_no_or_two_species_are_refused(marks: tuple[float, float]) -> None:
    with pytest.raises(FacsimError, match="is_k"):
        RichSimulation(events=10, species=("k", "pi")).respond(
            np.array([[1e4, 3, 100, *marks]]), np.random.default_rng(1)
        )


def test_a_few_tracks_more_than_a_chunk_do_not_leave_a_fit_of_few() -> None:
    settings = RichSimulation(events=2010, background=0.4, chunk=1000)
    assert settings.chunk_events == 670
    assert RichSimulation(events=2010, chunk=1000).chunk_events == 1000
    with pytest.raises(ValidationError, match="chunk"):
        RichSimulation(events=2010, background=0.4, chunk=200)


def test_a_sample_with_background_ends_with_a_chunk_like_the_others(tmp_path: Path) -> None:
    settings = RichSimulation(events=2010, background=0.4, chunk=2000, workers=1)
    settings.simulate(tmp_path / "a.h5", 1)
    assert len(StoreReader(tmp_path / "a.h5")) == 2010


def test_tracks_at_given_hits_are_those_that_events_with_so_many_hits_have() -> None:
    rng = np.random.default_rng(5)
    settings = RichSimulation(events=1, occupancy="nSPDHits")
    tracks = settings._tracks(np.full(40_000, SPECIES.index("k")), rng)
    hits = settings._conditions(tracks, np.zeros(40_000, dtype=np.int64), rng)[:, 2]
    found = _tracks_of_hits(hits, rng)
    high = hits > np.quantile(hits, 0.9)
    for chosen in (high, ~high):
        ratio = np.log(found[chosen]).mean() - np.log(tracks.n_tracks[chosen]).mean()
        assert abs(ratio) < 0.015
    # with the hits alone the events of most hits would have too many tracks
    assert np.log(hits[high] / HITS_PER_TRACK).mean() - np.log(tracks.n_tracks[high]).mean() > 0.05
