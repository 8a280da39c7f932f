"""A recorded call run again in eager torch, and written down as a case of the C function."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from case_file import DTYPES, TOLERANCES
from recording import Call, Captured, mapped
from shims import Parameter
from sources import PRODUCTS, REFUSED, TIES, UNSPECIFIED

#: torch's dtype -> torch's number
NUMBERS = {getattr(torch, name): number for number, (name, _, _) in DTYPES.items()}

#: Results that are random: C function without prefix -> [lowest, highest) of its arguments
_UNIT = (0.0, 1.0)
_ANY = (-40.0, 40.0)
RANDOM: Mapping[str, Callable[[Mapping[str, Any]], tuple[float, float]]] = {
    "rand": lambda _: _UNIT,
    "rand_generator": lambda _: _UNIT,
    "rand_like": lambda _: _UNIT,
    "rand_like_generator": lambda _: _UNIT,
    "randn": lambda _: _ANY,
    "randn_generator": lambda _: _ANY,
    "randn_like": lambda _: _ANY,
    "randn_like_generator": lambda _: _ANY,
    "normal_functional": lambda a: (a["mean"] - 40 * a["std"], a["mean"] + 40 * a["std"] + 1e-9),
    "uniform": lambda a: (a["from"], a["to"]),
    "exponential": lambda a: (0.0, 100.0 / a["lambd"]),
    "randint": lambda a: (0, a["high"]),
    "randint_generator": lambda a: (0, a["high"]),
    "randint_low": lambda a: (a["low"], a["high"]),
    "randint_low_out": lambda a: (a["low"], a["high"]),
    "randint_like": lambda a: (0, a["high"]),
    "randint_like_low_dtype": lambda a: (a["low"], a["high"]),
    "bernoulli__float": lambda _: (0, 1.5),
    "bernoulli__Tensor": lambda _: (0, 1.5),
}

#: nothing but dtype, sizes and strides is promised
_UNFILLED = frozenset({"new_empty", "resize_", "resize_as_"})


class SkipError(Exception):
    """The call cannot be made a case; the reason is the text."""


@dataclass
class Data:
    """The bytes of all tensors, each kept once."""

    content: bytearray = field(default_factory=bytearray)
    _places: dict[bytes, int] = field(default_factory=dict)

    def descriptor(self, captured: Captured) -> list[Any]:
        if captured.dtype not in NUMBERS:
            raise SkipError(f"dtype {captured.dtype}")
        digest = hashlib.sha256(captured.data).digest()
        place = self._places.get(digest)
        if place is None:
            self.content += b"\0" * (-len(self.content) % 16)
            place = self._places[digest] = len(self.content)
            self.content += captured.data
        return [
            NUMBERS[captured.dtype],
            list(captured.sizes),
            list(captured.strides),
            captured.offset,
            place,
            len(captured.data),
        ]


def short(name: str) -> str:
    """A C function's name without its prefix."""
    return name.removeprefix("aoti_torch_cpu_").removeprefix("aoti_torch_aten_")


def as_case(call: Call, data: Data) -> dict[str, Any]:
    """Run a call in eager torch and write it down.

    Raises:
        SkipError: it cannot be one.
    """
    optional = False
    values = _through_c(call)
    if call.error:
        _raises(call, values)
        return _inputs(call, values, data)
    try:
        outcome = _run(call, values)
    except Exception as refused:
        # numbers are double in the C interface, which some operators refuse for integers
        optional = True
        try:
            outcome = _run(call, dict(call.arguments))
        except Exception as error:
            raise SkipError(f"torch raises: {str(error)[:100]}") from refused
    case = _inputs(call, values | outcome.outputs, data)
    name = short(call.shim.name)
    if name in _UNFILLED:
        case["check"] = "unfilled"
    elif name in RANDOM:
        case["check"] = ["random", *map(float, RANDOM[name](call.arguments))]
    elif name == "native_dropout" and call.arguments["train"] is not False:
        case["check"] = ["dropout", call.arguments["p"]]
    elif name == "randperm":
        case["check"] = "shuffled"
    elif name == "sort_stable" and call.arguments["stable"] is True:
        pass
    elif name in TIES and len(outcome.returns) == 2:
        case["check"] = [TIES[name], _dimension(call)]
    case["returns"] = [
        data.descriptor(one) if isinstance(one, Captured) else one for one in outcome.returns
    ]
    for place in UNSPECIFIED.get(name, ()):
        case["returns"][place] = None
    if outcome.writes:
        case["writes"] = [
            [place, data.descriptor(after)] for place, after in _placed(case, call, outcome)
        ]
    if outcome.aliases:
        case["aliases"] = [
            [result, _number_of(call, case, name)] for result, name in outcome.aliases
        ]
    if optional or call.dtype in REFUSED.get(name, ()):
        case["optional"] = True
    if "check" not in case:
        _accuracy(call, outcome, case, data)
    return case


@dataclass
class _Outcome:
    returns: list[Any]
    #: written argument -> what it holds afterwards
    writes: dict[str, Captured]
    #: (number of the result, name of the argument whose memory it shows)
    aliases: list[tuple[int, str]]
    #: arguments that are made for the call: the results of an out form
    outputs: dict[str, Captured]
    #: tensors of torch, for the accuracy
    results: list[Any]


def _through_c(call: Call) -> dict[str, Any]:
    """The arguments as the C interface can express them: numbers become double."""
    values = dict(call.arguments)
    for parameter in call.shim.parameters:
        value = values.get(parameter.name)
        if parameter.kind in ("d", "d?") and value is not None:
            if isinstance(value, Captured):
                raise SkipError("a tensor for a number")
            values[parameter.name] = float(value)
    return values


def _raises(call: Call, values: dict[str, Any]) -> None:
    function = call.shim.functional or call.shim.overload
    arguments = {name: mapped(value, Captured.tensor) for name, value in values.items()}
    try:
        function(**_passed(function, arguments))
    except Exception:
        if call.shim.is_form:
            # some result, of a size that may be right
            values["out"] = values.get("self") or Captured.of(torch.zeros(1))
        return
    raise SkipError("torch does not raise")


def _passed(function: Any, arguments: Mapping[str, Any]) -> dict[str, Any]:
    names = {argument.name for argument in function._schema.arguments}
    return {name: value for name, value in arguments.items() if name in names}


def _run(call: Call, values: Mapping[str, Any]) -> _Outcome:
    shim = call.shim
    outputs: dict[str, Captured] = {}
    if shim.is_form:
        outputs = _made_outputs(call, values)
    arguments = {name: mapped(v, Captured.tensor) for name, v in {**values, **outputs}.items()}
    before = {
        parameter.name: arguments[parameter.name]
        for parameter in shim.parameters
        if isinstance(arguments.get(parameter.name), torch.Tensor)
    }
    # compared before the call: resizing gives an argument another storage
    spans = {name: _span(tensor) for name, tensor in before.items()}
    torch.manual_seed(1)
    result = shim.overload(**_passed(shim.overload, arguments))
    if short(shim.name) == "_int_mm_out":
        # torch's own saturates where the CPU has no instructions for such products (VNNI)
        result.copy_(arguments["self"].long() @ arguments["mat2"].long())
    results = list(result) if isinstance(result, (tuple, list)) else [result]
    if not shim.returns:
        results = []
    returns, aliases = [], []
    for place, one in enumerate(results):
        if not isinstance(one, torch.Tensor):
            returns.append(one if one is None else int(one))
            continue
        if one.layout != torch.strided or one.dtype not in NUMBERS:
            raise SkipError("the result is no plain tensor")
        owners = [name for name, span in spans.items() if span and _span(one) == span]
        if owners:
            aliases.append((place, owners[0]))
        returns.append(Captured.of(one.resolve_conj().resolve_neg(), margin=0))
    writes = {
        parameter.name: Captured.of(arguments[parameter.name], margin=0)
        for parameter in shim.parameters
        if parameter.written and isinstance(arguments.get(parameter.name), torch.Tensor)
    }
    written = [arguments[name] for name in writes]
    return _Outcome(returns, writes, aliases, outputs, results or written)


def _span(tensor: torch.Tensor) -> int:
    return tensor.untyped_storage().data_ptr() if tensor.numel() else 0


def _made_outputs(call: Call, values: Mapping[str, Any]) -> dict[str, Captured]:
    function = call.shim.functional
    if function is None:
        return {}
    arguments = {name: mapped(value, Captured.tensor) for name, value in values.items()}
    result = function(**_passed(function, arguments))
    results = result if isinstance(result, (tuple, list)) else [result]
    names = [parameter.name for parameter in call.shim.parameters if parameter.written]
    made = {}
    for name, one in zip(names, results, strict=True):
        # what lies there before does not matter
        filled = torch.empty_strided(one.shape, one.stride(), dtype=one.dtype)
        filled.view(torch.uint8 if one.dtype == torch.bool else one.dtype).fill_(
            float("nan") if one.is_floating_point() else 1
        )
        made[name] = Captured.of(filled)
    return made


def _inputs(call: Call, values: Mapping[str, Any], data: Data) -> dict[str, Any]:
    tensors: list[list[Any]] = []

    def numbered(value: Any) -> int | None:
        if value is None:
            return None
        tensors.append(data.descriptor(value))
        return len(tensors) - 1

    arguments = [_encoded(one, values.get(one.name), numbered) for one in call.shim.parameters]
    arguments += list(range(len(call.shim.returns)))
    case: dict[str, Any] = {
        "shim": call.shim.name,
        "dtype": call.dtype,
        "source": call.source,
        "tensors": tensors,
        "args": arguments,
    }
    if call.error:
        case["check"] = "error"
    return case


def _encoded(parameter: Parameter, value: Any, numbered: Callable[[Any], int | None]) -> Any:
    kind = parameter.kind
    if kind == "T" and value is None:
        raise SkipError("an undefined tensor")
    if kind in ("T", "T?"):
        return numbered(value)
    if kind in ("T[]", "T?[]"):
        return [numbered(one) for one in value]
    if value is None:
        return None
    if isinstance(value, Captured):
        raise SkipError("a tensor for another kind of argument")
    if kind in ("e", "e?"):
        return _number(value)
    if kind in ("D", "D?"):
        return [0, 0]
    if kind in ("i[]", "i[]?"):
        return [int(one) for one in (value if isinstance(value, list) else [value])]
    if kind == "d?[]":
        return [None if one is None else float(one) for one in value]
    if kind in ("d[]?", "d[]"):
        return [float(one) for one in value]
    if kind == "b[]":
        return [int(one) for one in value]
    if kind in ("b", "b?", "i", "i?"):
        return int(value)
    return float(value) if kind in ("d", "d?") else value


def _number(value: Any) -> int:
    if isinstance(value, torch.dtype):
        if value not in NUMBERS:
            raise SkipError(f"dtype {value}")
        return NUMBERS[value]
    if isinstance(value, torch.layout):
        if value != torch.strided:
            raise SkipError("a layout that is not strided")
        return 0
    if isinstance(value, torch.memory_format):
        return [
            torch.contiguous_format,
            torch.preserve_format,
            torch.channels_last,
            torch.channels_last_3d,
        ].index(value)
    return int(value)


def _number_of(call: Call, case: Mapping[str, Any], name: str) -> int:
    names = [parameter.name for parameter in call.shim.parameters]
    return int(case["args"][names.index(name)])


def _placed(case: Any, call: Call, outcome: _Outcome) -> list[tuple[int, Captured]]:
    return [(_number_of(call, case, name), after) for name, after in outcome.writes.items()]


def _dimension(call: Call) -> int | None:
    """The dimension along which indices count, None for the whole tensor."""
    return call.arguments.get("dim")


def _accuracy(call: Call, outcome: _Outcome, case: dict[str, Any], data: Data) -> None:
    """Note how far torch's own results are from those of float64."""
    default = TOLERANCES.get(call.dtype)
    if default and call.tolerance:
        wider = [max(pair) for pair in zip(default, call.tolerance, strict=True)]
        if wider != list(default):
            case["tolerance"] = wider
    if call.dtype in ("float64", "complex128"):
        return
    exact = _exact(call)
    if exact is None or len(exact) != len(outcome.results):
        return
    errors: list[float | None] = []
    kept: list[list[Any] | None] = []
    product = short(call.shim.name) in PRODUCTS
    for ours, true in zip(outcome.results, exact, strict=True):
        usable = (
            isinstance(ours, torch.Tensor)
            and isinstance(true, torch.Tensor)
            and (ours.is_floating_point() or ours.is_complex())
            and true.dtype in (torch.float64, torch.complex128)
            and ours.shape == true.shape
        )
        if not usable:
            errors.append(None)
            kept.append(None)
            continue
        difference = (ours.to(true.dtype) - true).abs().nan_to_num(0, 0, 0)
        errors.append(float(difference.max()) if difference.numel() else 0.0)
        keep = product and true.dtype == torch.float64
        kept.append(data.descriptor(Captured.of(true.contiguous())) if keep else None)
    if any(errors):
        case["eager_error"] = errors
    if any(kept):
        case["exact"] = kept


def _exact(call: Call) -> list[Any] | None:
    function = call.shim.functional or call.shim.overload
    if function._overloadname.endswith("out"):
        return None

    # oneDNN's know no float64: for half precision float32 is exact enough
    onednn = "mkldnn" in function._schema.name
    if onednn and call.dtype == "float32":
        return None
    widest = torch.float32 if onednn else torch.float64

    def widened(captured: Captured) -> torch.Tensor:
        tensor = captured.tensor()
        if not tensor.is_floating_point() and not tensor.is_complex():
            return tensor
        kind = torch.complex128 if tensor.is_complex() else widest
        wide = torch.empty_strided(tensor.shape, tensor.stride(), dtype=kind)
        return wide.copy_(tensor) if not _overlaps(tensor) else tensor.to(kind)

    arguments = {name: mapped(value, widened) for name, value in call.arguments.items()}
    if arguments.get("dtype") in (torch.float32, torch.bfloat16, torch.float16):
        arguments["dtype"] = torch.float64
    elif arguments.get("dtype") == torch.complex64:
        arguments["dtype"] = torch.complex128
    try:
        torch.manual_seed(1)
        result = function(**_passed(function, arguments))
    except Exception:
        return None
    results = list(result) if isinstance(result, (tuple, list)) else [result]
    return [one.double() for one in results] if onednn else results


def _overlaps(tensor: torch.Tensor) -> bool:
    strides = zip(tensor.stride(), tensor.shape, strict=True)
    return any(stride == 0 and size > 1 for stride, size in strides)
