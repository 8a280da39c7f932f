"""Which run time a model gets: our own where it has all that the model calls, or torch's."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from aotwin.errors import ConfigurationError
from aotwin.stages.runtime.library import run_time_functions


@dataclass(frozen=True)
class Choice:
    """The run time of one model."""

    own: bool
    #: what decided against our own, for the user; "" where nothing did
    remark: str = ""


def choose_run_time(
    model: str, wanted: str, called: Iterable[str], *, fallbacks: Iterable[str] = ()
) -> Choice:
    """Decide on a model's run time.

    Args:
        model: its name, for messages.
        wanted: "own", "torch" or "auto".
        called: functions of the run time that its compiled code calls, for all CPU levels.
        fallbacks: operators that only torch's proxy executor can call.

    Raises:
        ConfigurationError: our own is wanted, and lacks something.
    """
    if wanted == "torch":
        return Choice(own=False)
    lacking = sorted({*fallbacks, *map(_operator, set(called) - run_time_functions())})
    if not lacking:
        return Choice(own=True)
    names = ", ".join(lacking)
    if wanted == "own":
        raise ConfigurationError(
            f"{model} cannot do without torch",
            cause=f"aotwin's own run time has no {names}",
            next_step='Say runtime = "torch" (or "auto"), or write the model without these '
            "operators; docs/reference/operators.md lists those that there are.",
        )
    return Choice(own=False, remark=f"{model} runs over torch, whose operators it needs: {names}")


def _operator(function: str) -> str:
    """How a user knows a C function: `aoti_torch_cpu_cholesky_solve` -> "cholesky_solve"."""
    return function.removeprefix("aoti_torch_").removeprefix("cpu_")
