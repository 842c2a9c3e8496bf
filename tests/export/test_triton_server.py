"""Triton's own server reads the folder and answers the client of the page.

The wheel `nvidia-pytriton` has the server without its ONNX Runtime backend, which comes in NVIDIA's containers only:
here ONNX Runtime's Python package takes its place, in Triton's Python backend. `FACSIM_TRITON_PYTHON` names the Python
of an environment with `nvidia-pytriton`, `tritonclient[http]` and `onnxruntime`; without it nothing is tested.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import numpy as np
import pytest

from facsim.export.check import open_session
from facsim.pipeline.models import serve_model

PYTHON = os.environ.get("FACSIM_TRITON_PYTHON", "")
pytestmark = pytest.mark.skipif(not PYTHON, reason="FACSIM_TRITON_PYTHON names no Python with nvidia-pytriton")
PAGE = Path(__file__).parents[2] / "docs" / "serving.md"

BACKEND = """
import json
import os
import onnxruntime
import triton_python_backend_utils as triton

class TritonPythonModel:
    def initialize(self, args):
        config = json.loads(args["model_config"])
        assert config["platform"] == "onnxruntime_onnx", config
        self.inputs, self.outputs = ([port["name"] for port in config[key]] for key in ("input", "output"))
        path = os.path.join(args["model_repository"], args["model_version"], "model.onnx")
        self.session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

    def execute(self, requests):
        made = []
        for request in requests:
            given = {name: triton.get_input_tensor_by_name(request, name).as_numpy() for name in self.inputs}
            arrays = zip(self.outputs, self.session.run(self.outputs, given))
            made.append(triton.InferenceResponse([triton.Tensor(name, array) for name, array in arrays]))
        return made
"""

MORE = """
given = {port.name(): np.frombuffer(port._get_binary_data(), "f4").reshape(port.shape()) for port in inputs}
np.savez("given.npz", **given)
np.save("events.npy", events)
"""


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, int]]:
    """Folder with `par04` that a server offers at a port."""
    folder, port = tmp_path_factory.mktemp("triton"), free_port()
    serve_model("par04", folder / "serving")
    ask = "import pytriton, sys; print(pytriton.__path__[0], f'{sys.version_info[0]}.{sys.version_info[1]}')"
    place, version = subprocess.run([PYTHON, "-c", ask], capture_output=True, text=True, check=True).stdout.split()
    server, backends = Path(place) / "tritonserver", folder / "backends"
    shutil.copytree(server / "backends" / "python", backends / "python")
    shutil.copy(server / "python_backend_stubs" / version / "triton_python_backend_stub", backends / "python")
    (backends / "onnxruntime").mkdir()
    (backends / "onnxruntime" / "model.py").write_text(BACKEND)
    site = Path(place).parent
    known = {"LD_LIBRARY_PATH": str(site / "nvidia_pytriton.libs"), "PYTHONPATH": str(site)}
    known["PATH"] = f"{Path(PYTHON).parent}{os.pathsep}{os.environ['PATH']}"
    options = {"model-repository": folder / "serving", "backend-directory": backends, "http-port": port}
    options |= {"allow-grpc": "false", "allow-metrics": "false", "http-address": "127.0.0.1"}
    command = [server / "bin" / "tritonserver", *(f"--{key}={value}" for key, value in options.items())]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, env={**os.environ, **known}, stdout=log, stderr=log)
        try:
            wait_for(port, process, folder / "log")
            yield folder, port
        finally:
            process.terminate()
            process.wait(60)


def wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(600):
        assert process.poll() is None, log.read_text()
        try:
            with urlopen(f"http://127.0.0.1:{port}/v2/health/ready") as answer:
                if answer.status == 200:
                    return
        except URLError:
            pass
        time.sleep(0.1)
    raise AssertionError(log.read_text())


def test_the_client_of_the_page_gets_the_events_of_the_graph(served: tuple[Path, int], tmp_path: Path) -> None:
    folder, port = served
    text = re.search(r"```text\n(import numpy.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert text is not None
    program = text[1].replace("localhost:8000", f"127.0.0.1:{port}") + MORE
    done = subprocess.run([PYTHON, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with np.load(tmp_path / "given.npz") as given:
        expected = open_session(folder / "serving" / "par04" / "1" / "model.onnx").run(None, dict(given))[0]
    events = np.load(tmp_path / "events.npy")
    assert events.shape == (16, 6480, 1)
    assert 0.9 < events.sum() / (16 * 20_000) < 1.02
    np.testing.assert_allclose(events, expected, rtol=1e-5, atol=1e-3)
