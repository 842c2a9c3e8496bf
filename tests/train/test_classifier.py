"""Training of classifiers: the best epoch is kept, runs repeat, weights count."""

from __future__ import annotations

import pytest
import torch

from facsim.core.errors import FacsimError
from facsim.models.nets.classifiers import NETWORKS, ClassifierNetwork, Inputs
from facsim.train.classifier import ClassifierSettings, Labelled, class_outputs, fit_classifier


def events(n: int, shift: float, seed: int, weight: float = 1.0) -> Labelled:
    rng = torch.Generator().manual_seed(seed)
    label = torch.arange(n) % 2
    x = torch.randn(n, 2, generator=rng)
    x[:, 0] += shift * label
    return Labelled(x, torch.zeros(n, 0), None, label, torch.where(label == 1, weight, 1.0))


def network(outputs: int = 2) -> ClassifierNetwork:
    torch.manual_seed(3)
    return NETWORKS["table"](Inputs((2,)), outputs, width=16)


def test_the_weights_of_the_best_epoch_are_kept():
    net, validation = network(), events(200, 1.0, 2)
    found = fit_classifier(net, events(40, 1.0, 1), validation, ClassifierSettings(60, 16, 0.02, patience=None), 1)
    outputs = torch.as_tensor(class_outputs(net, validation)).float()
    assert found.epochs == 60
    assert found.best < 60
    assert found.loss == pytest.approx(float(torch.nn.functional.cross_entropy(outputs, validation.label)), rel=1e-4)
    assert not net.training


def test_patience_ends_a_training_that_learns_nothing_more():
    found = fit_classifier(
        network(), events(40, 0.0, 1), events(40, 0.0, 2), ClassifierSettings(200, 16, patience=3), 1
    )
    assert found.epochs < 200
    assert found.epochs == found.best + 3


def test_a_training_repeats_and_leaves_the_global_generator_alone():
    before = torch.get_rng_state()
    found = []
    for _ in range(2):
        net = network()
        torch.set_rng_state(before)
        fit_classifier(net, events(100, 1.0, 1), events(100, 1.0, 2), ClassifierSettings(5), 7)
        assert torch.equal(torch.get_rng_state(), before)
        found.append(class_outputs(net, events(20, 1.0, 3)))
    assert (found[0] == found[1]).all()


def test_one_output_is_the_log_odds_of_two_classes():
    net = network(outputs=1)
    fit_classifier(net, events(400, 2.0, 1), events(200, 2.0, 2), ClassifierSettings(10, 32), 1)
    outputs = class_outputs(net, events(400, 2.0, 3))
    assert outputs.shape == (400, 2)
    assert (outputs[:, 0] == 0).all()
    assert ((outputs[:, 1] > 0) == events(400, 2.0, 3).label.bool().numpy()).mean() > 0.75


def test_event_weights_move_the_odds():
    net = network()
    heavy = ClassifierSettings(30, 64, 0.01)
    fit_classifier(net, events(1000, 0.0, 1, weight=5.0), events(1000, 0.0, 2, weight=5.0), heavy, 1)
    odds = class_outputs(net, events(1000, 0.0, 3))
    assert (odds[:, 1] - odds[:, 0]).mean() == pytest.approx(1.6, abs=0.25)  # log 5


@pytest.mark.parametrize("keep", ["loss", "accuracy"])
def test_a_loss_that_is_not_finite_is_told(keep):
    bad = events(40, 0.0, 1)
    bad.x[0] = float("nan")
    with pytest.raises(FacsimError, match="loss of a classifier is not finite"):
        fit_classifier(network(), bad, bad, ClassifierSettings(2, keep=keep), 1)


def test_settings_that_cannot_train_are_refused():
    with pytest.raises(FacsimError, match="at least one epoch"):
        ClassifierSettings(epochs=0)
