"""Where else the rows of `metrics.jsonl` go: TensorBoard, MLflow."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from facsim.core.errors import MissingExtraError
from facsim.core.store import read_json, write_json


class Sink(Protocol):
    """Takes rows of a training."""

    def write(self, row: Mapping[str, Any]) -> None:
        """Take one row of `metrics.jsonl`."""
        ...

    def close(self) -> None:
        """Finish."""
        ...


def numbers_of(row: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of a row by name, such as `pattern-flow/validation_loss`."""
    found = {key: row[key] for key in ("loss", "validation_loss", "lr") if row.get(key) is not None}
    if row.get("value") is not None:
        found[row["score"]] = row["value"]
    found.update({f"losses/{name}": value for name, value in row.get("losses", {}).items()})
    return {f"{row['part']}/{name}": float(value) for name, value in found.items()}


class TensorBoard:
    """Event files in `folder`/tensorboard: `tensorboard --logdir` shows them."""

    def __init__(self, folder: Path, done: int, facts: Mapping[str, Any]) -> None:
        _package("tensorboard", "tensorboard")
        from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415  optional

        self.writer: Any = SummaryWriter(str(folder / "tensorboard"), purge_step=done + 1 if done else None)

    def write(self, row: Mapping[str, Any]) -> None:
        for name, value in numbers_of(row).items():
            self.writer.add_scalar(name, value, row["step"])

    def close(self) -> None:
        self.writer.close()


class MLflow:
    """A run of MLflow's experiment `facsim`, at MLFLOW_TRACKING_URI or else in `folder`/mlflow.db.

    `facts` become its parameters; a training that goes on goes on in the same run.
    """

    def __init__(self, folder: Path, done: int, facts: Mapping[str, Any]) -> None:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        mlflow = _package("mlflow", "mlflow")
        self._metric: Any = mlflow.entities.Metric
        uri = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{(folder / 'mlflow.db').absolute()}"
        self.client: Any = mlflow.MlflowClient(uri)
        memo = folder / "state" / "mlflow.json"
        if done and memo.is_file():
            self.run = str(read_json(memo)["run"])
            return
        found = self.client.get_experiment_by_name("facsim")
        experiment = found.experiment_id if found else self.client.create_experiment("facsim")
        self.run = self.client.create_run(experiment, run_name=folder.absolute().parents[1].name).info.run_id
        write_json(memo, {"run": self.run})
        for name, value in facts.items():
            self.client.log_param(self.run, name, value)

    def write(self, row: Mapping[str, Any]) -> None:
        now = time.time_ns() // 1_000_000
        numbers = numbers_of(row).items()
        self.client.log_batch(self.run, [self._metric(name, value, now, row["step"]) for name, value in numbers])

    def close(self) -> None:
        self.client.set_terminated(self.run)


SINKS: dict[str, Callable[[Path, int, Mapping[str, Any]], Sink]] = {"tensorboard": TensorBoard, "mlflow": MLflow}


def _package(name: str, extra: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        raise MissingExtraError(extra, name) from None
