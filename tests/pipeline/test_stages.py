"""Stages run once, again when what they were made from changed, and never on what is out of date."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from facsim.config import RunConfig, load_config
from facsim.core.errors import FacsimError
from facsim.pipeline.stage import Stage, check_upstream, reason, run_stage
from facsim.run import Run, saved_config
from facsim.stamps import mark, read_stamp, unchanged


def _config(path: Path, seed: int = 1, lr: float = 0.1) -> RunConfig:
    return load_config({"data": {"files": [str(path)]}, "seed": seed, "train": {"lr": lr}})


class Kitchen:
    """Two real stages on real files: `cut` copies the user's file, `cook` adds the learning rate to it."""

    def __init__(self, folder: Path) -> None:
        self.source, self.dir = folder / "source.txt", folder / "run"
        self.source.write_text("leek")
        self.worked: list[str] = []
        cut = Stage(
            "cut", self._cut, lambda c: c.seed, lambda run: [run.dir / "cut.txt"], (), lambda run: [self.source]
        )
        cook = Stage("cook", self._cook, lambda c: c.train.lr, lambda run: [run.dir / "soup.txt"], ("cut",))
        self.stages = {"cut": cut, "cook": cook}

    def _cut(self, run: Run) -> None:
        self.worked.append("cut")
        (run.dir / "cut.txt").write_text(self.source.read_text())

    def _cook(self, run: Run) -> None:
        self.worked.append("cook")
        (run.dir / "soup.txt").write_text((run.dir / "cut.txt").read_text() + str(run.config.train.lr))

    def go(self, seed: int = 1, lr: float = 0.1) -> list[str]:
        """Both stages; which of them worked."""
        self.worked.clear()
        run = Run(self.dir, _config(self.source, seed, lr))
        for stage in self.stages.values():
            run_stage(stage, run)
        return list(self.worked)


@pytest.fixture
def kitchen(tmp_path: Path) -> Kitchen:
    (tmp_path / "run").mkdir()
    return Kitchen(tmp_path)


def test_second_time_nothing_runs(kitchen: Kitchen) -> None:
    assert kitchen.go() == ["cut", "cook"]
    assert kitchen.go() == []


def test_changed_setting_reruns_its_stage_alone(kitchen: Kitchen) -> None:
    kitchen.go()
    assert kitchen.go(lr=0.2) == ["cook"]
    assert (kitchen.dir / "soup.txt").read_text() == "leek0.2"


def test_equal_result_upstream_leaves_later_stages_alone(kitchen: Kitchen) -> None:
    kitchen.go()
    assert kitchen.go(seed=2) == ["cut"]


def test_changed_input_file_reruns_all_that_follows(kitchen: Kitchen) -> None:
    kitchen.go()
    kitchen.source.write_text("bean")
    assert kitchen.go() == ["cut", "cook"]


def test_missing_or_changed_output_is_made_again(kitchen: Kitchen) -> None:
    kitchen.go()
    (kitchen.dir / "soup.txt").unlink()
    assert kitchen.go() == ["cook"]
    (kitchen.dir / "soup.txt").write_text("spilt")
    assert kitchen.go() == ["cook"]
    assert (kitchen.dir / "soup.txt").read_text() == "leek0.1"


def test_damaged_stamp_counts_as_none(kitchen: Kitchen) -> None:
    kitchen.go()
    (kitchen.dir / "stamps" / "cook.json").write_text("{")
    assert kitchen.go() == ["cook"]


def test_copied_run_directory_stays_valid(kitchen: Kitchen, tmp_path: Path) -> None:
    kitchen.go()
    copy = tmp_path / "copy"
    shutil.copytree(kitchen.dir, copy, copy_function=shutil.copyfile)
    kitchen.dir = copy
    assert kitchen.go() == []


def test_failed_stage_leaves_no_stamp(kitchen: Kitchen) -> None:
    kitchen.go()
    kitchen.source.unlink()
    with pytest.raises(FileNotFoundError):
        kitchen.go(seed=3)
    assert read_stamp(kitchen.dir / "stamps" / "cut.json") is None


def test_stage_without_its_upstream_says_what_to_run(kitchen: Kitchen) -> None:
    run = Run(kitchen.dir, _config(kitchen.source))
    with pytest.raises(FacsimError, match=r"'cook' needs the result of 'cut'.*run facsim cut --out"):
        run_stage(kitchen.stages["cook"], run)


def test_stage_on_outdated_upstream_is_refused(kitchen: Kitchen) -> None:
    kitchen.go()
    run = Run(kitchen.dir, _config(kitchen.source, seed=2))
    with pytest.raises(FacsimError, match=r"'cook' needs the result of 'cut'.*its settings changed"):
        check_upstream(kitchen.stages["cook"], kitchen.stages, run)
    check_upstream(kitchen.stages["cook"], kitchen.stages, Run(kitchen.dir, _config(kitchen.source, lr=5)))


def test_reasons_are_told(kitchen: Kitchen) -> None:
    run = Run(kitchen.dir, _config(kitchen.source))
    assert reason(kitchen.stages["cut"], run) == "it has not run yet"
    kitchen.go()
    assert reason(kitchen.stages["cut"], run) is None
    (kitchen.dir / "cut.txt").unlink()
    assert reason(kitchen.stages["cut"], run) == "'cut.txt' is missing or was changed"


def test_mark_of_a_large_file_reads_little_and_sees_a_change(tmp_path: Path) -> None:
    path = tmp_path / "large.bin"
    with path.open("wb") as handle:
        handle.truncate(3 * 2**30)
    first = mark(path)
    os.utime(path, (1, 1))
    assert unchanged(first, path)
    with path.open("r+b") as handle:
        handle.write(b"x")
    os.utime(path, (2, 2))
    assert not unchanged(first, path)


def test_second_process_is_kept_out(tmp_path: Path) -> None:
    run = Run(tmp_path, _config(tmp_path))
    with run.lock(), pytest.raises(FacsimError, match="another facsim process is working in"), run.lock():
        pass
    with run.lock():
        pass


def test_run_saves_configuration_and_provenance(tmp_path: Path) -> None:
    run = Run(tmp_path / "a", _config(tmp_path, seed=7))
    with run.lock():
        run.save(["facsim", "run"])
        run.save(["facsim", "report"])
    assert load_config(saved_config(tmp_path / "a")) == run.config
    told = json.loads((tmp_path / "a" / "provenance.json").read_text())
    assert told["seed"] == 7
    assert told["versions"]["facsim"]
    assert [entry["command"][1] for entry in told["history"]] == ["run", "report"]


def test_directory_without_configuration_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(FacsimError, match="not a run directory yet"):
        saved_config(tmp_path)
