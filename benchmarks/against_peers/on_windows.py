"""Run by the Windows Python: one network through one engine, timed.

python on_windows.py ENGINE FOLDER NETWORK DTYPE THREADS SECONDS RESULT.npz FIGURES.json

FOLDER is what making.py wrote for the network. Imports nothing that the engine does not need: the
time from the start of the process to the first result is one of the figures.
"""

import ctypes
import sys
import time
from pathlib import Path


def since_start():
    """Seconds since this process was made."""
    kernel, times = ctypes.windll.kernel32, [ctypes.c_uint64() for _ in range(5)]
    kernel.GetProcessTimes(ctypes.c_void_p(-1), *map(ctypes.byref, times[:4]))
    kernel.GetSystemTimeAsFileTime(ctypes.byref(times[4]))
    return (times[4].value - times[0].value) / 1e7


PYTHON_READY = since_start()

import numpy as np  # noqa: E402  (when Python was ready is a figure)


class Region(ctypes.Structure):
    """MEMORY_BASIC_INFORMATION (winnt.h)."""

    _fields_ = (
        ("base", ctypes.c_uint64),
        ("allocation", ctypes.c_uint64),
        ("allocation_protect", ctypes.c_uint32),
        ("partition", ctypes.c_uint32),
        ("size", ctypes.c_uint64),
        ("state", ctypes.c_uint32),
        ("protect", ctypes.c_uint32),
        ("type", ctypes.c_uint32),
    )


MEM_COMMIT, MEM_PRIVATE = 0x1000, 0x20000


def private_memory():
    """Committed bytes of this process that belong to no file."""
    query, region = ctypes.windll.kernel32.VirtualQuery, Region()
    query.restype = ctypes.c_size_t
    address, found = 0, 0
    while query(ctypes.c_void_p(address), ctypes.byref(region), ctypes.c_size_t(48)):
        if region.state == MEM_COMMIT and region.type == MEM_PRIVATE:
            found += region.size
        address = region.base + region.size
    return found


class Task:
    """What is to be run."""

    def __init__(self, folder, network, dtype, threads):
        self.folder = folder
        self.package = f"{network}_{dtype}"
        self.dtype = dtype
        self.threads = int(threads)
        # Not in one archive: that is for a library that the engines would not need.
        self.arrays = [np.load(file) for file in sorted(Path(folder).glob("input*.npy"))]


# Each engine yields when it is imported, and then what runs the network once it is open.


def own(task):
    """Over the run time of our own; no torch."""
    from importlib import import_module

    sys.path.insert(0, task.folder + "\\own")
    module = import_module(task.package)
    arrays = task.arrays
    if task.dtype == "bfloat16":
        import ml_dtypes

        narrow = ml_dtypes.bfloat16
        arrays = [each.astype(narrow) if each.dtype == "f" else each for each in arrays]
    yield
    model = module.load(num_threads=task.threads)
    yield lambda: model(*arrays)


def torch(task):
    """The same over torch's run time."""
    from importlib import import_module

    tensors = tensors_of(task)
    sys.path.insert(0, task.folder + "\\torch")
    module = import_module(task.package)
    yield
    model = module.load()
    yield lambda: model(*tensors)


def eager(task):
    """The exported program in torch, operator by operator."""
    import torch

    tensors = tensors_of(task)
    yield
    model = torch.export.load(f"{task.folder}\\program_{task.dtype}.pt2").module()

    def run():
        with torch.no_grad():
            return model(*tensors)

    yield run


def tensors_of(task):
    """The inputs for torch, which is imported here."""
    import torch

    torch.set_num_threads(task.threads)
    tensors = [torch.from_numpy(each) for each in task.arrays]
    kind = getattr(torch, task.dtype)
    return [each.to(kind) if each.is_floating_point() else each for each in tensors]


def onnxruntime(task):
    import onnxruntime

    yield
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = task.threads
    session = onnxruntime.InferenceSession(
        task.folder + "\\model.onnx", options, providers=["CPUExecutionProvider"]
    )
    names = [each.name for each in session.get_inputs()]
    feeds = dict(zip(names, task.arrays, strict=True))
    yield lambda: session.run(None, feeds)[0]


def openvino(task, **settings):
    """As it comes: it may choose a lower precision."""
    from openvino import Core

    yield
    settings |= {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": task.threads}
    compiled = Core().compile_model(task.folder + "\\model.onnx", "CPU", settings)
    yield lambda: compiled(task.arrays)[0]


def openvino_float32(task):
    """Asked not to."""
    return openvino(task, INFERENCE_PRECISION_HINT="f32")


ENGINES = (own, torch, eager, onnxruntime, openvino, openvino_float32)


def array_of(result):
    if not isinstance(result, np.ndarray):
        result = result.float().numpy()
    return np.ascontiguousarray(result, dtype=np.float32)


def main():
    engine, folder, network, dtype, threads, seconds, output, told = sys.argv[1:]
    task = Task(folder, network, dtype, threads)
    started = since_start()
    before = private_memory()
    looked = since_start() - started
    engines = {each.__name__: each for each in ENGINES}
    steps = engines[engine](task)
    clock = time.perf_counter
    begin = clock()
    next(steps)
    imported = clock()
    run = next(steps)
    opened = clock()
    run()
    ran, first_result = clock(), since_start() - looked
    after_first = private_memory()
    for _ in range(9):
        result = run()
    after_ten = private_memory()
    np.savez(output, result=array_of(result))
    del result
    taken, end = [], clock() + float(seconds)
    while clock() < end or len(taken) < 10:
        start = clock()
        run()
        taken.append(clock() - start)
    taken.sort()
    import json

    figures = {
        "python_ready": PYTHON_READY,
        "inputs_ready": started,
        "first_result": first_result,
        "import": imported - begin,
        "open": opened - imported,
        "first_call": ran - opened,
        "private_after_first": after_first - before,
        "private_after_ten": after_ten - before,
        "median": taken[len(taken) // 2],
        "minimum": taken[0],
        "calls": len(taken),
    }
    Path(told).write_text(json.dumps(figures), encoding="utf-8")


main()
