"""What a configuration may say of background, and of how scores of anomaly are judged."""

from __future__ import annotations

from typing import Any

import pytest

from facsim.config import RECIPES, load_config, recipe
from facsim.core.errors import FacsimError
from facsim.pipeline import stages_of

MINIMAL = {"task": "dark-showers", "data": {"files": ["a.h5"]}, "model": "contrast"}


def test_a_run_is_about_a_predictor_by_its_model_or_its_baselines() -> None:
    assert load_config(MINIMAL).predicts
    assert load_config({**MINIMAL, "model": None, "baselines": ["tracks"]}).predicts
    assert not load_config({**MINIMAL, "model": "single-stage"}).predicts
    assert not load_config({**MINIMAL, "model": None, "baselines": ["library"]}).predicts
    assert not load_config({**MINIMAL, "model": None}).predicts


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("prepare.contamination=0.1", "'contamination' needs 'background', the conditions that tell it from signal"),
        ("prepare.contaminant={mass: 125}", "'contamination' needs 'background'"),
        ("prepare={background: {is_qcd: 1}, contamination: 1}", "'prepare.contamination' in the configuration: input"),
        ("prepare={background: {is_qcd: 1}, contamination: -0.1}", "'prepare.contamination' in the configuration"),
        ("prepare.background={is_qcd: yes please}", "'prepare.background.is_qcd' in the configuration"),
        ("evaluate.anomaly.targets=[0]", "'evaluate.anomaly.targets.0' in the configuration"),
        ("evaluate.anomaly.rates=[0]", "'evaluate.anomaly.rates.0' in the configuration"),
        ("evaluate.anomaly.cross_section=0", "'evaluate.anomaly.cross_section' in the configuration"),
        ("evaluate.anomaly.signal=[mass]", "did you mean 'evaluate.anomaly.signals'"),
    ],
)
def test_each_mistake_gives_one_sentence_with_the_path(override: str, sentence: str) -> None:
    with pytest.raises(FacsimError) as caught:
        load_config(MINIMAL, [override])
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changed", "redone"),
    [
        ({"prepare": {"background": {"is_qcd": 1}}}, {"train", "sample", "evaluate"}),
        ({"prepare": {"background": {"is_qcd": 1}, "contamination": 0.1}}, {"train", "sample", "evaluate"}),
        ({"evaluate": {"anomaly": {"signals": ["mass"]}}}, {"evaluate"}),
    ],
)
def test_what_background_is_matters_to_what_is_learnt_from_it(changed: dict[str, Any], redone: set[str]) -> None:
    before, after = load_config(MINIMAL), load_config({**MINIMAL, **changed})
    stages = stages_of(before)
    other = {name for name, stage in stages.items() if stage.settings(before) != stage.settings(after)}
    assert other - {"prepare"} == redone
    generates = {**MINIMAL, "model": "single-stage"}
    plain, told = load_config(generates), load_config({**generates, "prepare": changed.get("prepare", {})})
    assert not [n for n, s in stages_of(plain).items() if n != "prepare" and s.settings(plain) != s.settings(told)]


def test_recipes_of_anomaly_scores_are_alike_in_truth_and_judgement() -> None:
    names = [name for name in RECIPES if load_config(recipe(name)).task == "dark-showers"]
    assert {"anomaly", "suep", "codae", "distil"} <= set(names)
    configs = [load_config(recipe(name)) for name in names]
    assert all(config.predicts for config in configs)
    for part in ("simulate", "prepare", "evaluate"):
        assert all(getattr(config, part) == getattr(configs[0], part) for config in configs)
