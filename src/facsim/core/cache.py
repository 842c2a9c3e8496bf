"""Where facsim keeps what it can rebuild or fetch again, and folders that are whole or absent."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from facsim.core.store import write_error


def cache_dir() -> Path:
    """Where facsim keeps what it can rebuild: $FACSIM_CACHE, else facsim/ in $XDG_CACHE_HOME or ~/.cache."""
    own = os.environ.get("FACSIM_CACHE")
    if own:
        return Path(own)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "facsim"


def build_once(target: Path, fill: Callable[[Path], None]) -> None:
    """Fill a new folder and rename it to `target`; of several processes that race, the first one wins."""
    if target.is_dir():
        return
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    except OSError as error:
        raise write_error(target, error) from error
    try:
        fill(temporary)
        temporary.chmod(0o755)
        temporary.rename(target)
    except OSError as error:
        if not target.is_dir():
            raise write_error(target, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
