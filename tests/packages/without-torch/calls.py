"""The same arguments on Linux and on Windows, with or without torch; results as plain lists."""

import numpy as np


def wave(*shape: int) -> np.ndarray:
    """Numbers between -1 and 1 that are the same on every machine."""
    count = int(np.prod(shape))
    steps = (np.arange(count) * 37 % 101 - 50) / 50
    return steps.astype(np.float32).reshape(shape)


def nested_call(rows: int):
    """Arguments and keyword arguments, arrays of numpy's."""
    points = {"x": wave(rows, 24), "shift": wave(48)[::-1].copy()}
    at = np.array([1, 30, 7], dtype=np.int64)
    return (points, None), {"mask": wave(rows, 32) + 1, "at": at}


def listed(value):
    """Nested results with lists in the place of arrays and tensors."""
    if isinstance(value, dict):
        return {key: listed(each) for key, each in value.items()}
    if isinstance(value, tuple):
        return [listed(each) for each in value]
    return value.tolist() if hasattr(value, "tolist") else value


def kinds(value):
    """The same with the types of arrays and tensors."""
    if isinstance(value, dict):
        return {key: kinds(each) for key, each in value.items()}
    if isinstance(value, tuple):
        return [kinds(each) for each in value]
    name = f"{type(value).__module__.partition('.')[0]}.{type(value).__name__}"
    return f"{name} {value.dtype}" if hasattr(value, "dtype") else name
