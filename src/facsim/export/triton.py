"""A model repository of NVIDIA's Triton Inference Server: the graph, and the text that says how to serve it.

The layout and the text are those of Triton's documentation (`model_repository.md`, `model_configuration.md`); the text
is a `ModelConfig` of its `model_config.proto`.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from facsim.core.errors import FacsimError
from facsim.core.store import atomic_path
from facsim.export.guard import Port, check_graph

CONFIG, GRAPH = "config.pbtxt", "1/model.onnx"
TYPES = {"FLOAT": "TYPE_FP32", "DOUBLE": "TYPE_FP64", "BOOL": "TYPE_BOOL", "INT64": "TYPE_INT64"}
DELAY_MICROSECONDS = 500
"""How long a request waits for others that it could be computed with."""


def write_triton(graph: Path, card: Mapping[str, Any], folder: Path, name: str, batch: int) -> list[Path]:
    """Write `folder`/`name`, atomically, with the graph as version 1 and its `config.pbtxt`; what was written.

    Args:
        graph: ONNX file, whose first axes are the batch. card: that it came with.
        folder: the server's `--model-repository`. name: of the model for clients. batch: largest batch of a call.

    Raises:
        FacsimError: the graph is refused (`export.guard`), or its batch is fixed.
    """
    text = triton_config(graph, card, name, batch)
    target = folder / name
    with atomic_path(target / GRAPH) as temporary:
        shutil.copyfile(graph, temporary)
    with atomic_path(target / CONFIG) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return [target / CONFIG, target / GRAPH]


def triton_config(graph: Path, card: Mapping[str, Any], name: str, batch: int) -> str:
    """The text of `config.pbtxt`; arguments and errors as of `write_triton`."""
    facts = check_graph(graph, card)
    for end, port in {**facts.inputs, **facts.outputs}.items():
        if not port.shape or port.shape[0] is not None or 0 in port.shape or port.dtype not in TYPES:
            raise FacsimError(
                f"'{end}' of the graph '{graph}' is {port.dtype} {list(port.shape)}: to be served its first axis has "
                f"to be the batch, of any size, no other may be of length 0, and its type is one of {list(TYPES)}."
            )
    output = {card["output"]["name"]: card["output"]["shape"]}
    lines = [
        f"name: {_quoted(name)}",
        'platform: "onnxruntime_onnx"',
        f"max_batch_size: {batch}",
        *_ports("input", facts.inputs, {}),
        *_ports("output", facts.outputs, output),
        f"dynamic_batching {{ max_queue_delay_microseconds: {DELAY_MICROSECONDS} }}",
        "instance_group [ { kind: KIND_AUTO count: 1 } ]",
        *_parameters(card),
    ]
    return "\n".join(lines) + "\n"


def _ports(kind: str, ports: Mapping[str, Port], known: Mapping[str, Any]) -> list[str]:
    """Inputs or outputs without their batch; axes that the graph leaves free as in the card, where that says more."""
    entries = []
    for name, port in ports.items():
        said = known.get(name, port.shape)
        dims = [s if n is None and isinstance(s, int) else n for n, s in zip(port.shape, said, strict=True)][1:]
        # what has the batch as its only axis is one number an event, and Triton wants an axis for that
        shape = ", ".join("-1" if n is None else str(n) for n in dims) or "1"
        reshape = "" if dims else " reshape { shape: [ ] }"
        entries.append(f"  {{ name: {_quoted(name)} data_type: {TYPES[port.dtype]} dims: [ {shape} ]{reshape} }}")
    return [f"{kind} [", ",\n".join(entries), "]"]


def _parameters(card: Mapping[str, Any]) -> list[str]:
    """For clients, who get them with the model's configuration: how to draw the noise, and what conditions mean."""
    noise = {part["name"]: part["distribution"] for part in card["inputs"].get("noise", [])}
    columns = card["inputs"].get("condition", {}).get("columns", [])
    facts = {f"noise.{name}": kind for name, kind in noise.items()}
    facts |= {"conditions": json.dumps([[c["name"], c["unit"], c["min"], c["max"]] for c in columns])}
    return [
        f"parameters {{ key: {_quoted(key)} value {{ string_value: {_quoted(text)} }} }}" for key, text in facts.items()
    ]


def _quoted(text: str) -> str:
    """A string of protobuf's text format; of non-ASCII characters and quotes JSON's escapes are also its own."""
    return json.dumps(str(text)[:100_000])
