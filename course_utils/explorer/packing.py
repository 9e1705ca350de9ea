"""Arrays as text: base64 inside JSON, kernels in as many bytes a number as a page has room for."""

import base64

import numpy as np

BYTES = {"float32": 4, "float16": 2, "uint8": 1}


def rounded(described: list[dict], kind: str) -> list[dict]:
    """The same layers with kernels as they are after a journey as ``"float32"``, ``"float16"`` or ``"uint8"``.

    A byte counts in steps between the least and the largest weight that leads to one output.
    """
    return [layer | {"kernel": _unpacked(layer["kernel"], kind)} if "kernel" in layer else layer for layer in described]


def _steps(kernel):
    flat = kernel.reshape(-1, kernel.shape[-1])
    low = flat.min(axis=0)
    return low, np.maximum((flat.max(axis=0) - low) / 255, 1e-12).astype(np.float32)


def _unpacked(kernel, kind):
    if kind != "uint8":
        return kernel.astype(kind).astype(np.float32)
    low, step = _steps(kernel)
    return (low + np.rint((kernel - low) / step) * step).astype(np.float32)


def text_of(described: list[dict], kind: str) -> list[dict]:
    """The description as JSON can hold it: kernels in base64 as numbers of this kind, all else in base64 of float32."""
    return [
        {name: _text(name, value, kind) if isinstance(value, np.ndarray) else value for name, value in layer.items()}
        for layer in described
    ]


def _text(name, values, kind):
    packed = {"kind": kind if name == "kernel" else "float32", "shape": values.shape}
    if packed["kind"] == "uint8":
        low, step = _steps(values)
        packed |= {"low": base64_of(low, "float32"), "step": base64_of(step, "float32")}
        values = np.rint((values - low) / step)
    return packed | {"text": base64_of(values, packed["kind"])}


def base64_of(values: np.ndarray, kind: str) -> str:
    """Little-endian numbers of this kind in base64."""
    return base64.b64encode(np.asarray(values).astype(np.dtype(kind).newbyteorder("<")).tobytes()).decode()
