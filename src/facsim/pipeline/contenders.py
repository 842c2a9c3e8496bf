"""What is compared: configurations to train and run directories that exist, all on one truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facsim.config import RECIPES, RunConfig, check_names, load_config, recipe
from facsim.core.errors import FacsimError
from facsim.pipeline.truth import read_data, truth_run
from facsim.run import SURROGATE, Reporter, Run, saved_config
from facsim.simulate.baselines import BASELINES
from facsim.stamps import read_stamp

Source = str | Path | Mapping[str, Any] | RunConfig

TAKEN = {"truth", "report", "stamps", "reference", "null", "timing", "steps", *BASELINES}
"""Names with a meaning of their own in a comparison."""
SHARED = ("seed", "simulate", "data", "prepare", "evaluate", "timing")
"""Sections of a configuration that have to agree."""
MEND = "set it alike for all with --set, or take truth and judging of one of them for all with --truth"


@dataclass(frozen=True)
class LoadOptions:
    """What is applied to every configuration that is read, as in `config.load_config`."""

    overrides: tuple[str, ...] = ()
    smoke: bool = False
    seed: int | None = None

    def load(self, source: str | Path | Mapping[str, Any]) -> RunConfig:
        """`source` with these options."""
        return load_config(source, self.overrides, self.smoke, self.seed)


@dataclass(frozen=True)
class Contender:
    """One run of a comparison: its name, how the user gave it, and whether its directory exists already."""

    name: str
    given: str
    run: Run
    exists: bool


def gather(
    sources: Sequence[str | Path] | Mapping[str, Source], options: LoadOptions, reporter: Reporter
) -> list[Contender]:
    """The contenders, each with its configuration read and checked.

    Args:
        sources: configuration files and run directories, named after the file or folder; or any of these, parsed
            configurations among them, by name.
        options: apply to all configurations that are read.

    Raises:
        FacsimError: fewer than two, a name that is taken, a configuration that cannot be read, a directory without
            the scores of a surrogate, or options where there is no configuration to apply them to.
    """
    named = list(sources.items()) if isinstance(sources, Mapping) else _named(sources)
    if len(named) < 2:
        raise FacsimError(f"a comparison needs at least two runs, not {len(named)}.")
    found: list[Contender] = []
    for name, source in named:
        if name in TAKEN or name in [other.name for other in found]:
            raise FacsimError(f"the name '{name}' is taken: give the configuration or directory another one.")
        found.append(find_contender(name, source, options, reporter))
        _ = found[-1].run.config.surrogate  # a run without one has nothing to compare
        if found[-1].exists and not found[-1].run.scores(SURROGATE).is_file():
            raise FacsimError(f"'{source}' holds no scores of a surrogate: finish it with facsim run --out {source}.")
    if options != LoadOptions() and all(each.exists for each in found):
        raise FacsimError("only configurations can be changed by options, and all runs given are directories.")
    return found


def find_contender(name: str, source: Source, options: LoadOptions, reporter: Reporter) -> Contender:
    """`source` as a contender; a directory that exists keeps its own configuration, a recipe may be named.

    Raises:
        FacsimError: the configuration cannot be read, or the directory is no run directory.
    """
    if isinstance(source, str | Path) and Path(source).is_dir():
        return Contender(name, str(source), Run(Path(source), load_config(saved_config(Path(source))), reporter), True)
    if isinstance(source, str | Path) and str(source) in RECIPES and not Path(source).exists():
        source = recipe(str(source))
    config = source if isinstance(source, RunConfig) else options.load(source)
    check_names(config)
    given = str(source) if isinstance(source, str | Path) else name
    return Contender(name, given, Run(Path(name), config, reporter), False)


def _named(sources: Sequence[str | Path]) -> list[tuple[str, Source]]:
    """Each with the name of its file or folder, led by that of the folder above where two are alike."""
    paths = [Path(source).absolute() for source in sources]
    names = [path.name if path.is_dir() else path.stem for path in paths]
    return [
        (f"{path.parent.name}-{name}" if names.count(name) > 1 else name, source)
        for name, path, source in zip(names, paths, sources, strict=True)
    ]


def check_one_truth(contenders: Sequence[Contender], base: Contender) -> None:
    """Refuse runs that cannot be compared: another truth, other splits, or judged in another way.

    Directories are compared by what they hold, configurations by what they say.

    Raises:
        FacsimError: there is one; the first difference is named.
    """
    for contender in contenders:
        describe = held if contender.exists and base.exists else said
        found = difference(describe(base.run), describe(contender.run))
        if found is not None:
            key, ours, theirs = found
            how = "they cannot be compared" if contender.exists else MEND
            raise FacsimError(
                f"'{contender.given}' differs from '{base.given}' in {key} ({_short(theirs)} against {_short(ours)}), "
                f"and a comparison needs one truth, one division and one way to judge: {how}."
            )


def said(run: Run) -> dict[str, Any]:
    """The settings that decide truth, splits and judging; how a simulation is shared out does not."""
    source = truth_run(run).config
    own = run.config.model_dump(mode="json", include={"seed", "evaluate", "timing"})
    truth = source.model_dump(
        mode="json", include={"simulate", "data", "prepare"}, exclude={"simulate": {"workers", "chunk"}}
    )
    return {**own, **truth}


def held(run: Run) -> dict[str, Any]:
    """What a directory holds: checksums of its truth, its splits, and how it was judged."""
    source, data = truth_run(run), read_data(run)
    name = "prepare" if source.config.simulate is None else "simulate"
    stamp = read_stamp(source.stamp(name))
    if stamp is None:
        raise FacsimError(f"'{source.dir}' does not say what its truth was: finish it with facsim run first.")
    marks = stamp.inputs if name == "prepare" else stamp.outputs
    own = run.config.model_dump(mode="json", include={"seed", "evaluate"})
    return {"the truth": sorted(mark.digest for mark in marks.values()), "the splits": data["splits"], **own}


def difference(a: Any, b: Any, path: str = "") -> tuple[str, Any, Any] | None:
    """The first place where two trees of settings differ, and both values; None when they are equal."""
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        for key in dict.fromkeys([*a, *b]):
            found = difference(a.get(key), b.get(key), f"{path}.{key}" if path else key)
            if found is not None:
                return found
        return None
    return None if a == b else (path, a, b)


def _short(value: Any) -> str:
    text = "none" if value is None else str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
