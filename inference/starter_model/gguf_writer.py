"""Writes GGUF version 3 files: metadata, then tensors in F32 or Q8_0."""

import struct
from pathlib import Path

import numpy

ALIGNMENT = 32
F32, Q8_0 = 0, 8  # tensor types
Q8_BLOCK = 32

_UINT32, _FLOAT32, _BOOL, _STRING, _ARRAY, _INT32 = 4, 6, 7, 8, 9, 5


def _string(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def _value(value) -> bytes:
    """Type number and value. int is uint32; a list takes its type from its first element."""
    if isinstance(value, bool):
        return struct.pack("<I?", _BOOL, value)
    if isinstance(value, int):
        return struct.pack("<II", _UINT32, value)
    if isinstance(value, float):
        return struct.pack("<If", _FLOAT32, value)
    if isinstance(value, str):
        return struct.pack("<I", _STRING) + _string(value)
    if isinstance(value, list):
        kind, encode = {
            str: (_STRING, _string),
            float: (_FLOAT32, lambda item: struct.pack("<f", item)),
            int: (_INT32, lambda item: struct.pack("<i", item)),
        }[type(value[0])]
        return struct.pack("<IIQ", _ARRAY, kind, len(value)) + b"".join(map(encode, value))
    raise TypeError(f"gguf_writer: no GGUF type for {type(value).__name__}")


def quantize_q8_0(values: numpy.ndarray) -> bytes:
    """Blocks of 32 along the last axis: an f16 scale, then 32 int8. The last axis is a multiple of 32."""
    blocks = values.astype(numpy.float32).reshape(-1, Q8_BLOCK)
    scale = (numpy.abs(blocks).max(1) / 127).astype(numpy.float16)
    divisor = scale.astype(numpy.float32)
    inverse = numpy.divide(1, divisor, out=numpy.zeros_like(divisor), where=divisor > 0)
    quants = numpy.clip(numpy.rint(blocks * inverse[:, None]), -127, 127).astype(numpy.int8)
    table = numpy.empty(len(blocks), [("scale", "<f2"), ("quants", "i1", Q8_BLOCK)])
    table["scale"], table["quants"] = scale, quants
    return table.tobytes()


def dequantize_q8_0(values: numpy.ndarray) -> numpy.ndarray:
    """What a reader of the quantized values sees, in their shape."""
    table = numpy.frombuffer(quantize_q8_0(values), [("scale", "<f2"), ("quants", "i1", Q8_BLOCK)])
    return (table["scale"].astype(numpy.float32)[:, None] * table["quants"]).reshape(values.shape)


def write(path: Path, metadata: dict, tensors: dict[str, numpy.ndarray]) -> None:
    """Matrices become Q8_0, vectors stay F32. numpy's [rows, columns] is GGUF's (columns, rows)."""
    infos, blobs, offset = [], [], 0
    for name, values in tensors.items():
        kind = Q8_0 if values.ndim == 2 else F32
        blob = quantize_q8_0(values) if kind == Q8_0 else values.astype("<f4").tobytes()
        shape = values.shape[::-1]
        infos.append(_string(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset))
        blob += bytes(-len(blob) % ALIGNMENT)
        blobs.append(blob)
        offset += len(blob)
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(metadata))
    head += b"".join(_string(key) + _value(value) for key, value in metadata.items())
    head += b"".join(infos)
    head += bytes(-len(head) % ALIGNMENT)
    path.write_bytes(head + b"".join(blobs))
