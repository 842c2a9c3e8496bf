"""The contract that every baseline score of anomaly keeps, on images with and without tracks."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from facsim.core.errors import FacsimError
from facsim.core.events import Events, EventSource, make_events
from facsim.core.image import regular_image
from facsim.core.schema import Feature, Schema
from facsim.core.sources import MemorySource
from facsim.evaluate.scorers import SCORERS, find_scorer
from facsim.metrics.auc import stratified_auc
from facsim.models.checkpoint import build_model, save_model
from facsim.models.student import Student
from facsim.physics.image_features import feature_names, image_features, sphericity

ROWS, COLUMNS = 12, 10
GEOMETRY = regular_image("toy", (-math.pi, math.pi, ROWS), (-2.5, 2.5, COLUMNS), units=("rad", ""))
SCHEMA = Schema("grid", (Feature("tracker", "GeV"), Feature("ecal", "GeV")), (Feature("is_qcd"),), GEOMETRY)
KNOWN = Schema("grid", SCHEMA.features, (*SCHEMA.conditions, Feature("n_tracks"), Feature("ht", "GeV")), GEOMETRY)
FAST: dict[str, dict[str, Any]] = {
    "isolation-forest": {"trees": 50},
    "mixture": {"components": 2},
    "supervised": {"epochs": 4, "channels": 4, "lr": 5e-3},
}


def images(n: int, hits: int, seed: int, schema: Schema = SCHEMA) -> Events:
    """Images of about `hits` hit cells a channel anywhere, 1 GeV in the mean."""
    rng = np.random.default_rng(seed)
    x = rng.exponential(size=(n, ROWS * COLUMNS, 2)) * (rng.random((n, ROWS * COLUMNS, 2)) < hits / (ROWS * COLUMNS))
    known = [np.full(n, float(hits < 10)), (x[..., 0] > 0).sum(1) + 100.0, x.sum((1, 2)) / 2]
    cond = np.stack(known[: len(schema.conditions)], 1)
    return make_events(schema, x.astype(np.float32), cond.astype(np.float32))


class Unread:
    """Events that must not be looked at."""

    schema = SCHEMA

    def __len__(self) -> int:
        return 1000

    def read(self, start: int, stop: int) -> Events:
        raise AssertionError("these events were read")


ALONE = sorted(set(SCORERS) - {"teacher"})
"""Those that need nothing trained before."""
BACKGROUND, SIGNAL = MemorySource(images(400, 6, 1)), MemorySource(images(300, 18, 2))


def fitted(name: str, seed: int = 1) -> Any:
    signal: EventSource = SIGNAL if SCORERS[name].learns == "labels" else Unread()
    background: EventSource = Unread() if SCORERS[name].learns == "nothing" else BACKGROUND
    return find_scorer(name).made(**FAST.get(name, {})).fit(background, signal, seed)


@pytest.mark.parametrize("name", ALONE)
def test_scores_tell_more_hits_from_background_and_read_only_what_they_say(name: str) -> None:
    scorer = fitted(name)
    low, high = images(200, 6, 3), images(200, 18, 4)
    scores = scorer.predict(low)
    assert scores.shape == (200, len(scorer.outputs))
    assert scores.dtype == np.float64
    assert np.isfinite(scores).all()
    assert stratified_auc(scores[:, 0], scorer.predict(high)[:, 0])[0] > 0.75
    assert scorer.predict(low[:1])[0, 0] == pytest.approx(scores[0, 0], rel=1e-4, abs=1e-4)
    empty = make_events(SCHEMA, np.zeros((2, ROWS * COLUMNS, 2), np.float32), np.ones((2, 1), np.float32))
    assert np.isfinite(scorer.predict(empty)).all()


@pytest.mark.parametrize("name", ALONE)
def test_the_seed_decides_and_a_fit_leaves_the_scorer_as_it_was(name: str) -> None:
    made = find_scorer(name).made(**FAST.get(name, {}))
    events = images(50, 8, 5)
    first, second, other = (made.fit(BACKGROUND, SIGNAL, seed).predict(events) for seed in (3, 3, 4))
    assert np.array_equal(first, second)
    if name in ("isolation-forest", "supervised"):
        assert not np.array_equal(first, other)
    with pytest.raises(FacsimError, match="is not fitted yet"):
        made.predict(events)


@pytest.mark.parametrize("name", ALONE)
def test_labels_and_other_conditions_do_not_matter_to_what_is_scored(name: str) -> None:
    scorer, events = fitted(name), images(30, 6, 6)
    changed = make_events(SCHEMA, events.x, 1 - events.cond)
    assert np.array_equal(scorer.predict(events), scorer.predict(changed))


@pytest.mark.parametrize("name", ALONE)
def test_bad_options_and_other_events_are_refused(name: str) -> None:
    with pytest.raises(FacsimError, match=rf"the scorer '{name}' has no option \['colour'\]"):
        find_scorer(name).made(colour=1)
    with pytest.raises(FacsimError, match="with other cells, features or conditions"):
        fitted(name).predict(images(3, 6, 1, KNOWN))
    if SCORERS[name].learns == "labels":
        with pytest.raises(FacsimError, match="needs events of signal"):
            find_scorer(name).made().fit(BACKGROUND, None, 1)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("isolation-forest", {"trees": 0}, "trees to be a whole number >= 1"),
        ("mixture", {"floor": 0}, "a floor above 0"),
        ("mixture", {"components": 2.0}, "components to be a whole number"),
        ("neighbours", {"k": 0}, "k to be a whole number >= 1"),
        ("supervised", {"lr": 0}, "a learning rate lr above 0"),
        ("supervised", {"lr": "1e-3"}, "a learning rate lr above 0, not '1e-3'"),  # YAML takes this for a word
    ],
)
def test_values_out_of_range_are_refused(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(FacsimError, match=message):
        find_scorer(name).made(**options)


def test_a_handful_of_signal_is_too_few_to_learn() -> None:
    few = MemorySource(images(4, 60, 3))
    with pytest.raises(FacsimError, match=r"needs 5 events of background and of signal, and there are .* and 4: give"):
        find_scorer("supervised").made(epochs=1).fit(BACKGROUND, few, 1)


def test_a_name_that_is_not_known_is_told_with_the_nearest() -> None:
    with pytest.raises(FacsimError, match="did you mean 'neighbours'"):
        find_scorer("neighbour")


def test_what_was_taken_is_said_and_conditions_come_first() -> None:
    known, plain = images(20, 6, 7, KNOWN), images(20, 6, 7)
    names = {}
    for name in ("tracks", "scalar-sum"):
        with_condition, without = (find_scorer(name)().fit(MemorySource(e), None, 1) for e in (known, plain))
        names[name] = (with_condition.outputs[0], without.outputs[0])
        more = with_condition.predict(known) - without.predict(plain)
        assert more == pytest.approx(100 if name == "tracks" else -known.cond[:, 2:3], rel=1e-5)
    assert names["tracks"] == (Feature("n_tracks"), Feature("tracker_hits"))
    assert names["scalar-sum"] == (Feature("ht", "GeV"), Feature("sum", "GeV"))
    other = Schema("grid", (Feature("energy", "MeV"),), (), GEOMETRY)
    events = make_events(other, known.x[:, :, 1:], np.zeros((20, 0), np.float32))
    scorer = find_scorer("tracks")().fit(MemorySource(events), None, 1)
    assert scorer.outputs == (Feature("energy_hits"),)
    assert scorer.predict(events)[:, 0] == pytest.approx((events.x > 0).sum((1, 2)))


def test_density_scores_are_those_of_their_definition() -> None:
    """One Gaussian is a Mahalanobis distance; the k-th neighbour is found by looking at all."""
    values = image_features(BACKGROUND.read(0, 400).x, GEOMETRY, SCHEMA.features).astype(np.float64)
    events = images(30, 10, 8)
    z = (image_features(events.x, GEOMETRY, SCHEMA.features) - values.mean(0)) / values.std(0)
    background = (values - values.mean(0)) / values.std(0)
    assert np.abs(z).max() < 20
    distance = np.sort(np.linalg.norm(z[:, None] - background, axis=2), axis=1)[:, 4]
    found = find_scorer("neighbours").made(k=5).fit(BACKGROUND, None, 1).predict(events)[:, 0]
    assert found == pytest.approx(distance, rel=1e-4)
    names = ("tracker_sum", "ecal_hits")
    columns = [feature_names(SCHEMA).index(name) for name in names]
    covariance = np.cov(background[:, columns].T, bias=True) + 1e-3 * np.eye(2)
    square = np.einsum("ni,ij,nj->n", z[:, columns], np.linalg.inv(covariance), z[:, columns])
    expected = 0.5 * (square + 2 * math.log(2 * math.pi) + np.linalg.slogdet(covariance)[1])
    mixture = find_scorer("mixture").made(components=1, features=names).fit(BACKGROUND, None, 1)
    assert mixture.predict(events)[:, 0] == pytest.approx(expected, rel=1e-3, abs=1e-3)
    assert fitted("sphericity").predict(events)[:, 0] == pytest.approx(sphericity(events.x, GEOMETRY))


def test_density_scores_take_tables_and_refuse_what_has_no_features() -> None:
    schema = Schema("table", (Feature("a"), Feature("b")))
    rng = np.random.default_rng(9)
    table = make_events(schema, rng.normal(size=(200, 2)), np.zeros((200, 0)))
    far = make_events(schema, rng.normal(6, 1, (50, 2)), np.zeros((50, 0)))
    for name in ("isolation-forest", "mixture", "neighbours"):
        scorer = find_scorer(name).made(**FAST.get(name, {})).fit(MemorySource(table), None, 1)
        assert stratified_auc(scorer.predict(table)[:, 0], scorer.predict(far)[:, 0])[0] > 0.99
    with pytest.raises(FacsimError, match=r"has no features \['c'\]"):
        find_scorer("mixture").made(features=("c",)).fit(MemorySource(table), None, 1)
    for name in ("tracks", "scalar-sum", "sphericity", "supervised"):
        with pytest.raises(FacsimError, match="need images"):
            find_scorer(name)().fit(MemorySource(table), MemorySource(far), 1)
    few = MemorySource(table[:3])
    for name, message in (("mixture", "choose fewer"), ("neighbours", "as many events of background")):
        with pytest.raises(FacsimError, match=message):
            find_scorer(name)().fit(few, None, 1)


def test_large_images_are_summed_before_they_are_classified() -> None:
    fine = regular_image("fine", (-math.pi, math.pi, 120), (-2.5, 2.5, 10), units=("rad", ""))
    schema, rng = Schema("grid", (Feature("e"),), (), fine), np.random.default_rng(10)
    samples = []
    for hits in (0.01, 0.05):
        x = (rng.random((60, 1200, 1)) < hits).astype(np.float32)
        samples.append(MemorySource(make_events(schema, x, np.zeros((60, 0), np.float32))))
    scorer = find_scorer("supervised").made(epochs=5, channels=4, lr=5e-3).fit(*samples, 1)
    scores = [scorer.predict(s.read(0, 60))[:, 0] for s in samples]
    assert stratified_auc(*scores)[0] > 0.95


def test_the_teacher_is_that_of_the_student_in_its_folder(tmp_path: Path) -> None:
    teacher = {"name": "autoencoder", "widths": [4], "strides": [2], "latent": 2}
    student = build_model("student", SCHEMA, {"network": {"name": "dense"}, "teacher": teacher})
    assert isinstance(student, Student)
    student.teacher_known.fill_(1.0)
    save_model(student.eval(), "student", tmp_path)
    found = find_scorer("teacher").made(folder=str(tmp_path)).fit(Unread(), Unread(), 1)
    events = BACKGROUND.read(0, 300)
    with torch.inference_mode():
        expected = student.teacher_scores(torch.from_numpy(events.x), torch.from_numpy(events.cond)).numpy()
    assert found.predict(events)[:, 0] == pytest.approx(expected, rel=1e-5)
    save_model(build_model("autoencoder", SCHEMA, {}), "autoencoder", tmp_path)
    with pytest.raises(FacsimError, match=r"'teacher' needs a student, and .* holds another predictor"):
        found.fit(Unread(), Unread(), 1)
