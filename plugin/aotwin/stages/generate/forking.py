"""When a process that generates code can be forked, and how a fork of it goes on.

Part of the stage `generate`: torch is imported in functions only.
"""

from __future__ import annotations

import sys
import threading
from importlib import import_module
from typing import Any

from aotwin.stages.generate.inductor_isolation import quiet
from aotwin.stages.generate.torch_settings import nobody_registers

#: Threads that no fork misses: aotwin's own, and what the library for shared stores works with,
#: which nothing that a fork does has to do with.
_HARMLESS = ("aotwin", "fsspecIO")
#: what a lowering imports, in the end
_INDUCTOR = ("torch._inductor.compile_fx", "torch._inductor.codegen.cpp_wrapper_cpu")


def can_fork() -> bool:
    """Whether a fork of this process, where torch was imported, could generate code.

    A thread does not live on in a fork, and what it holds at that moment is held for ever: where a
    project's module has started one, nothing is forked. Neither where it has used a GPU.
    """
    if sys.platform != "linux" or threading.current_thread() is not threading.main_thread():
        return False
    import torch

    cuda: Any = torch.cuda
    if cuda.is_initialized():
        return False
    _stop_monitor()
    others = {*threading.enumerate()} - {threading.main_thread()}
    return all(thread.name.startswith(_HARMLESS) for thread in others)


def import_inductor() -> None:
    """Import what a lowering needs, for all forks to come."""
    with quiet(), nobody_registers():
        for name in _INDUCTOR:
            import_module(name)


def stay_on_one_thread() -> None:
    """Let torch compute on the calling thread alone.

    To be called first of all in a fork: OpenMP's threads did not come with it, and would be waited
    for.
    """
    import torch

    torch.set_num_threads(1)


def _stop_monitor() -> None:
    """End the thread of progress bars; the next bar starts another."""
    monitor = getattr(getattr(sys.modules.get("tqdm"), "tqdm", None), "monitor", None)
    if monitor is not None:
        monitor.exit()
