"""The C++ project as it is handed out, how its programs find ONNX Runtime, and its copy of the C interface."""

from __future__ import annotations

import ctypes.util
import json
import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import facsim
from facsim.cli import app
from facsim.core.errors import FacsimError
from facsim.export import cpp_project
from facsim.export.cpp_project import SHIPPED, runtime_library

from .programs import COMPILERS, FLAGS, SOURCES, Built, build, page, save, why_not, write_toy

pytest.importorskip("onnxruntime")
HEADERS = os.environ.get("FACSIM_ONNXRUNTIME_HEADERS")
ABI = SHIPPED / "include" / "facsim" / "ort_abi.hpp"


def test_the_verb_copies_the_project_and_names_a_library(tmp_path: Path) -> None:
    out = tmp_path / "a folder"
    done = CliRunner().invoke(app, ["cpp", "--out", str(out)])
    assert done.exit_code == 0
    assert str(runtime_library()) in done.output
    assert f"cmake -S '{out}'" in done.output
    copied = {path.relative_to(out) for path in out.rglob("*") if path.is_file()}
    assert copied == {path.relative_to(SHIPPED) for path in SHIPPED.rglob("*") if path.is_file()}
    found = json.loads(CliRunner().invoke(app, ["cpp", "--out", str(out), "--json"]).output)
    assert {Path(name) for name in found["files"]} == copied
    assert Path(found["runtime"]).is_file()
    assert found["runtime_version"] == version("onnxruntime")


def test_what_was_edited_is_replaced_only_by_force(tmp_path: Path) -> None:
    facsim.cpp(tmp_path)
    edited = tmp_path / "CMakeLists.txt"
    edited.write_text("# mine")
    done = CliRunner().invoke(app, ["cpp", "--out", str(tmp_path)])
    assert done.exit_code == 1
    assert "CMakeLists.txt' differs from the file that would be copied" in done.output.replace("\n", " ")
    assert edited.read_text() == "# mine"
    facsim.cpp(tmp_path, force=True)
    assert edited.read_bytes() == (SHIPPED / "CMakeLists.txt").read_bytes()


def test_a_file_in_place_of_the_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FacsimError, match="--out must be a folder"):
        facsim.cpp(tmp_path / "file")


def test_without_onnxruntime_the_headers_are_copied_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cpp_project, "find_spec", lambda name: None)
    done = CliRunner().invoke(app, ["cpp", "--out", str(tmp_path / "out")])
    assert done.exit_code == 0
    assert "pip install onnxruntime" in done.output
    assert (tmp_path / "out" / "CMakeLists.txt").exists()


def test_programs_say_which_library_they_opened(built: Built, tmp_path: Path) -> None:
    graph, card = write_toy(tmp_path)
    assert built.text("card", graph, card).splitlines()[-1] == version("onnxruntime")
    told = built.text(graph, card, "--events", 1, program=built.example, FACSIM_ONNXRUNTIME="")
    assert f"ONNX Runtime {version('onnxruntime')}" in told  # the one that CMake was given


@pytest.mark.skipif(sys.platform != "linux", reason="LD_PRELOAD is of Linux")
def test_the_runtime_that_a_program_is_linked_with_is_taken(built: Built, tmp_path: Path) -> None:
    graph, card = write_toy(tmp_path)
    assert built.text("card", graph, card, FACSIM_ONNXRUNTIME="", LD_PRELOAD=str(runtime_library()))


def test_no_library_is_told(built: Built, tmp_path: Path) -> None:
    graph, card = write_toy(tmp_path)
    told = built.error("card", graph, card, FACSIM_ONNXRUNTIME="/no/libonnxruntime.so")
    assert told.startswith("ONNX Runtime's library '/no/libonnxruntime.so' cannot be opened (")
    assert "cannot be opened" in built.error("card", graph, card, FACSIM_ONNXRUNTIME=str(graph.resolve()))
    other = ctypes.util.find_library("m")
    assert "it has no function OrtGetApiBase" in built.error("card", graph, card, FACSIM_ONNXRUNTIME=str(other))
    old = next(built.folder.glob("libold.*"))
    told = built.error("card", graph, card, FACSIM_ONNXRUNTIME=str(old))
    assert told == "ONNX Runtime 1.2.0 is too old: expected 1.11 or newer."
    if ctypes.util.find_library("onnxruntime") is None:
        assert "FACSIM_ONNXRUNTIME" in built.error("card", graph, card, FACSIM_ONNXRUNTIME="")


def test_cmake_tells_of_a_library_that_is_not_there(built: Built, tmp_path: Path) -> None:
    for option in ("ONNXRUNTIME_LIBRARY", "ONNXRUNTIME_ROOT"):
        done = build(built.project, tmp_path / option, f"-D{option}=/nowhere")
        assert done.returncode != 0
        assert f"{option}:" in done.stderr
        assert "'/nowhere'" in done.stderr


def members() -> list[str]:
    """Names of the table's members as the project writes it down, gaps included."""
    table = re.search(r"struct OrtApi \{(.*?)\n\};", ABI.read_text(), re.DOTALL)
    assert table is not None
    body = table[1].partition("using Status")[2]
    return re.findall(r"(?:\(\*|Unused |Release<\w+> )(\w+)", body)


def compiles(source: str, folder: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    (folder / "source.cpp").write_text(source)
    compiler = next(filter(None, map(shutil.which, COMPILERS)))
    command = [compiler, "-std=c++17", "-fsyntax-only", f"-I{SHIPPED / 'include'}", *flags, str(folder / "source.cpp")]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.skipif(not any(map(shutil.which, COMPILERS)), reason="there is no C++ compiler")
def test_gaps_of_the_table_begin_where_their_names_say(tmp_path: Path) -> None:
    gaps = [name for name in members() if name.startswith("from_")]
    assert len(gaps) > 10
    lines = [
        f"static_assert(offsetof(facsim::own::OrtApi, {gap}) == {gap.removeprefix('from_')} * sizeof(void*));"
        for gap in gaps
    ]
    source = "#include <facsim/ort_abi.hpp>\n" + "\n".join(lines)
    assert compiles(source, tmp_path, "-DFACSIM_OWN_ORT_ABI").stderr == ""
    moved = source.replace("== 4 *", "== 5 *")
    assert compiles(moved, tmp_path, "-DFACSIM_OWN_ORT_ABI").returncode != 0


@pytest.mark.skipif(HEADERS is None, reason="FACSIM_ONNXRUNTIME_HEADERS names no folder with onnxruntime_c_api.h")
def test_functions_stand_where_the_official_header_has_them(tmp_path: Path) -> None:
    names = [name for name in members() if not name.startswith("from_")]
    assert {"Run", "CreateSessionFromArray", "ReleaseSessionOptions"} <= set(names)
    lines = [f"static_assert(offsetof(::OrtApi, {n}) == offsetof(facsim::own::OrtApi, {n}));" for n in names]
    constants = re.findall(r"(\w+) = \d", ABI.read_text())
    lines += [f"static_assert(int(::{c}) == int(facsim::own::{c}));" for c in constants if c.startswith("O")]
    lines += ["static_assert(offsetof(::OrtApiBase, GetVersionString) == sizeof(void*));"]
    source = "#include <onnxruntime_c_api.h>\n#include <facsim/ort_abi.hpp>\n" + "\n".join(lines)
    assert compiles(source, tmp_path, "-isystem", str(HEADERS)).stderr == ""


@pytest.mark.skipif(HEADERS is None, reason="FACSIM_ONNXRUNTIME_HEADERS names no folder with onnxruntime_c_api.h")
@pytest.mark.skipif(bool(why_not()), reason=why_not() or "never")
def test_programs_of_the_official_header_give_the_same(built: Built, tmp_path: Path) -> None:
    root, programs = tmp_path / "root", tmp_path / "build"
    (root / "lib").mkdir(parents=True)
    (root / "include").symlink_to(str(HEADERS))
    (root / "lib" / "libonnxruntime.so").symlink_to(str(runtime_library()))
    (tmp_path / "page.cpp").write_text(page())
    options = {
        "FACSIM_PAGE": tmp_path / "page.cpp",
        "FACSIM_PROJECT": built.project,
        "CMAKE_CXX_FLAGS": FLAGS,
        "ONNXRUNTIME_ROOT": root,
    }
    done = build(SOURCES, programs, *(f"-D{name}={value}" for name, value in options.items()))
    assert done.returncode == 0, done.stderr
    graph, card = write_toy(tmp_path)
    (cond,) = save(tmp_path, {"cond": np.full((50, 2), [500, 3])})
    found = []
    for folder in (built.folder, programs):
        out = tmp_path / "events.f32"
        built.text("generate", graph, card, 4, cond, out, 1, 2, program=folder / "driver")
        found.append(np.fromfile(out, np.float32))
    assert len(found[0]) == 150
    np.testing.assert_array_equal(*found)
