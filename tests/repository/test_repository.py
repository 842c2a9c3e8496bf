"""Models in repositories on disk, in memory and over HTTP: whole, never overwritten, and refused when tampered with."""

from __future__ import annotations

import json
import re
import shutil
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import fsspec
import pytest

from facsim.core.errors import FacsimError
from facsim.repository import fetch as fetching
from facsim.repository.fetch import fetch
from facsim.repository.listing import list_models
from facsim.repository.manifest import KNOWN, MANIFEST, read_manifest
from facsim.repository.places import SHIPPED, open_place
from facsim.repository.publish import make_manifest, publish, write_manifest

SUMMARY = {
    "representation": "table",
    "events": "columns a, b",
    "conditions": [{"name": "p", "unit": "MeV", "min": 1.0, "max": 2.0}],
    "score": None,
}


def fill(folder: Path, name: str, version: str, content: bytes = b"weights") -> None:
    for file in ("weights.safetensors", "model.json", "card.json", "LICENCE"):
        (folder / file).write_bytes(content + file.encode())
    facts: dict[str, Any] = {"licence": "CC0-1.0", "model": "toy", "summary": SUMMARY, "provenance": {"seed": 1}}
    write_manifest(folder, make_manifest(folder, name, version, **facts))


def put(root: str | Path, version: str, scratch: Path, name: str = "toy", content: bytes = b"weights") -> str:
    folder = scratch / f"{name}-{version}-{content.decode()}"
    folder.mkdir()
    return publish(root, name, version, lambda target: fill(target, name, version, content), folder)


@pytest.fixture
def memory() -> Iterator[str]:
    yield "memory://facsim-models/public"
    fsspec.filesystem("memory").store.clear()


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACSIM_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("FACSIM_MODELS", raising=False)


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize("kind", ["folder", "file", "memory"])
def test_saved_and_found_again(kind: str, tmp_path: Path, memory: str) -> None:
    root = {"folder": tmp_path / "here", "file": f"file://{tmp_path}/here", "memory": memory}[kind]
    with pytest.raises(FacsimError, match="there is no repository at"):
        list_models(root)
    for version in ("1.9.0", "1.10.0", "2.0.0-rc.1"):
        assert put(root, version, tmp_path).endswith(f"toy/{version}")
    found = fetch("toy", root)
    assert found.manifest.reference == "toy@1.10.0"
    assert (found.folder / "model.json").read_bytes() == b"weightsmodel.json"
    assert fetch("toy@2.0.0-rc.1", root).manifest.version == "2.0.0-rc.1"
    assert [row["version"] for row in list_models(root)["models"]] == ["1.10.0"]
    assert [row["version"] for row in list_models(root, True)["models"]] == ["2.0.0-rc.1", "1.10.0", "1.9.0"]
    with pytest.raises(FacsimError, match=r"'toy@1.9.0' is already in .* and is never overwritten"):
        put(root, "1.9.0", tmp_path, content=b"others")
    assert (fetch("toy@1.9.0", root).folder / "model.json").read_bytes() == b"weightsmodel.json"
    with pytest.raises(FacsimError, match=r"no version 3.0.0 of 'toy' .*expected one of \['1.10.0', '1.9.0'"):
        fetch("toy@3.0.0", root)
    with pytest.raises(FacsimError, match=r"no model 'tyo' .*expected one of \['toy'\]; did you mean 'toy'"):
        fetch("tyo", root)


def test_an_archive_is_read(tmp_path: Path) -> None:
    for name, version in (("toy", "1.0.0"), ("toy", "1.1.0"), ("other", "1.0.0")):
        put(tmp_path / "models", version, tmp_path, name)
    shutil.make_archive(str(tmp_path / "models"), "zip", tmp_path / "models")
    root = f"zip://::{tmp_path}/models.zip"
    assert [(row["name"], row["version"]) for row in list_models(root)["models"]] == [
        ("other", "1.0.0"),
        ("toy", "1.1.0"),
    ]
    assert (fetch("toy", root).folder / "model.json").read_bytes() == b"weightsmodel.json"
    assert fetch("toy@1.0.0", root).manifest.version == "1.0.0"


def test_what_is_no_repository_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for what in (list_models, partial(fetch, "toy")):
        with pytest.raises(FacsimError, match=r"file' is a file: a repository is a folder or a URL\."):
            what(tmp_path / "file")
        with pytest.raises(FacsimError, match=r"there is no repository at 'zip://::.*none\.zip': check the folder or"):
            what(f"zip://::{tmp_path}/none.zip")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FacsimError, match=r"no model 'toy' in '.*empty', and no other either: check the folder or URL"):
        fetch("toy", tmp_path / "empty")
    put(tmp_path / "models", "1.0.0", tmp_path)
    manifest = tmp_path / "models" / "toy" / "1.0.0" / MANIFEST
    manifest.unlink()
    manifest.mkdir()
    with pytest.raises(FacsimError, match=r"cannot be read: '.*manifest\.json' is a folder, and a file is expected\."):
        fetch("toy", tmp_path / "models")


def test_over_http(tmp_path: Path) -> None:
    pytest.importorskip("aiohttp")
    for version in ("1.9.0", "1.10.0"):
        put(tmp_path / "public", version, tmp_path)
    with serving(tmp_path / "public") as url, warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # of aiohttp's loop, which fsspec keeps
        assert fetch("toy", url).manifest.version == "1.10.0"
        assert [row["name"] for row in list_models(url)["models"]] == ["toy"]
        with pytest.raises(FacsimError, match="no model 'none' in"):
            fetch("none", url)
    # what was fetched by its version needs no server any more; what was not is told
    assert (fetch("toy@1.10.0", url).folder / "LICENCE").is_file()
    with pytest.raises(FacsimError, match=r"the repository 'http://127.0.0.1.*' cannot be reached"):
        fetch("toy@1.9.0", url)


def test_a_cache_that_changed_is_told(tmp_path: Path, memory: str) -> None:
    put(memory, "1.0.0", tmp_path)
    folder = fetch("toy", memory).folder
    assert folder.is_relative_to(tmp_path / "cache" / "models")
    (folder / "model.json").write_bytes(b"weightsmodel.jsom")
    for reference in ("toy", "toy@1.0.0"):
        with pytest.raises(FacsimError, match=r"damaged or was changed.*get it again, after removing '.*1.0.0'"):
            fetch(reference, memory)


def test_nothing_half_fetched_or_half_saved_is_left(tmp_path: Path, memory: str) -> None:
    put(memory, "1.0.0", tmp_path)
    store = fsspec.filesystem("memory")
    store.pipe("/facsim-models/public/toy/1.0.0/LICENCE", b"weightsLICENCX")
    with pytest.raises(FacsimError, match="damaged or was changed"):
        fetch("toy", memory)
    store.pipe("/facsim-models/public/toy/1.0.0/LICENCE", b"x" * 10_000_000)
    with pytest.raises(FacsimError, match=r"has 15 bytes, and the manifest.json of toy@1.0.0 states 14"):
        fetch("toy", memory)
    assert not list((tmp_path / "cache").rglob("*.json"))

    def fails(folder: Path) -> None:
        fill(folder, "toy", "2.0.0")
        raise FacsimError("the disk is full")

    for root in (memory, tmp_path / "here"):
        scratch = tmp_path / f"scratch-{len(str(root))}"
        scratch.mkdir()
        with pytest.raises(FacsimError, match="the disk is full"):
            publish(root, "toy", "2.0.0", fails, scratch)
    assert not (tmp_path / "here").exists()
    assert not store.exists("/facsim-models/public/toy/2.0.0")


def test_an_upload_that_was_cut_off_is_no_version_and_can_be_repeated(tmp_path: Path, memory: str) -> None:
    store = fsspec.filesystem("memory")
    store.pipe("/facsim-models/public/toy/1.0.0/weights.safetensors", b"half")
    with pytest.raises(FacsimError, match=r"no version 1.0.0 of 'toy'|no model 'toy'"):
        fetch("toy@1.0.0", memory)
    put(memory, "1.0.0", tmp_path)
    assert (fetch("toy", memory).folder / "weights.safetensors").read_bytes() == b"weightsweights.safetensors"


def test_of_two_that_save_one_version_the_second_is_told(tmp_path: Path) -> None:
    root, scratch = tmp_path / "here", tmp_path / "second"
    scratch.mkdir()

    def late(folder: Path) -> None:
        fill(folder, "toy", "1.0.0", b"second")
        put(root, "1.0.0", tmp_path, content=b"first")  # meanwhile

    with pytest.raises(FacsimError, match="is already in"):
        publish(root, "toy", "1.0.0", late, scratch)
    assert (fetch("toy", root).folder / "model.json").read_bytes() == b"firstmodel.json"
    assert [path.name for path in (root / "toy").iterdir()] == ["1.0.0"]


@pytest.mark.parametrize("name", ["../toy", "a/b", "/etc", "toy.1", "", "-x"])
def test_names_that_are_paths_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(FacsimError, match="is no name of a model"):
        publish(tmp_path / "here", name, "1.0.0", lambda folder: None, tmp_path)
    with pytest.raises(FacsimError, match="is no version"):
        publish(tmp_path / "here", "toy", f"../{name}", lambda folder: None, tmp_path)


def changed(folder: Path, **changes: Any) -> None:
    path = folder / "toy" / "1.0.0" / MANIFEST
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def with_file(name: str, facts: Any) -> dict[str, Any]:
    sound = {"bytes": 3, "sha256": "0" * 64}
    return {**dict.fromkeys(KNOWN[:3], sound), name: facts}


SOUND = {"bytes": 3, "sha256": "0" * 64}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        *[
            ({"files": with_file(name, SOUND)}, r"which is no file of a model.*nothing was read")
            for name in ("../../secret", "/etc/passwd", "..", "", "a/b.json", "a\\b", "code.py", "weights.pkl", "x\n")
        ],
        ({"files": {"model.json": SOUND}}, "does not name"),
        ({"files": with_file("model.json", {"bytes": -1, "sha256": "0" * 64})}, "states no size"),
        ({"files": with_file("model.json", {"bytes": 1 << 60, "sha256": "0" * 64})}, "states no size"),
        ({"files": with_file("model.json", {"bytes": True, "sha256": "0" * 64})}, "states no size"),
        ({"files": with_file("model.json", {"bytes": 3, "sha256": "0" * 63})}, "states no size"),
        ({"files": with_file("model.json", [])}, "states no size"),
        ({"files": []}, "is of another kind"),
        ({"format": "facsim-model-2"}, "upgrade facsim"),
        ({"format": "else-1"}, "expected 'facsim-model-1'"),
        ({"name": "other"}, "is the manifest of 'other@1.0.0'"),
        ({"version": "1.0.1"}, "is the manifest of 'toy@1.0.1'"),
        ({"licence": "\x1b[2J"}, "is of another kind"),
        ({"plugin": "mine.py"}, "is of another kind"),
        ({"summary": {}}, "summary"),
        ({"summary": {**SUMMARY, "events": "\x1b]0;owned\x07"}}, "summary"),
        ({"summary": {**SUMMARY, "conditions": [{"name": 1}]}}, "summary"),
    ],
)
def test_hostile_manifests_are_refused(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    root = tmp_path / "here"
    put(root, "1.0.0", tmp_path)
    (tmp_path / "secret").write_bytes(b"abc")
    changed(root, **changes)
    with pytest.raises(FacsimError, match=words):
        fetch("toy", root)
    listed = list_models(root)
    assert not listed["models"]
    assert re.search(words, listed["problems"][0])


@pytest.mark.parametrize("text", [b"", b"{}", b"[]", b"{", b"[" * 10_000, b'{"format": "facsim-model-1"}'])
def test_what_is_no_manifest(text: bytes) -> None:
    with pytest.raises(FacsimError):
        read_manifest(text, "manifest.json", "toy", "1.0.0")


def test_links_are_refused(tmp_path: Path) -> None:
    root = tmp_path / "here"
    put(root, "1.0.0", tmp_path)
    card = root / "toy" / "1.0.0" / "card.json"
    card.rename(tmp_path / "outside.json")
    card.symlink_to(tmp_path / "outside.json")
    with pytest.raises(FacsimError, match="is a link"):
        fetch("toy", root)
    (root / "toy" / "1.0.0").rename(tmp_path / "moved")
    (tmp_path / "outside.json").rename(tmp_path / "moved.json")
    (root / "toy" / "1.0.0").symlink_to(tmp_path / "moved")
    with pytest.raises(FacsimError, match="is a link"):
        fetch("toy@1.0.0", root)


def test_files_that_have_no_place_in_a_model_are_not_saved(tmp_path: Path) -> None:
    def wrong(folder: Path) -> None:
        (folder / "code.py").write_text("print('owned')")
        fill(folder, "toy", "1.0.0")

    (tmp_path / "scratch").mkdir()
    with pytest.raises(FacsimError, match=r"'code.py', which is no file of a model"):
        publish(tmp_path / "here", "toy", "1.0.0", wrong, tmp_path / "scratch")


def test_names_are_looked_for_in_order(tmp_path: Path, memory: str, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "first", "1.0.0", tmp_path)
    put(memory, "9.0.0", tmp_path)
    put(memory, "99.0.0", tmp_path, name="par04")
    monkeypatch.setenv("FACSIM_MODELS", f"{tmp_path}/first, {memory}, s3-that-is-not://x")
    assert fetch("toy").manifest.version == "1.0.0"
    assert fetch("toy@9.0.0").root == memory
    assert fetch("par04").root == str(SHIPPED)  # nobody takes the place of what ships
    found = list_models()
    assert [(row["name"], row["version"], row["hidden"]) for row in found["models"]] == [
        ("par04", "1.0.0", False), ("toy", "1.0.0", False), ("par04", "99.0.0", True), ("toy", "9.0.0", True),
    ]  # fmt: skip
    assert "s3-that-is-not" in found["problems"][0]
    with pytest.raises(FacsimError, match=r"'s3-that-is-not://x' cannot be reached"):
        fetch("unknown")
    with pytest.raises(FacsimError, match=r"'s3-that-is-not://x' cannot be reached"):
        list_models("s3-that-is-not://x")


def test_a_version_that_was_replaced_at_its_origin_is_told(tmp_path: Path, memory: str) -> None:
    put(memory, "1.0.0", tmp_path)
    fetch("toy", memory)
    fsspec.filesystem("memory").rm("/facsim-models/public/toy/1.0.0", recursive=True)
    put(memory, "1.0.0", tmp_path, content=b"replaced")
    with pytest.raises(FacsimError, match="after removing"):
        fetch("toy", memory)


def test_the_manifest_says_what_is_there(tmp_path: Path) -> None:
    put(tmp_path / "here", "1.0.0", tmp_path)
    manifest = open_place(tmp_path / "here").manifest("toy", "1.0.0")
    assert read_manifest(json.dumps(manifest.to_dict()).encode(), "x", "toy", "1.0.0") == manifest
    assert manifest.bytes == sum(len(f"weights{name}") for name in manifest.files)
    assert replace(manifest, name="b").reference == "b@1.0.0"
    assert fetching.cache_folder(open_place("memory://a"), "toy", "1.0.0") != fetching.cache_folder(
        open_place("memory://b"), "toy", "1.0.0"
    )
