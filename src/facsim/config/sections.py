"""The sections of a run's configuration."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializeAsAny,
    create_model,
    field_validator,
    model_validator,
)

from facsim.core.errors import FacsimError
from facsim.simulate import SIMULATIONS, find_simulation
from facsim.simulate.truth import TruthSimulation
from facsim.train.settings import TrainSettings

CALORIMETER = "calorimeter"
Share = Annotated[int, Field(ge=1)] | Annotated[float, Field(gt=0, lt=1)]


class Section(BaseModel):
    """A part of the configuration; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Named(BaseModel):
    """A model or baseline by its registered name; all other keys are its options."""

    model_config = ConfigDict(extra="allow", frozen=True)
    name: str

    @model_validator(mode="before")
    @classmethod
    def _name_alone(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value

    @property
    def options(self) -> dict[str, Any]:
        """Everything but the name."""
        return dict(self.__pydantic_extra__ or {})


class ModelConfig(Named):
    """The surrogate: a name in `facsim.models.MODELS` or of a plug-in, all other keys are the model's options."""

    name: str = "two-stage"


class DataConfig(Section):
    """Events of one's own, or the truth of another run, in place of a simulation.

    `files` are read in the order given; `format` is found out when left alone; `mapping` is a YAML file that
    says which keys or branches of a foreign file hold what; `geometry` is a built-in name or a binning XML file;
    `conditions` are those of the file's that are kept, all by default, with `type` for the kind of jets.
    `run`, in place of all these, is a run directory whose truth and splits are used, so that several surrogates are
    trained and judged on the same showers. Relative paths start at the configuration file.
    """

    files: list[str] = []
    mapping: str | None = None
    geometry: str | None = None
    conditions: list[str] | None = None
    run: str | None = None

    @model_validator(mode="after")
    def _one_source(self) -> DataConfig:
        if bool(self.files) == (self.run is not None):
            raise ValueError("give either 'files' (your own) or 'run' (a directory whose truth to use), and not both")
        if self.run is not None and (self.mapping or self.geometry or self.conditions is not None):
            raise ValueError("'mapping', 'geometry' and 'conditions' describe 'files'; with 'run' leave them out")
        return self


class PrepareConfig(Section):
    """Sizes of the splits, as counts or as fractions of all events; what is left trains.

    `test` is the size of each of the two disjoint truth samples that judge: `reference` (A) and `null` (B).

    `background` matters to predictors, which learn from it alone: conditions and the values that background has in
    them, such as `{is_qcd: 1}`; without it all events are background. With `contamination` a share of the events that a
    predictor learns from are signal taken for background, those with the conditions `contaminant` or of all kinds.
    """

    validation: Share = 0.05
    test: Share = 0.2
    background: dict[str, float] = {}
    contamination: float = Field(0.0, ge=0, lt=1)
    contaminant: dict[str, float] = {}

    @model_validator(mode="after")
    def _told_apart(self) -> PrepareConfig:
        if (self.contamination or self.contaminant) and not self.background:
            raise ValueError("'contamination' needs 'background', the conditions that tell it from signal")
        return self


class SampleConfig(Section):
    """How surrogate and baselines are sampled; `steps` are the sampler lengths of the quality-against-time curve."""

    batch_size: int = Field(500, ge=1)
    steps: list[Annotated[int, Field(ge=0)]] = []


class AnomalyConfig(Section):
    """How scores of anomaly are judged.

    `signals` are the conditions that tell kinds of signal apart (all values that occur together are one kind), and
    `targets` the background efficiencies of the working points, the first of which is that of the checks. Whether the
    background efficiency is flat is asked `against` conditions, and whether the shape of `spectators` changes; those
    that the events have not are left out. The background's `cross_section` [pb], after all that was required of the
    simulated events, with the `luminosity` [cm^-2 s^-1] gives thresholds for the `rates` [Hz] of a trigger.
    """

    signals: list[str] = []
    targets: list[Annotated[float, Field(gt=0, lt=1)]] = Field([0.02, 0.1, 1e-2, 1e-3, 1e-4], min_length=1)
    against: list[str] = ["pile_up", "n_tracks"]
    spectators: list[str] = ["ht"]
    cross_section: float | None = Field(None, gt=0)
    luminosity: float = Field(2e34, gt=0)
    rates: list[Annotated[float, Field(gt=0)]] = [10.0, 100.0, 1000.0]


class EvaluateConfig(Section):
    """How the samples are judged; `anomaly` where they are scores of anomaly.

    Scores are also given in `energy_bins` quantiles of incident energy. Classifiers and kernel metrics see at most
    `classifier_events` of a sample, the memorisation check at most `memorisation_events`. Tasks whose events are clouds
    also have a test with a network, of `network_events` of a sample; it takes minutes, and 0 leaves it out.
    """

    energy_bins: int = Field(4, ge=1)
    classifier_events: int = Field(3000, ge=50)
    memorisation_events: int = Field(1000, ge=20)
    network_events: int = Field(0, ge=0)
    anomaly: AnomalyConfig = AnomalyConfig()


class TimingConfig(Section):
    """Which sampling times are measured: each batch size at least `repeats` times and for `seconds`.

    `threads` left empty means one thread and all of them.
    """

    batches: list[Annotated[int, Field(ge=1)]] = Field([1, 10, 100, 1000], min_length=1)
    threads: list[Annotated[int, Field(ge=1)]] = []
    repeats: int = Field(3, ge=1)
    seconds: float = Field(1.0, ge=0)
    geant4_events: int = Field(100, ge=1)


class ReportConfig(Section):
    """The page that shows the run; `layers` is how many layers get histograms of their own, spread over the depth."""

    title: str = "facsim report"
    layers: int = Field(3, ge=1)


class TritonConfig(Section):
    """How the graph is served: the model's `name` for clients, and the largest batch of a call.

    Requests that come together are put into one batch.
    """

    name: str = Field("surrogate", pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")
    max_batch_size: int = Field(64, ge=1, le=100_000)


class ExportConfig(Section):
    """The exported graph and the batch sizes at which it is compared with torch.

    With `c` the graph is translated to C too, `<c_name>.c` and `<c_name>.h`, whose names all begin with `c_name`.

    Predictors may have `variants`, `model.<variant>.onnx`: `int8` with layers of 8-bit whole numbers, `pruned` with the
    smallest part `zeros` of each layer's weights set to 0.

    With `triton`, `true` or its `name` and `max_batch_size`, the folder `triton` is a model repository for NVIDIA's
    Triton Inference Server.
    """

    opset: int = Field(20, ge=18)
    batch_sizes: list[Annotated[int, Field(ge=1)]] = [1, 7, 64]
    c: bool = False
    c_name: str = Field("model", pattern=r"^[A-Za-z][A-Za-z0-9_]*$")
    variants: list[Literal["int8", "pruned"]] = []
    zeros: float = Field(0.2, gt=0, lt=1)
    triton: TritonConfig | None = None

    @field_validator("triton", mode="before")
    @classmethod
    def _switched(cls, triton: Any) -> Any:
        return {} if triton is True else None if triton is False else triton

    @field_validator("variants")
    @classmethod
    def _distinct_variants(cls, variants: list[str]) -> list[str]:
        if len(set(variants)) != len(variants):
            raise ValueError(f"each variant may be named once, not {variants}")
        return variants


class RunConfig(Section):
    """Everything that determines a run. Either `simulate` or `data` says where truth comes from.

    `task` says what the events are, and so what `simulate` may hold: `run_config` makes one from a mapping. `apply`
    holds the options of the task's application (`null` leaves it out).

    `plugins` are Python files that define models or baselines of one's own (see `core.plugins`); relative paths start
    at the configuration file. Without a model (`model: null`) a run holds truth and baselines alone.
    """

    task: str = CALORIMETER
    seed: int = Field(1, ge=0)
    plugins: list[str] = []
    simulate: SerializeAsAny[TruthSimulation] | None = None
    data: DataConfig | None = None
    prepare: PrepareConfig = PrepareConfig()
    model: ModelConfig | None = ModelConfig()
    train: TrainSettings = TrainSettings()
    baselines: list[Named] = []
    sample: SampleConfig = SampleConfig()
    evaluate: EvaluateConfig = EvaluateConfig()
    apply: dict[str, Any] | None = {}
    timing: TimingConfig = TimingConfig()
    report: ReportConfig = ReportConfig()
    export: ExportConfig | None = ExportConfig()

    @property
    def surrogate(self) -> ModelConfig:
        """The model, for what cannot be done without one.

        Raises:
            FacsimError: the run has none.
        """
        if self.model is None:
            raise FacsimError("this run has no surrogate: its configuration says 'model: null'.")
        return self.model

    @property
    def predicts(self) -> bool:
        """Whether it is about a predictor: its model is one, or it has none and its baselines are scores."""
        from facsim.evaluate.scorers import SCORERS  # noqa: PLC0415  heavy
        from facsim.models import Predictor, find_model  # noqa: PLC0415

        if self.model is None:
            return any(baseline.name in SCORERS for baseline in self.baselines)
        return issubclass(find_model(self.model.name), Predictor)

    @field_validator("task")
    @classmethod
    def _known_task(cls, task: str) -> str:
        if task not in SIMULATIONS:
            raise ValueError(f"there is no task '{task}': expected one of {sorted(SIMULATIONS)}")
        return task

    @field_validator("baselines")
    @classmethod
    def _distinct_baselines(cls, baselines: list[Named]) -> list[Named]:
        names = [baseline.name for baseline in baselines]
        if len(set(names)) != len(names):
            raise ValueError(f"each baseline may be named once, not {names}")
        return baselines

    @model_validator(mode="after")
    def _one_truth(self) -> RunConfig:
        if (self.simulate is None) == (self.data is None):
            raise ValueError("give either 'simulate' (a truth simulation) or 'data' (your own files), and not both")
        return self


@cache
def config_class(task: str) -> type[RunConfig]:
    """`RunConfig` whose section `simulate` is that of `task`."""
    simulation = find_simulation(task)
    made: type[RunConfig] = create_model(
        "RunConfig", __base__=RunConfig, __module__=__name__, simulate=(simulation | None, None)
    )
    return made


def class_of(tree: Mapping[str, Any]) -> type[RunConfig]:
    """The class that checks the configuration `tree`, by its task; of an unknown task the one that refuses it."""
    task = tree.get("task", CALORIMETER)
    return config_class(task if task in SIMULATIONS else CALORIMETER)


def run_config(tree: Mapping[str, Any]) -> RunConfig:
    """A configuration from a mapping.

    Raises:
        ValidationError: it is none.
    """
    return class_of(tree).model_validate(tree)
