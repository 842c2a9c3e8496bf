"""The log in JSON lines, TensorBoard and MLflow; a training that goes on goes on in the same place."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import get_args

import pytest

from facsim.core.errors import MissingExtraError
from facsim.train.journal import Journal
from facsim.train.loop import TrainProgress
from facsim.train.settings import TrainSettings
from facsim.train.sinks import SINKS, numbers_of

STOPPING = {"score": "w1", "every": 5, "patience": 99}


def stop(progress: TrainProgress) -> None:
    if progress.done == 10:
        raise KeyboardInterrupt


def rows(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_the_table_holds_what_a_configuration_may_name() -> None:
    (inner,) = get_args(TrainSettings.model_fields["sinks"].annotation)
    assert set(get_args(inner)) == set(SINKS)


def test_numbers_of_rows() -> None:
    row = {"step": 3, "part": "a", "loss": 2, "validation_loss": None, "lr": 0.1, "losses": {"x": 0.5, "y": 1.5}}
    assert numbers_of(row) == {"a/loss": 2.0, "a/lr": 0.1, "a/losses/x": 0.5, "a/losses/y": 1.5}
    assert numbers_of({"part": "a", "score": "fpd", "value": 7}) == {"a/fpd": 7.0}
    assert numbers_of({"part": "a", "score": "fpd", "value": None}) == {}


def test_rows_after_the_checkpoint_are_forgotten(tmp_path: Path) -> None:
    Journal(tmp_path, 0).write([{"step": step} for step in range(1, 6)])
    with (tmp_path / "metrics.jsonl").open("a") as handle:
        handle.write('{"step": 6, "lo')
    Journal(tmp_path, 3).write([{"step": 4}])
    assert [row["step"] for row in rows(tmp_path)] == [1, 2, 3, 4]
    Journal(tmp_path, 0).write([{"step": 1}])
    assert [row["step"] for row in rows(tmp_path)] == [1]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # inside of tensorboard and protobuf
def test_tensorboard_gets_every_number(rivals: ModuleType, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator  # noqa: PLC0415  optional

    changes = {"sinks": ["tensorboard"], "early_stopping": STOPPING}
    with pytest.raises(KeyboardInterrupt):
        rivals.rivals_trainer(tmp_path, **changes).run(stop)
    rivals.rivals_trainer(tmp_path, **changes).run()
    found = EventAccumulator(str(tmp_path / "tensorboard"))
    found.Reload()
    for tag, key, part in (("critic/loss", "loss", "critic"), ("rivals/w1", "value", "rivals")):
        expected = [(row["step"], row[key]) for row in rows(tmp_path) if row["part"] == part]
        assert [event.step for event in found.Scalars(tag)] == [step for step, _ in expected]
        assert [event.value for event in found.Scalars(tag)] == pytest.approx([value for _, value in expected])


@pytest.mark.slow  # MLflow builds its data base
@pytest.mark.filterwarnings("ignore")  # inside of mlflow
def test_mlflow_gets_every_number_in_one_run(
    rivals: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    folder = tmp_path / "a-run" / "models" / "surrogate"
    with pytest.raises(KeyboardInterrupt):
        rivals.rivals_trainer(folder, sinks=["mlflow"]).run(stop)
    rivals.rivals_trainer(folder, sinks=["mlflow"]).run()
    client = mlflow.MlflowClient(f"sqlite:///{folder}/mlflow.db")
    experiment = client.get_experiment_by_name("facsim")
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.run_name == "a-run"
    assert run.info.status == "FINISHED"
    assert run.data.params["model"] == "rivals"
    assert run.data.params["batch_size"] == "16"
    history = client.get_metric_history(run.info.run_id, "generator/loss")
    expected = [(row["step"], row["loss"]) for row in rows(folder) if row["part"] == "generator"]
    assert [(metric.step, metric.value) for metric in history] == expected


@pytest.mark.parametrize(("name", "package"), [("tensorboard", "tensorboard"), ("mlflow", "mlflow")])
def test_a_missing_package_is_one_sentence(
    rivals: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=rf"'{package}', which is not installed: .*\[{name}\]"):
        rivals.rivals_trainer(tmp_path, sinks=[name]).run()
