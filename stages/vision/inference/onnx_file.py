"""What stands in an ONNX file, read without loading the model: its inputs, its outputs, and where its weights are.

The file is a protobuf message, and the package protobuf, which LiteRT requires too, parses it. `_SCHEMA` names only the
fields that are looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from math import prod
from pathlib import Path

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError, Message

from ...names import short
from .card import DTYPES, Card, chosen_output
from .digest import LARGEST_BYTES
from .fields import CardError, require_file
from .model import check_input

NEWEST_OPSET = 28  # of the operations of ONNX itself: the newest that the tested versions of the runtimes know
NUMBERS = {1: "float32", 2: "uint8", 3: "int8", 6: "int32", 7: "int64", 10: "float16", 11: "float64"}
_OURS = {"float16": "float32", "float64": "float32"}  # a net of these is given the card's float32, converted
_DOMAINS = ("", "ai.onnx", "ai.onnx.ml", "com.microsoft")  # whose operations come with a runtime
# Bits of a stored number, by the codes of onnx.proto; text, whose length is anything, counts as 1.
_BITS = {1: 32, 2: 8, 3: 8, 4: 16, 5: 16, 6: 32, 7: 64, 8: 1, 9: 8, 10: 16, 11: 64, 12: 32, 13: 64, 14: 64, 15: 128}
_BITS |= {16: 16, 17: 8, 18: 8, 19: 8, 20: 8, 21: 4, 22: 4, 23: 4, 24: 8, 25: 2, 26: 2}
_MOST_AXES = 32
_EXTERNAL = 1
_PLAIN = {
    "int": descriptor_pb2.FieldDescriptorProto.TYPE_INT64,
    "text": descriptor_pb2.FieldDescriptorProto.TYPE_STRING,
    "bytes": descriptor_pb2.FieldDescriptorProto.TYPE_BYTES,
}
_SCHEMA = {  # message -> field: (number in onnx.proto, type, whether repeated)
    "Model": {
        "opsets": (8, "Opset", True),
        "producer": (2, "text", False),
        "graph": (7, "Graph", False),
        "metadata": (14, "Entry", True),
        "functions": (25, "Function", True),
    },
    "Opset": {"domain": (1, "text", False), "version": (2, "int", False)},
    "Entry": {"key": (1, "text", False), "value": (2, "text", False)},
    "Function": {"nodes": (7, "Node", True), "domain": (10, "text", False)},
    "Graph": {
        "nodes": (1, "Node", True),
        "tensors": (5, "Tensor", True),
        "sparse": (15, "Sparse", True),
        "inputs": (11, "Value", True),
        "outputs": (12, "Value", True),
    },
    "Node": {
        "inputs": (1, "text", True),
        "outputs": (2, "text", True),
        "operation": (4, "text", False),
        "domain": (7, "text", False),
        "attributes": (5, "Attribute", True),
    },
    "Attribute": {
        "tensor": (5, "Tensor", False),
        "graph": (6, "Graph", False),
        "tensors": (10, "Tensor", True),
        "graphs": (11, "Graph", True),
        "sparse": (22, "Sparse", False),
        "sparses": (23, "Sparse", True),
    },
    "Sparse": {"values": (1, "Tensor", False), "indices": (2, "Tensor", False)},
    "Tensor": {
        "dims": (1, "int", True),
        "element": (2, "int", False),
        "name": (8, "text", False),
        "raw": (9, "bytes", False),
        "stored_in": (13, "Entry", True),
        "location": (14, "int", False),
    },
    "Value": {"name": (1, "text", False), "type": (2, "Type", False)},
    "Type": {"tensor": (1, "TensorType", False)},
    "TensorType": {"element": (1, "int", False), "shape": (2, "Shape", False)},
    "Shape": {"sides": (1, "Side", True)},
    "Side": {"length": (1, "int", False), "variable": (2, "text", False)},
}


@dataclass(frozen=True, slots=True)
class Tensor:
    """One input or output of the net, as the file declares it."""

    name: str
    dtype: str | None  # as numpy calls it; None: it is no array of numbers
    shape: tuple[int | None, ...] | None  # None in it: any length; None for all of it: the file does not say


@dataclass(frozen=True, slots=True)
class OnnxFile:
    """A file that was parsed and is safe to open: one file, operations that come with a runtime."""

    content: bytes = field(repr=False)
    inputs: tuple[Tensor, ...]  # without the weights
    outputs: tuple[Tensor, ...]
    made_by: dict[str, str]  # name of an output -> the operation that computes it, such as Softmax
    producer: str
    metadata: dict[str, str]  # what its author wrote into it, by their own keys


@dataclass(frozen=True, slots=True)
class Declared:
    """What a file and a card agree on."""

    file: OnnxFile
    input: Tensor
    output: Tensor

    @property
    def input_shape(self) -> tuple[int | None, ...]:
        """As the file has it; four lengths of any size where it does not say."""
        return (None,) * 4 if self.input.shape is None else self.input.shape

    @property
    def input_dtype(self) -> str:
        """As a card has it."""
        return declared_dtype(self.input)


def declared_dtype(tensor: Tensor) -> str | None:
    """That of a net's input as a card has it."""
    return _OURS.get(tensor.dtype, tensor.dtype)


def inspect(card: Card) -> Declared:
    """Read the file of a card and find the input and the output that the card means; CardError if it cannot be used."""
    try:
        file = read(card.file)
        taken = picture_input(card.file, file)
    except CardError as error:
        raise CardError(f"{card.path}: {error}") from error
    declared = Declared(file, taken, file.outputs[chosen_output(card, [one.name for one in file.outputs])])
    if declared.output.dtype is None:
        raise CardError(
            f"{card.path}: output {declared.output.name} of {card.file.name} is no array of numbers; export the model"
            " without the step that makes it, such as ZipMap."
        )
    check_input(card, declared.input_shape, declared.input_dtype)
    return declared


def picture_input(path: Path, file: OnnxFile) -> Tensor:
    """The input of a file that was read from `path`; CardError if a picture cannot be put into it."""
    if len(file.inputs) != 1:
        several = f" ({', '.join(one.name for one in file.inputs[:20])})" if file.inputs else ""
        raise CardError(f"{path} has {len(file.inputs)} inputs{several}; export a model with one, a picture.")
    (taken,) = file.inputs
    if taken.shape is not None and len(taken.shape) != 4:
        shape = " x ".join("any" if side is None else str(side) for side in taken.shape)
        raise CardError(
            f"{path} takes {shape or 'a single number'}, which is no picture; export a model whose input has four axes."
        )
    if taken.shape is not None and taken.shape[0] not in (None, 1):
        raise CardError(
            f"{path} takes {taken.shape[0]} pictures at a time; export it with a batch of 1, or an open one."
        )
    if declared_dtype(taken) not in DTYPES:
        raise CardError(
            f"{path} takes {taken.dtype or 'no array of numbers'}; export it with an input of float32, uint8 or int8."
        )
    return taken


def read(path: Path) -> OnnxFile:
    """Parse a file; CardError, beginning with the file, if it is no ONNX model or must not be opened."""
    try:
        require_file(path)
        if path.stat().st_size > LARGEST_BYTES:
            raise CardError(f"{path} has more than {LARGEST_BYTES / 1e9:.0f} GB; put the right file there.")
        content = path.read_bytes()
        model = _messages()["Model"].FromString(content)
    except OSError as error:
        raise CardError(f"{path} cannot be read: {error.strerror}; put the right file there.") from error
    except DecodeError:
        raise _damaged(path) from None  # Its words are of the wire format, and do not help.
    if not model.HasField("graph") or not model.graph.outputs:
        raise _damaged(path)
    _refuse_outside(path, model)
    _refuse_wrong_sizes(path, model, len(content))
    _refuse_unknown_operations(path, model)
    _refuse_loose_ends(path, model.graph)
    weights = {tensor.name for tensor in model.graph.tensors}
    return OnnxFile(
        content=content,
        inputs=tuple(_tensor(value) for value in model.graph.inputs if value.name not in weights),
        outputs=tuple(map(_tensor, model.graph.outputs)),
        made_by=_made_by(model.graph),
        producer=model.producer,
        metadata={entry.key: entry.value for entry in model.metadata},
    )


def of_fixed_size(declared: Declared, shape: tuple[int, ...]) -> bytes:
    """The file with `shape` as that of its input, for a runtime that must know it when it opens a file."""
    model = _messages()["Model"].FromString(declared.file.content)
    (value,) = (value for value in model.graph.inputs if value.name == declared.input.name)
    fixed = value.type.tensor.shape
    fixed.Clear()
    for length in shape:
        fixed.sides.add(length=length)
    return model.SerializeToString()


def _damaged(path: Path) -> CardError:
    return CardError(f"{path} is not an ONNX model or is damaged; put the right file there.")


def _refuse_outside(path: Path, model: Message) -> None:
    """The hash of a card is of one file, and a path in a file from elsewhere may lead anywhere."""
    for tensor in _every(model, "Tensor"):
        if tensor.location == _EXTERNAL or tensor.stored_in:
            where = next((entry.value for entry in tensor.stored_in if entry.key == "location"), "elsewhere")
            raise CardError(
                f"{path} keeps weights in another file ({where[:60]!r}); save the model as one file, with"
                " onnx.save(onnx.load(FILE), NEW_FILE)."
            )


def _refuse_wrong_sizes(path: Path, model: Message, size: int) -> None:
    for tensor in _every(model, "Tensor"):
        bits, stored = _bits(tensor), len(tensor.raw) * 8
        if bits is None or bits > size * 8 or stored not in (0, -(-bits // 8) * 8):
            shape = " x ".join(map(str, tensor.dims[:8]))
            raise CardError(
                f"{path} declares weights of {shape or 1} numbers of type {tensor.element} and holds others; it is"
                " damaged, put the right file there."
            )


def _bits(tensor: Message) -> int | None:
    """What its numbers take; None for a type or a shape that cannot be."""
    if tensor.element not in _BITS or len(tensor.dims) > _MOST_AXES or any(side < 0 for side in tensor.dims):
        return None
    return prod(tensor.dims) * _BITS[tensor.element]


def _refuse_unknown_operations(path: Path, model: Message) -> None:
    newest = max((opset.version for opset in model.opsets if opset.domain in ("", "ai.onnx")), default=1)
    if newest > NEWEST_OPSET:
        raise CardError(
            f"{path} is of opset {newest}, and opsets up to {NEWEST_OPSET} are known here; export it with one of these."
        )
    known = {*_DOMAINS, *(function.domain for function in model.functions)}
    for node in _every(model, "Node"):
        if (domain := node.domain) not in known:
            raise CardError(
                f"{path} has the operation {node.operation} of {domain}, which no runtime here has; export the"
                " model without it."
            )


def _refuse_loose_ends(path: Path, graph: Message, outer: tuple[set[str], ...] = ()) -> None:
    """Every name must be of something that comes before it: OpenCV's dnn crashes over one that is not."""
    known = {"", *(value.name for value in graph.inputs), *(tensor.name for tensor in graph.tensors)}
    known |= {tensor.values.name for tensor in graph.sparse}
    scopes = (known, *outer)  # Of a graph in a graph, which sees the names around it.
    for node in graph.nodes:
        _refuse_unknown_names(path, node.inputs, scopes)
        for attribute in node.attributes:
            for inner in [*([attribute.graph] if attribute.HasField("graph") else []), *attribute.graphs]:
                _refuse_loose_ends(path, inner, scopes)
        known.update(node.outputs)
    _refuse_unknown_names(path, (value.name for value in graph.outputs), scopes)


def _refuse_unknown_names(path: Path, names: Iterable[str], scopes: tuple[set[str], ...]) -> None:
    for name in names:
        if not any(name in known for known in scopes):
            raise CardError(
                f"{path} uses {short(name)} before anything in it gives that; it is damaged, put the right file there."
            )


def _every(message: Message, kind: str) -> Iterator[Message]:
    """All messages of this kind within a message, at any depth."""
    if message.DESCRIPTOR.name == kind:
        yield message
    for described, value in message.ListFields():
        if described.message_type is not None:
            for inner in [value] if isinstance(value, Message) else value:
                yield from _every(inner, kind)


def _tensor(value: Message) -> Tensor:
    declared = value.type.tensor
    sides = tuple(side.length if side.length > 0 else None for side in declared.shape.sides)
    return Tensor(value.name, NUMBERS.get(declared.element), sides if declared.HasField("shape") else None)


def _made_by(graph: Message) -> dict[str, str]:
    """Steps that only reshape or copy are looked through."""
    nodes = {output: node for node in graph.nodes for output in node.outputs}
    made = {}
    for name in (value.name for value in graph.outputs):
        node, seen = nodes.get(name), set()
        while node is not None and node.operation in ("Identity", "Flatten", "Reshape", "Squeeze", "Cast"):
            before = node.inputs[0] if node.inputs else ""
            node = None if before in seen else nodes.get(before)
            seen.add(before)
        if node is not None:
            made[name] = node.operation
    return made


@cache
def _messages() -> dict[str, type[Message]]:
    """The classes of the messages of `_SCHEMA`."""
    file = descriptor_pb2.FileDescriptorProto(
        name="facepipe/onnx.proto", package="facepipe.onnx", syntax="proto3"
    )  # 3: checks UTF-8
    for name, fields in _SCHEMA.items():
        described = file.message_type.add(name=name)
        for key, (number, kind, repeated) in fields.items():
            one = described.field.add(name=key, number=number)
            one.label = one.LABEL_REPEATED if repeated else one.LABEL_OPTIONAL
            if kind in _PLAIN:
                one.type = _PLAIN[kind]
            else:
                one.type, one.type_name = one.TYPE_MESSAGE, f".facepipe.onnx.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"facepipe.onnx.{name}")) for name in _SCHEMA
    }
