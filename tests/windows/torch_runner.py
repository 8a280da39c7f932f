"""Run by the Windows Python: model DLLs through torch's own loaders. Prints one JSON object."""

import json
import sys
from collections.abc import Callable
from typing import Any

import torch

WIDTH = 64


def first(results: Any) -> list[float]:
    return [float(value) for value in results[0].flatten()]


def error_of(action: Callable[[], object]) -> str:
    try:
        action()
    except RuntimeError as error:
        return str(error)
    return ""


def with_runner(dll: str) -> dict[str, Any]:
    """What AOTIModelContainerRunnerCpu does with the weights that the DLL found."""
    runner = torch._C._aoti.AOTIModelContainerRunnerCpu(dll, 2)
    names = runner.get_constant_names_to_original_fqns()
    x = torch.ones(2, WIDTH)
    original = {name: tensor.clone() for name, tensor in constants_of(dll).items()}
    told: dict[str, Any] = {"fqns": sorted(names.values()), "found": first(runner.run([x]))}

    def scaled(factor: float) -> dict[str, torch.Tensor]:
        return {name: original[fqn] * factor for name, fqn in names.items()}

    runner.update_constant_buffer(scaled(2), False, True)
    told["updated"] = first(runner.run([x]))
    runner.update_constant_buffer(scaled(3), True, True)
    told["inactive_waits"] = first(runner.run([x]))
    runner.swap_constant_buffer()
    told["swapped"] = first(runner.run([x]))
    runner.free_inactive_constant_buffer()
    told["freed"] = first(runner.run([x]))
    kept = scaled(4)
    runner.update_constant_buffer(kept, False, True, True)
    told["user_managed"] = first(runner.run([x]))
    for tensor in kept.values():
        tensor.zero_()
    told["user_managed_zeroed"] = first(runner.run([x]))
    told["extract"] = error_of(lambda: runner.extract_constants_map(False))
    wrong = {name: tensor[..., :1].clone() for name, tensor in scaled(1).items()}
    told["wrong_shape"] = error_of(lambda: runner.update_constant_buffer(wrong, False, True))
    told["after_errors"] = first(runner.run([x]))
    return told


def constants_of(dll: str) -> dict[str, torch.Tensor]:
    """The program's constants by fully qualified name, from the file beside the DLL."""
    return dict(torch.load(dll + ".constants"))


def with_package(package: str, constants: dict[str, torch.Tensor]) -> dict[str, Any]:
    """What aoti_load_package does with the same model in a .pt2."""
    compiled = torch._inductor.aoti_load_package(package)
    x = torch.ones(2, WIDTH)
    told: dict[str, Any] = {"found": first(compiled(x))}
    scaled = {name: tensor * 2 for name, tensor in constants.items()}
    compiled.load_constants(scaled, check_full_update=True, user_managed=True)
    told["user_managed"] = first(compiled(x))
    compiled.load_constants(
        {name: tensor * 3 for name, tensor in constants.items()}, check_full_update=True
    )
    told["copied"] = first(compiled(x))
    return told


def with_folding(dll: str, constants: dict[str, torch.Tensor]) -> dict[str, Any]:
    runner = torch._C._aoti.AOTIModelContainerRunnerCpu(dll, 1)
    x = torch.ones(2, 8)
    told: dict[str, Any] = {"found": first(runner.run([x]))}
    names = runner.get_constant_names_to_original_fqns()
    scaled = {name: constants[fqn] * 2 for name, fqn in names.items() if fqn in constants}
    runner.update_constant_buffer(scaled, True, True)
    runner.swap_constant_buffer()
    told["folded"] = first(runner.run([x]))
    return told


if __name__ == "__main__":
    counting, package, folding = sys.argv[1:]
    torch.set_grad_enabled(False)
    results = {
        "runner": with_runner(counting),
        "package": with_package(package, constants_of(counting)),
        "folding": with_folding(folding, constants_of(folding)),
    }
    print(json.dumps(results))
