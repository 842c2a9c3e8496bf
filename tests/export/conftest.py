"""The C++ project, built once for all tests that call it."""

from __future__ import annotations

import fcntl
import os

import pytest

from facsim.export.cpp_project import cpp, runtime_library

from .programs import FLAGS, SOURCES, Built, build, page, why_not


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The project as users get it and the programs of the tests; one build for all processes of pytest-xdist."""
    if reason := why_not():
        pytest.skip(reason)
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "cpp-programs"
    folder.mkdir(exist_ok=True)
    project, programs, finished = folder / "project", folder / "build", folder / "finished"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not finished.exists():
            cpp(project, force=True)
            (folder / "page.cpp").write_text(page())
            options = {
                "FACSIM_PAGE": folder / "page.cpp",
                "FACSIM_PROJECT": project,
                "CMAKE_CXX_FLAGS": FLAGS,
                "ONNXRUNTIME_LIBRARY": runtime_library(),
            }
            done = build(SOURCES, programs, *(f"-D{name}={value}" for name, value in options.items()))
            finished.write_text(done.stdout + done.stderr if done.returncode else "")
    assert finished.read_text() == ""
    return Built(programs, project)
