"""The folder that Triton serves: its layout, and a text that is a ModelConfig with the graph's inputs and outputs."""

from __future__ import annotations

import json
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from facsim.config import run_config
from facsim.core.errors import FacsimError
from facsim.core.geometry import regular_cylinder
from facsim.core.image import regular_image
from facsim.core.schema import Feature, Schema, calorimeter_schema
from facsim.export.card import describe_model, describe_predictor, file_facts
from facsim.export.check import open_session
from facsim.export.onnx import export_onnx, export_predictor
from facsim.export.triton import triton_config, write_triton
from facsim.models import EventModel, Predictor
from facsim.models.checkpoint import build_model
from facsim.run import Run

pytest.importorskip("onnxruntime")
text_format = pytest.importorskip("google.protobuf.text_format")

KINDS = {"string": 9, "int32": 5, "int64": 3, "uint64": 4}
MESSAGES: dict[str, dict[str, str]] = {
    "ModelTensorReshape": {"shape": "int64*"},
    "ModelInput": {"name": "string", "data_type": "DataType", "dims": "int64*", "reshape": "ModelTensorReshape"},
    "ModelOutput": {"name": "string", "data_type": "DataType", "dims": "int64*", "reshape": "ModelTensorReshape"},
    "ModelDynamicBatching": {"preferred_batch_size": "int32*", "max_queue_delay_microseconds": "uint64"},
    "ModelInstanceGroup": {"name": "string", "kind": "Kind", "count": "int32", "gpus": "int32*"},
    "ModelParameter": {"string_value": "string"},
    "Entry": {"key": "string", "value": "ModelParameter"},
    "ModelConfig": {
        "name": "string", "platform": "string", "backend": "string", "max_batch_size": "int32", "input": "ModelInput*",
        "output": "ModelOutput*", "dynamic_batching": "ModelDynamicBatching",
        "instance_group": "ModelInstanceGroup*", "parameters": "Entry*",
    },
}  # fmt: skip
"""The part of Triton's `model_config.proto` that is written; `*` is repeated."""
ENUMS = {
    "DataType": "TYPE_INVALID TYPE_BOOL TYPE_UINT8 TYPE_UINT16 TYPE_UINT32 TYPE_UINT64 TYPE_INT8 TYPE_INT16 TYPE_INT32 "
    "TYPE_INT64 TYPE_FP16 TYPE_FP32 TYPE_FP64 TYPE_STRING TYPE_BF16",
    "Kind": "KIND_AUTO KIND_GPU KIND_CPU KIND_MODEL",
}


def own_message() -> Any:
    """An empty ModelConfig of `MESSAGES`."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory  # noqa: PLC0415

    file = descriptor_pb2.FileDescriptorProto(name="part_of_model_config.proto", package="part", syntax="proto3")
    for name, words in ENUMS.items():
        enum = file.enum_type.add(name=name)
        for number, word in enumerate(words.split()):
            enum.value.add(name=word, number=number)
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for number, (field, kind) in enumerate(fields.items(), 1):
            base = kind.removesuffix("*")
            label = 3 if kind.endswith("*") else 1
            where = {} if base in KINDS else {"type_name": f".part.{base}"}
            number_of = KINDS.get(base, 14 if base in ENUMS else 11)
            message.field.add(name=field, number=number, type=number_of, label=label, **where)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("part.ModelConfig"))()


def parsed(text: str) -> Any:
    return text_format.Parse(text, own_message())


def generative(tmp_path: Path, representation: str) -> tuple[Path, dict[str, Any]]:
    if representation == "grid":
        schema = calorimeter_schema(regular_cylinder("toy", "electron", 3, 4, 2, 5.0, 0.01))
    elif representation == "cloud":
        schema = Schema(
            "cloud", tuple(map(Feature, "abc")), (Feature("pt", "GeV"), Feature('odd "name"\u00e9')), points=5
        )
    else:
        schema = Schema("table", tuple(map(Feature, "ab")), (Feature("p", "MeV"),))
    torch.manual_seed(1)
    network = {"network": {"name": "epic", "width": 8, "depth": 1}} if representation == "cloud" else {}
    model = build_model("single-stage", schema, {"method": {"name": "flow-matching", "steps": 1, **network}})
    assert isinstance(model, EventModel)
    path = tmp_path / "model.onnx"
    export_onnx(model.eval(), path, 20)
    ranges = [{"name": c.name, "unit": c.unit, "min": 1.0, "max": 2.0} for c in schema.conditions]
    return path, {**describe_model(model, "single-stage", ranges), "graph": file_facts(path)}


@pytest.mark.parametrize("representation", ["grid", "table", "cloud"])
def test_inputs_and_outputs_without_their_batch(tmp_path: Path, representation: str) -> None:
    path, card = generative(tmp_path, representation)
    files = write_triton(path, card, tmp_path / "serving", "calo", 32)
    assert [str(file.relative_to(tmp_path)) for file in files] == [
        "serving/calo/config.pbtxt",
        "serving/calo/1/model.onnx",
    ]
    assert files[1].read_bytes() == path.read_bytes()
    found = parsed(files[0].read_text())
    assert (found.name, found.platform, found.max_batch_size) == ("calo", "onnxruntime_onnx", 32)
    wanted = {"condition": card["inputs"]["condition"]["shape"]}
    wanted |= {part["name"]: part["shape"] for part in card["inputs"]["noise"]}
    assert {port.name: ["batch", *port.dims] for port in found.input} == wanted
    assert [(port.name, list(port.dims)) for port in found.output] == [("events", card["output"]["shape"][1:])]
    assert {port.data_type for port in (*found.input, *found.output)} == {ENUMS["DataType"].split().index("TYPE_FP32")}
    assert found.dynamic_batching.max_queue_delay_microseconds > 0
    assert found.instance_group[0].count == 1
    facts = {entry.key: entry.value.string_value for entry in found.parameters}
    assert {f"noise.{part['name']}": part["distribution"] for part in card["inputs"]["noise"]}.items() <= facts.items()
    assert json.loads(facts["conditions"])[-1][0] == card["training_range"][-1]["name"]


def test_the_text_is_what_tritons_own_definition_reads(tmp_path: Path) -> None:
    client = find_spec("tritonclient")
    if client is None or not client.submodule_search_locations:
        pytest.skip("tritonclient is not installed")
    spec = spec_from_file_location(
        "model_config_pb2", Path(client.submodule_search_locations[0]) / "grpc/model_config_pb2.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    for representation in ("grid", "cloud"):
        text = triton_config(*generative(tmp_path, representation), "calo", 8)
        assert text_format.Parse(text, module.ModelConfig()).max_batch_size == 8


@pytest.mark.parametrize("representation", ["grid", "table", "cloud"])
def test_requests_may_be_put_into_one_batch(tmp_path: Path, representation: str) -> None:
    """What the server does with requests that come together changes nothing."""
    path, card = generative(tmp_path, representation)
    rng = np.random.default_rng(1)
    shapes = {part["name"]: part["shape"][1:] for part in card["inputs"]["noise"]}
    given = {name: rng.random((5, *shape), dtype=np.float32) for name, shape in shapes.items()}
    given["condition"] = rng.uniform(1, 2, (5, len(card["training_range"]))).astype(np.float32)
    session = open_session(path, card=card)
    together = session.run(None, given)[0]
    alone = [session.run(None, {name: a[k : k + 1] for name, a in given.items()})[0] for k in range(5)]
    np.testing.assert_allclose(together, np.concatenate(alone), rtol=1e-4, atol=1e-5)
    assert len(np.unique(together)) > 5


def test_a_predictor_is_served_too(tmp_path: Path) -> None:
    image = regular_image("toy", (-3.0, 3.0, 12), (-2.5, 2.5, 10), units=("rad", ""))
    schema = Schema("grid", (Feature("e", "GeV"),), (), image)
    options = {"teacher": {"name": "autoencoder", "widths": [2], "strides": [3], "latent": 2}, "outliers": "none"}
    small = {"network": {"name": "dense"}, "input": "regional", "regions": (2, 2)}
    model = build_model("student", schema, {**options, **small})
    assert isinstance(model, Predictor)
    path = tmp_path / "model.onnx"
    export_predictor(model.eval(), path, 20)
    found = parsed(triton_config(path, describe_predictor(model, "student", []), "anomaly", 8))
    assert [(port.name, list(port.dims)) for port in (*found.input, *found.output)] == [
        ("events", [120, 1]),
        ("scores", [1]),
    ]


def test_a_graph_of_another_card_or_of_one_batch_is_refused(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    path, card = generative(tmp_path, "table")
    with pytest.raises(FacsimError, match="has the shape"):
        triton_config(path, {**card, "output": {"name": "events", "shape": ["batch", 7]}}, "x", 1)
    fixed = onnx.load(str(path))
    fixed.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 3
    onnx.save(fixed, str(path))
    with pytest.raises(FacsimError, match="its first axis has to be the batch"):
        triton_config(path, {**card, "graph": file_facts(path)}, "x", 1)
    assert not (tmp_path / "serving").exists()


def test_a_run_says_which_files_it_leaves(tmp_path: Path) -> None:
    def files(**export: Any) -> list[str]:
        made = run_config({"task": "rich", "data": {"files": ["a.h5"]}, "export": export})
        return [str(path.relative_to(tmp_path)) for path in Run(tmp_path, made).triton_files]

    assert files() == files(triton=False) == []
    assert files(triton=True) == ["triton/surrogate/config.pbtxt", "triton/surrogate/1/model.onnx"]
    assert files(triton={"name": "calo"})[0] == "triton/calo/config.pbtxt"
    for wrong in ({"name": "../x"}, {"max_batch_size": 0}, {"batch": 1}, "yes"):
        with pytest.raises(ValueError, match="triton"):
            files(triton=wrong)
