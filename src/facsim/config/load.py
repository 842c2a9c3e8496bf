"""Reading a configuration: YAML, smoke section, overrides, then every key and name checked."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from facsim.config.complaints import nearest, sentence
from facsim.config.recipes import RECIPES, recipe
from facsim.config.sections import RunConfig, class_of, run_config
from facsim.config.sweep import Sweep
from facsim.core import plugins
from facsim.core.errors import FacsimError
from facsim.core.store import atomic_path


class _Loader(yaml.SafeLoader):
    """Safe YAML that refuses a key given twice."""


def _mapping(loader: yaml.SafeLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    pairs = [(loader.construct_object(key, deep=True), value) for key, value in node.value]
    keys = [key for key, _ in pairs]
    twice = [key for key in keys if keys.count(key) > 1]
    if twice:
        line = node.start_mark.line + 1
        raise yaml.constructor.ConstructorError(None, None, f"the key '{twice[0]}' is given twice below line {line}")
    return {key: loader.construct_object(value, deep=True) for key, value in pairs}


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def load_config(
    source: str | Path | Mapping[str, Any],
    overrides: Iterable[str] = (),
    smoke: bool = False,
    seed: int | None = None,
    model: str | None = None,
) -> RunConfig:
    """Read, complete and check a run configuration.

    Later parts win: the file, then its `smoke:` section (only with `smoke`), `model`, `overrides`, and `seed`.

    Args:
        source: a YAML file, the name of a recipe (a file of that name comes first), or parsed content.
        overrides: `"train.steps=200"` and the like; values are YAML.
        smoke: apply the file's `smoke:` section, which shrinks the run to under a minute.
        seed: replaces the configuration's seed.
        model: name of a model that replaces the configuration's with its options.

    Raises:
        FacsimError: unreadable YAML, an unknown key (its path and the nearest known one are named), a bad value.
    """
    where = _name(source)
    tree = _tree(source, overrides, smoke, seed, model)
    tree.pop("sweep", None)
    config = _validated(tree, where)
    check_names(config, where)
    return config


def load_sweep(source: str | Path | Mapping[str, Any], overrides: Iterable[str] = (), smoke: bool = False) -> Sweep:
    """The section `sweep` of a configuration; arguments as of `load_config`.

    Raises:
        FacsimError: there is none, an unknown key, or a bad value.
    """
    where = _name(source)
    tree = _tree(source, overrides, smoke).get("sweep")
    if not isinstance(tree, dict):
        raise FacsimError(
            f"{where} has no section 'sweep': add for example "
            "sweep: {parameters: {train.lr: {log_uniform: [1.0e-4, 1.0e-2]}}, trials: 20, objective: auc_high}."
        )
    try:
        return Sweep.model_validate(tree)
    except ValidationError as error:
        raise FacsimError(sentence(error, Sweep, ("sweep",), where)) from None


def _name(source: str | Path | Mapping[str, Any]) -> str:
    return "the configuration" if isinstance(source, Mapping) else f"'{source}'"


def _tree(
    source: str | Path | Mapping[str, Any],
    overrides: Iterable[str],
    smoke: bool,
    seed: int | None = None,
    model: str | None = None,
) -> dict[str, Any]:
    """What a configuration says after all that replaces its parts, not checked."""
    where = _name(source)
    tree = _anchored(dict(source), Path()) if isinstance(source, Mapping) else _read(_file(Path(source)))
    folder = Path() if isinstance(source, Mapping) else Path(source).parent
    small = _anchored(tree.pop("smoke", None) or {}, folder)
    if smoke and not small:
        raise FacsimError(f"{where} has no 'smoke' section, so it cannot be run with --smoke.")
    if smoke:
        tree = _merged(tree, small)
    if model is not None:
        tree["model"] = {"name": model}
    for text in overrides:
        tree = _merged(tree, _override(text))
    if seed is not None:
        tree["seed"] = seed
    return tree


def save_config(config: RunConfig, path: Path) -> None:
    """Write the complete configuration as YAML, atomically; `load_config` reads it back."""
    text = yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, width=110)
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _file(path: Path) -> Path:
    """The recipe that `path` names, if it is no file."""
    return recipe(str(path)) if str(path) in RECIPES and not path.exists() else path


def _read(path: Path) -> dict[str, Any]:
    try:
        tree = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)
    except OSError as error:
        raise FacsimError(f"cannot read the configuration '{path}': {error.strerror}.") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise FacsimError(f"'{path}' is not valid YAML: {' '.join(str(error).split())}.") from None
    if not isinstance(tree, dict):
        found = "nothing" if tree is None else "a list" if isinstance(tree, list) else f"'{str(tree)[:40]}'"
        raise FacsimError(f"'{path}' should hold keys and values, and holds {found} (facsim init writes an example).")
    return _anchored(tree, path.parent)


def _anchored(tree: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Make the relative paths in `data`, `plugins`, `train.start` and `simulate.hepmc` begin at `folder`."""
    if isinstance(tree.get("plugins"), list):
        tree = {**tree, "plugins": [_absolute(folder / str(name)) for name in tree["plugins"]]}
    train = tree.get("train")
    # where there is no such path it may be the name of a shipped model
    if isinstance(train, dict) and isinstance(train.get("start"), str) and (folder / train["start"]).exists():
        tree = {**tree, "train": {**train, "start": _absolute(folder / train["start"])}}
    simulate = tree.get("simulate")
    if isinstance(simulate, dict) and isinstance(simulate.get("hepmc"), str):
        tree = {**tree, "simulate": {**simulate, "hepmc": _absolute(folder / simulate["hepmc"])}}
    data = tree.get("data")
    if not isinstance(data, dict):
        return tree
    data = dict(data)
    if isinstance(data.get("files"), list):
        data["files"] = [_absolute(folder / str(name)) for name in data["files"]]
    if isinstance(data.get("run"), str):
        data["run"] = _absolute(folder / data["run"])
    for key in ("mapping", "geometry"):
        if isinstance(data.get(key), str) and (folder / data[key]).is_file():
            data[key] = _absolute(folder / data[key])
    return {**tree, "data": data}


def _absolute(path: Path) -> str:
    """The same words for a file from wherever it is named, so that nothing looks changed."""
    return os.path.normpath(path.absolute())


def _override(text: str) -> dict[str, Any]:
    key, equals, value = text.partition("=")
    names = key.strip().split(".")
    if not equals or not all(names):
        raise FacsimError(f"--set expects key.path=value, for example train.steps=200, not '{text}'.")
    try:
        tree = yaml.load(value, Loader=_Loader)
    except yaml.YAMLError:
        raise FacsimError(f"the value of --set {text} is not valid YAML.") from None
    for name in reversed(names):
        tree = {name: tree}
    return _anchored(tree, Path())


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` laid on `base`: mappings are joined key by key, all else is replaced."""
    result = dict(base)
    for key, value in over.items():
        old = result.get(key)
        result[key] = _merged(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return result


def _validated(tree: Mapping[str, Any], where: str) -> RunConfig:
    try:
        return run_config(tree)
    except ValidationError as error:
        raise FacsimError(sentence(error, class_of(tree), (), where)) from None


def check_names(config: RunConfig, where: str = "the configuration") -> None:
    """Load the plug-ins, then check the model's and the baselines' names and options where they are defined.

    Raises:
        FacsimError: a plug-in that cannot be used, an unknown name, an option or phase that is not there.
    """
    from facsim.models import MODELS, find_model  # noqa: PLC0415  torch is heavy

    plugins.use(config.plugins)
    _check_application(config, where)
    if config.model is not None:
        _known(config.model.name, plugins.names("models", MODELS), "model.name", where)
        kind = find_model(config.model.name)
        _check_options(config.model.options, kind.Options, where)
        config.train.check_phases(kind.phases_of(kind.Options.model_validate(config.model.options)))
        if config.sample.steps and "steps" not in kind.Options.model_fields:
            raise FacsimError(
                f"the model '{config.model.name}' has no option 'steps', so there is no curve of steps to draw: leave "
                f"out 'sample.steps' in {where}, or --set sample.steps=[]."
            )
    _check_baselines(config, where)
    if config.predicts:
        _check_of_predictor(config, where)


def _check_of_predictor(config: RunConfig, where: str) -> None:
    """What is there for generative models alone, told before a simulation rather than after it."""
    if config.train.early_stopping is not None and config.model is not None:
        raise FacsimError(
            f"train.early_stopping judges generated events, and '{config.model.name}' makes none: leave it out of "
            f"{where}."
        )


def _check_baselines(config: RunConfig, where: str) -> None:
    """The names and options of baselines: generators, or scores in a run of a predictor."""
    from facsim.evaluate.scorers import SCORERS, find_scorer  # noqa: PLC0415  torch is heavy
    from facsim.simulate.baselines import BASELINES, find_baseline  # noqa: PLC0415

    scores = config.predicts
    tables = sorted(SCORERS), plugins.names("baselines", BASELINES)
    known, others = tables if scores else tables[::-1]
    for index, baseline in enumerate(config.baselines):
        if baseline.name in others and baseline.name not in known:
            kinds = ("makes events", "a predictor") if scores else ("is a score of anomaly", "a generative model")
            raise FacsimError(
                f"the baseline '{baseline.name}' at 'baselines.{index}' in {where} {kinds[0]}, and this run is about "
                f"{kinds[1]}: expected one of {known}."
            )
        _known(baseline.name, known, f"baselines.{index}", where)
        kind = find_scorer(baseline.name) if scores else find_baseline(baseline.name)
        options = [option.name for option in fields(kind) if option.init]
        for key in baseline.options.keys() - set(options):
            prefix = f"baselines.{index}."
            raise FacsimError(f"unknown key '{prefix}{key}' in {where}{nearest(key, options, prefix) or '.'}")


def _check_application(config: RunConfig, where: str) -> None:
    """The options of the task's application: it comes after the training, too late to tell of a typo."""
    from facsim.evaluate.tasks import find_options  # noqa: PLC0415

    if not config.apply:
        return
    options = find_options(config.task)
    if options is None:
        raise FacsimError(f"the task '{config.task}' has no application: leave out 'apply' in {where}.")
    try:
        options.model_validate(config.apply)
    except ValidationError as error:
        raise FacsimError(sentence(error, options, ("apply",), where)) from None


def _check_options(given: Mapping[str, Any], options: type[BaseModel], where: str) -> None:
    """Unknown keys are refused whatever the class of options does with them, unless it asks for them."""
    unknown = given.keys() - options.model_fields.keys()
    if unknown and options.model_config.get("extra") != "allow":
        key = min(unknown)
        raise FacsimError(f"unknown key 'model.{key}' in {where}{nearest(key, options.model_fields, 'model.') or '.'}")
    try:
        options.model_validate(given)
    except ValidationError as error:
        raise FacsimError(sentence(error, options, ("model",), where)) from None


def _known(name: str, table: list[str], path: str, where: str) -> None:
    if name not in table:
        hint = nearest(name, table) or f": expected one of {table}."
        raise FacsimError(f"unknown name '{name}' at '{path}' in {where}{hint}")
