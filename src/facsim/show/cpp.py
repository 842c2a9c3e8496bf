"""What `facsim cpp` did, for a person at a terminal."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from rich.console import Console


def show_cpp(found: Mapping[str, Any]) -> None:
    """Where the C++ project is, which library it can open, and the commands that build its example."""
    console = Console(highlight=False)
    folder = shlex.quote(found["folder"])
    console.print(f"headers, CMake project and example: {found['folder']}", soft_wrap=True)
    library = found["runtime"]
    if library is None:
        console.print(
            "ONNX Runtime is not installed for this Python: pip install onnxruntime, or unpack a release of it.",
            soft_wrap=True,
        )
    else:
        version = f" {found['runtime_version']}" if found["runtime_version"] else ""
        console.print(f"ONNX Runtime{version}: {library}", soft_wrap=True)
    chosen = "/path/to/libonnxruntime.so" if library is None else shlex.quote(library)
    console.print(
        f"build: cmake -S {folder} -B {folder}/build -DONNXRUNTIME_LIBRARY={chosen} && cmake --build {folder}/build",
        soft_wrap=True,
    )
