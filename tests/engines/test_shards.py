"""Shards: cut exactly, made once, and never believed when they are not whole."""

from __future__ import annotations

import json
import os
import socket
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facsim.core.errors import FacsimError
from facsim.core.store import StoreReader, read_json, write_json
from facsim.engines.manifest import claim
from facsim.engines.shards import FOLDER, Job, Shard, attempt, cut, divide, make, stamp_of, sweep

from .conftest import MakeJob, numbers


@given(st.integers(1, 500), st.integers(1, 60))
def test_every_event_is_in_one_shard(events: int, size: int) -> None:
    shards = cut(events, size)
    assert [shard.index for shard in shards] == list(range(len(shards)))
    assert [i for shard in shards for i in range(shard.first, shard.stop)] == list(range(events))
    assert all(shard.events == size for shard in shards[:-1])


def test_more_events_keep_the_shards_that_are_full() -> None:
    assert cut(70, 30)[:2] == cut(300, 30)[:2]


def test_a_shard_is_made_once(toy: MakeJob) -> None:
    job, shard = toy(), Shard(3, 30, 40)
    stamp = make(job, shard)
    assert (stamp.rows, stamp.index, stamp.facts) == (10, 3, {"toy": 1})
    assert StoreReader(job.file(shard)).read(0, 10).event_id.tolist() == list(range(30, 40))
    before = job.file(shard).stat().st_mtime_ns
    assert make(job, shard) == stamp
    assert job.file(shard).stat().st_mtime_ns == before
    assert sorted(path.name for path in (job.folder / FOLDER).iterdir()) == [
        "shard-000003.h5",
        "shard-000003.stamp.json",
    ]


@pytest.mark.parametrize("damage", ["cut", "flipped", "gone", "no stamp", "half a stamp", "stamp of others"])
def test_what_is_not_whole_is_made_again(toy: MakeJob, damage: str) -> None:
    job, shard = toy(), Shard(0, 0, 20)
    make(job, shard)
    path, stamp = job.file(shard), job.stamp(shard)
    good, content = numbers(job, shard), path.read_bytes()
    if damage == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "flipped":
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    elif damage == "gone":
        path.unlink()
    elif damage == "no stamp":
        stamp.unlink()
    elif damage == "half a stamp":
        stamp.write_text(stamp.read_text()[:100])
    else:
        write_json(stamp, {**read_json(stamp), "settings": "others"})
    assert divide(job, [shard]) == ({}, [shard])
    make(job, shard)
    assert numbers(job, shard) == good


def test_another_place_or_item_or_setting_is_another_shard(toy: MakeJob) -> None:
    job, shard = toy(), Shard(0, 0, 20, {"file": "a"})
    make(job, shard)
    assert stamp_of(job, shard) is not None
    assert stamp_of(job, replace(shard, stop=21)) is None
    assert stamp_of(job, replace(shard, item={"file": "b"})) is None
    assert stamp_of(toy(seed=2), shard) is None


def test_a_failure_leaves_nothing(toy: MakeJob) -> None:
    job, shard = toy(trouble={"0": "refuse"}), Shard(0, 0, 5)
    assert attempt(job, shard) == {"error": "the toy refuses.", "final": True}
    assert not list((job.folder / FOLDER).iterdir())
    flaky = toy("flaky", trouble={"0": "flaky"})
    assert attempt(flaky, shard)["final"] is False
    assert attempt(flaky, shard)["stamp"]["rows"] == 5


def test_what_dead_processes_left_is_swept(toy: MakeJob) -> None:
    job = toy()
    make(job, Shard(0, 0, 5))
    folder, host = job.folder / FOLDER, socket.gethostname()
    dead, mine = folder / f".shard-000001@{host}@999999999@abc", folder / f".shard-000001@{host}@{os.getpid()}@abc"
    elsewhere = folder / ".shard-000001@elsewhere@999999999@abc"
    for path in (dead, mine, elsewhere):
        path.mkdir()
    sweep(job.folder)
    assert not dead.exists()
    assert mine.exists()
    assert elsewhere.exists()


def test_a_job_travels_as_json(toy: MakeJob) -> None:
    job = toy(trouble={"1": "dies"})
    again = Job.from_dict(json.loads(json.dumps(job.to_dict())))
    assert again == job
    assert again.fingerprint == job.fingerprint


def test_other_versions_are_refused(toy: MakeJob) -> None:
    job = replace(toy(), versions={"numpy": "0.1"})
    with pytest.raises(FacsimError, match=r"need numpy 0\.1, and the worker on .* use the same environment"):
        make(job, Shard(0, 0, 5))


def test_settings_are_not_mixed_in_a_folder(toy: MakeJob) -> None:
    claim(toy(sleep=0))
    claim(toy(sleep=0))
    with pytest.raises(FacsimError, match=r"shards of other settings \(seed: 1 there, 2 here\): choose another --out"):
        claim(toy(sleep=0, seed=2))
    with pytest.raises(FacsimError, match=r"versions\.torch: None there, 2 here"):
        claim(replace(toy(sleep=0), versions={"torch": "2"}))


@pytest.mark.parametrize("name", ["config.yaml", "truth.h5", "scores/gflash.json"])
def test_a_folder_of_something_else_is_refused(toy: MakeJob, name: str) -> None:
    job = toy()
    path = job.folder / name
    path.parent.mkdir(parents=True)
    path.write_text("of a run")
    with pytest.raises(FacsimError, match=f"'{Path(name).parts[0]}', which no farm made and this one could replace"):
        claim(job)
    assert not (job.folder / "farm.json").exists()
    assert path.read_text() == "of a run"


def test_a_damaged_manifest_is_told_and_may_be_deleted(toy: MakeJob) -> None:
    job, shard = toy(), Shard(0, 0, 5)
    claim(job)
    make(job, shard)
    (job.folder / "events.h5").touch()
    (job.folder / "farm.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(
        FacsimError, match=r"farm\.json' is not valid JSON: .*: delete it and give the same command again"
    ):
        claim(job)
    (job.folder / "farm.json").unlink()
    claim(job)
    assert stamp_of(job, shard) is not None
