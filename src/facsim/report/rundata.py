"""What a run directory holds, read once for the page; a part that is missing or unreadable is told, never fatal."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from facsim.core.errors import FacsimError
from facsim.core.store import read_json
from facsim.report.style import Look, looks
from facsim.report.text import energy

Json = dict[str, Any]
CALORIMETER = "calorimeter"
NOUNS = {"calorimeter": "showers", "ecal": "showers", "jets": "jets", "rich": "tracks", "tpc": "responses"}
FILE = "file"
"""The kind of what was judged by itself, without a run around it."""
NOT_SAMPLES = ("timing", "steps")
_LABELS = {
    "gflash": "GFlash",
    "gflash-tuned": "tuned GFlash",
    "library": "shower library",
    "bootstrap": "bootstrap",
    "nearest": "nearest events",
    "surrogate": "surrogate",
}
_BASELINES = ("gflash", "gflash-tuned", "library", "bootstrap", "nearest")
RESAMPLERS = ("library", "bootstrap", "nearest")


@dataclass(frozen=True)
class Bins:
    """Bins of a condition: its name in words, its unit, and edges; bin k is the region `E<k + 1>` of scores."""

    condition: str
    unit: str
    edges: list[float]

    @property
    def label(self) -> str:
        """For an axis."""
        return f"{self.condition} [{self.unit}]" if self.unit else self.condition

    @property
    def one(self) -> str:
        """What one of them is called."""
        return "energy bin" if self.condition == "incident energy" else f"bin of {self.condition}"

    def words(self, k: int) -> str:
        """`1 to 2.7 GeV` for bin `k`."""
        if self.condition == "incident energy":
            return f"{energy(1e3 * self.edges[k])} to {energy(1e3 * self.edges[k + 1])}"
        return f"{self.condition} {self.edges[k]:.3g} to {self.edges[k + 1]:.3g} {self.unit}".rstrip()


@dataclass(frozen=True)
class Sample:
    """One generated sample of the run: its scores, histograms and showers, each None when missing."""

    name: str
    kind: str
    scorecard: Json | None = None
    histograms: Json | None = None
    showers: Path | None = None
    shown_as: str = ""

    @property
    def label(self) -> str:
        """Name for a reader."""
        return self.shown_as or _LABELS.get(self.name, self.name)

    @property
    def scores(self) -> list[Json]:
        """All rows of the scorecard."""
        return list((self.scorecard or {}).get("scores", []))

    @property
    def bins(self) -> Bins:
        """The bins in which scores are given, without edges when there are none."""
        card = self.scorecard or {}
        binned = card.get("binned")
        if binned:
            return Bins(str(binned["condition"]).replace("_", " "), str(binned["unit"]), list(binned["edges"]))
        return Bins("incident energy", "GeV", [edge / 1e3 for edge in card.get("energy_bins_MeV") or []])

    def score(self, name: str, region: str = "all") -> Json | None:
        """The first score called `name` in `region`, or None."""
        rows = (row for row in self.scores if row.get("name") == name and row.get("region", "all") == region)
        return next(rows, None)


@dataclass(frozen=True)
class RunData:
    """The readable content of a run directory; `problems` are sentences about what could not be read."""

    dir: Path
    samples: list[Sample] = field(default_factory=list)
    config: Json = field(default_factory=dict)
    data: Json = field(default_factory=dict)
    provenance: Json = field(default_factory=dict)
    timing: Json = field(default_factory=dict)
    steps: Json = field(default_factory=dict)
    card: Json = field(default_factory=dict)
    check: Json = field(default_factory=dict)
    application: Json = field(default_factory=dict)
    training: dict[str, list[Json]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    @property
    def looks(self) -> dict[str, Look]:
        """How each sample is drawn."""
        return looks({sample.name: sample.kind for sample in self.samples})

    @property
    def surrogate(self) -> Sample | None:
        """The first sample that is no baseline."""
        return next(iter(self.surrogates), None)

    @property
    def surrogates(self) -> list[Sample]:
        """All samples that are no baselines."""
        return [sample for sample in self.samples if sample.kind != "baseline"]

    @property
    def of_files(self) -> bool:
        """Whether this is of files that were judged, and of no run."""
        return not self.config and bool(self.samples) and all(sample.kind == FILE for sample in self.samples)

    @property
    def task(self) -> str:
        """What the events are."""
        told = (str((sample.scorecard or {}).get("task") or "") for sample in self.samples)
        return str(self.config.get("task") or next(filter(None, told), CALORIMETER))

    @property
    def noun(self) -> str:
        """What events are called, in the plural."""
        return NOUNS.get(self.task, "events")

    @property
    def event(self) -> str:
        """One of them."""
        return self.noun.removesuffix("s")

    @property
    def truth_name(self) -> str:
        """What the truth is called: Geant4 when its provenance says so, else truth."""
        stated = ((self.data.get("schema") or {}).get("provenance") or {}).get("simulator")
        if stated and "geant4" not in str(stated).lower():
            return str(stated)
        simulated = self.config.get("simulate") is not None and self.task == CALORIMETER
        return "Geant4" if simulated or "geant4" in json.dumps(self.data).lower() else "truth"

    @property
    def labels(self) -> dict[str, str]:
        """What figures write for each sample, for truth A (`reference`) and for truth B (`null`)."""
        names = {sample.name: sample.label for sample in self.samples}
        return {"reference": self.truth_name, "null": f"{self.truth_name}, null", **names}

    @property
    def with_scores(self) -> list[Sample]:
        return [sample for sample in self.samples if sample.scorecard]

    @property
    def with_histograms(self) -> list[Sample]:
        return [sample for sample in self.samples if sample.histograms]


def load_run(run_dir: Path) -> RunData:
    """Read every small file of the run directory; shower files are only noted.

    Where the run uses the truth of another one, the baselines of that one stand beside.

    Raises:
        FacsimError: the directory does not exist.
    """
    if not run_dir.is_dir():
        raise FacsimError(f"there is no run directory '{run_dir}' to report on.")
    problems: list[str] = []
    training = {
        path.parent.name: lines
        for path in sorted(run_dir.glob("models/*/metrics.jsonl"))
        if (lines := _read_lines(path, problems))
    }
    own = RunData(
        dir=run_dir,
        samples=_samples(run_dir, problems),
        config=_read_yaml(run_dir / "config.yaml", problems),
        data=_read(run_dir / "data.json", problems),
        provenance=_read(run_dir / "provenance.json", problems),
        timing=_read(run_dir / "scores" / "timing.json", problems),
        steps=_read(run_dir / "scores" / "steps.json", problems),
        card=_read(run_dir / "card.json", problems),
        check=_read(run_dir / "check.json", problems),
        application=_read(run_dir / "application.json", problems),
        training=training,
        problems=problems,
    )
    source = (own.config.get("data") or {}).get("run")
    if not source:
        return own
    if not Path(source).is_dir():
        problems.append(f"the run '{source}', whose truth was used, is not there any more.")
        return own
    return with_baselines(own, load_run(Path(source)))


def with_baselines(run: RunData, source: RunData) -> RunData:
    """`run` with the baselines, truth's time and the simulation's settings of `source`, where it lacks them."""
    known = {sample.name for sample in run.samples}
    further = [sample for sample in source.samples if sample.kind == "baseline" and sample.name not in known]
    names = {sample.name for sample in further}
    rows = [*run.timing.get("rows", []), *(row for row in source.timing.get("rows", []) if row.get("name") in names)]
    timing = {**source.timing, **run.timing, "rows": rows}
    timing["geant4"] = run.timing.get("geant4") or source.timing.get("geant4")
    simulate = run.config.get("simulate") or source.config.get("simulate")
    return replace(
        run,
        samples=sorted([*run.samples, *further], key=lambda sample: _rank(sample)[:2]),
        timing=timing if rows or timing["geant4"] else {},
        config={**run.config, "simulate": simulate},
    )


def _samples(run_dir: Path, problems: list[str]) -> list[Sample]:
    folders = (("samples", "h5"), ("scores", "json"), ("hists", "json"))
    names = {path.stem for folder, end in folders for path in run_dir.glob(f"{folder}/*.{end}")} - {*NOT_SAMPLES}
    found = []
    for name in names:
        scorecard = _read(run_dir / "scores" / f"{name}.json", problems)
        showers = run_dir / "samples" / f"{name}.h5"
        found.append(
            Sample(
                name,
                str(scorecard.get("kind", "baseline" if name in _BASELINES else "surrogate")),
                scorecard or None,
                _read(run_dir / "hists" / f"{name}.json", problems) or None,
                showers if showers.is_file() else None,
            )
        )
    return sorted(found, key=_rank)


def _rank(sample: Sample) -> tuple[bool, int, str]:
    known = _BASELINES.index(sample.name) if sample.name in _BASELINES else len(_BASELINES)
    return sample.kind == "baseline", known, sample.name


def _read(path: Path, problems: list[str]) -> Json:
    if not path.is_file():
        return {}
    try:
        value = read_json(path)
    except FacsimError as error:
        problems.append(f"{path.name}: {error}")
        return {}
    if isinstance(value, Mapping):
        return dict(value)
    problems.append(f"'{path}' holds a JSON {type(value).__name__}, where an object was expected.")
    return {}


def _read_yaml(path: Path, problems: list[str]) -> Json:
    if not path.is_file():
        return {}
    try:
        value = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, OSError, UnicodeDecodeError) as error:
        problems.append(f"'{path}' could not be read as YAML: {str(error).splitlines()[0]}.")
        return {}
    return dict(value) if isinstance(value, Mapping) else {}


def _read_lines(path: Path, problems: list[str]) -> list[Json]:
    """Records of a JSON-lines file; a last line cut by an interruption is left out."""
    records = []
    try:
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.strip():
                records.append(json.loads(line))
    except (json.JSONDecodeError, OSError, UnicodeDecodeError):
        problems.append(f"'{path}' could not be read past record {len(records)}.")
    return [record for record in records if isinstance(record, dict)]
