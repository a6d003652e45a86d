"""Small ONNX files made for one test each; the package onnx is needed for nothing else."""

from __future__ import annotations

import numpy as np
import pytest

WEIGHTS = np.random.default_rng(7).normal(size=(3, 3)).astype(np.float32)
MEAN_OF_CHANNELS = (("GlobalAveragePool", "x", "pooled"), ("Flatten", "pooled", "means"))
LINEAR = (*MEAN_OF_CHANNELS, ("MatMul", "means weights", "y"))
TWO_OUTPUTS = {
    "nodes": (*LINEAR, ("Softmax", "y", "z"), ("Neg", "y", "negative")),
    "outputs": {"y": ("FLOAT", [1, 3]), "z": ("FLOAT", [1, 3]), "negative": ("FLOAT", [1, 3])},
}


def model(nodes=LINEAR, inputs=None, outputs=None, opset=13, weights=(("weights", WEIGHTS),)):
    """A net from an RGB picture to three logits, with changes, as onnx's ModelProto.

    nodes: (operation, inputs, outputs) or with a dictionary of attributes and, as its "domain", whose operation it is.
    inputs, outputs: name -> (type, shape).
    """
    onnx = pytest.importorskip("onnx")
    helper = onnx.helper

    def values(named):
        return [helper.make_tensor_value_info(n, onnx.TensorProto.DataType.Value(t), s) for n, (t, s) in named.items()]

    graph = helper.make_graph(
        [helper.make_node(op, i.split(), o.split(), **(rest[0] if rest else {})) for op, i, o, *rest in nodes],
        "net",
        values(inputs or {"x": ("FLOAT", [1, 3, 24, 24])}),
        values(outputs or {"y": ("FLOAT", [1, 3])}),
        [onnx.numpy_helper.from_array(array, name) for name, array in weights],
    )
    opsets = [helper.make_opsetid("", opset)]
    opsets += [helper.make_opsetid(domain, 1) for domain in {n.domain for n in graph.node} - {""}]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def in_another_file(where: str):
    """The same, with its weights in the file `where`."""
    import onnx

    changed = model()
    (tensor,) = changed.graph.initializer
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=where)
    return changed


def declaring(*dims: int, element: int = 1, raw: bytes = b""):
    """The same, with weights said to be of this shape and type of onnx.proto, and these bytes there."""
    changed = model()
    (tensor,) = changed.graph.initializer
    tensor.raw_data, tensor.data_type = raw, element
    tensor.dims[:] = dims
    return changed
