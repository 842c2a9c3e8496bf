"""Keep a second process out of a folder."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from facsim.core.errors import FacsimError

NAME = ".lock"
TAKEN = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES)
"""What a lock says that another process holds; other errors are of file systems that have no locks."""


@contextmanager
def locked(folder: Path, warn: Callable[[str], None]) -> Iterator[None]:
    """Keep a second facsim process out of `folder`, which is made if it is not there.

    The lock belongs to the process: it is gone when the process is, however it ended. On a file system without locks
    `warn` is told, and the work goes on without one.

    Raises:
        FacsimError: another process holds it, or the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = (folder / NAME).open("a+", encoding="utf-8")
    except OSError as error:
        raise FacsimError(f"cannot write to '{folder}': {error.strerror}.") from None
    with handle:
        _lock(handle.fileno(), folder, warn)
        yield


def _lock(descriptor: int, folder: Path, warn: Callable[[str], None]) -> None:
    try:
        import fcntl  # noqa: PLC0415  absent on Windows
    except ImportError:
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in TAKEN:
            raise FacsimError(
                f"another facsim process is working in '{folder}': wait for it to end, or choose another --out."
            ) from None
        warn(
            f"warning: the file system of '{folder}' has no locks ({error.strerror}): see to it that no second "
            "facsim command works there meanwhile."
        )
