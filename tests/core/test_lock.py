"""One process in a folder, and file systems that cannot tell."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from facsim.core.errors import FacsimError
from facsim.core.lock import locked

HOLD = """
import sys
from collections.abc import Callable
from pathlib import Path
from facsim.core.lock import locked
with locked(Path(sys.argv[1]), print):
    print("mine", flush=True)
    sys.stdin.read()
"""


def test_another_process_is_kept_out_until_it_ends(tmp_path: Path) -> None:
    folder, told = tmp_path / "a", list[str]()
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": "src"},
    )
    with other:
        assert other.stdout is not None
        assert other.stdout.readline() == "mine\n"
        with pytest.raises(FacsimError, match=f"another facsim process is working in '{folder}': wait for it to end"):
            locked(folder, told.append).__enter__()
        other.kill()
    with locked(folder, told.append):
        pass
    assert told == []


@pytest.mark.parametrize("code", [errno.EAGAIN, errno.EWOULDBLOCK, errno.EACCES])
def test_a_lock_that_is_held_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    monkeypatch.setattr(fcntl, "flock", _failing(code))
    with pytest.raises(FacsimError, match="another facsim process"):
        locked(tmp_path, print).__enter__()


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS])
def test_without_locks_the_work_goes_on_with_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    monkeypatch.setattr(fcntl, "flock", _failing(code))
    told, worked = list[str](), False
    with locked(tmp_path, told.append):
        worked = True
    assert worked
    assert len(told) == 1
    assert f"the file system of '{tmp_path}' has no locks ({os.strerror(code)})" in told[0]


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FacsimError, match=r"cannot write to '.*file/a': Not a directory"):
        locked(tmp_path / "file" / "a", print).__enter__()


def _failing(code: int) -> Callable[[int, int], None]:
    def flock(descriptor: int, operation: int) -> None:
        raise OSError(code, os.strerror(code))

    return flock
