"""Operators in generated code that need a word with the user, or rule the model out."""

from __future__ import annotations

import json
import re

from aotwin.errors import WrapperError
from aotwin.stages.wrapper.source import packed_for_host

_FBGEMM = re.compile(r"\baoti_torch_cpu_(wrapped_fbgemm_\w+)\(")
#: takes weights in a layout that oneDNN or MKL chose on the build host
_PACKED = re.compile(r"\baoti_torch_cpu_(_?mkl_linear|_mkl__mkl_linear)\(")
_DISPATCHED = re.compile(r'\baoti_torch_call_dispatcher\(\s*"([^"]+)"')
#: namespaces whose operators are part of libtorch itself
_BUILT_IN = frozenset(
    {"aten", "prims", "prim", "mkldnn", "onednn", "quantized", "quantized_decomposed", "mkl"}
)


def refuse_packed_operators(source: str) -> None:
    """Stop at operators whose weights were packed on the build host.

    Raises:
        WrapperError: there is one.
    """
    packed = _PACKED.search(source)
    if packed:
        raise packed_for_host(f"it calls {packed[1]}, whose weights MKL packs")


def operator_warnings(source: str, extern_nodes: bytes | None) -> tuple[str, ...]:
    """Name the operators that Windows' torch lacks, or that need a library of the user's.

    Args:
        source: the wrapper's C++.
        extern_nodes: the proxy executor's node list (`<stem>.json`).

    Raises:
        WrapperError: the node list is not what AOTInductor writes.
    """
    warnings: list[str] = []
    fbgemm = sorted(set(_FBGEMM.findall(source)))
    if fbgemm:
        warnings.append(
            f"The model uses operators of FBGEMM ({', '.join(fbgemm)}), which torch for Windows "
            "does not have: it will load, and fail when it runs."
        )
    targets = {*extern_targets(extern_nodes), *_DISPATCHED.findall(source)}
    custom = sorted(name for name in targets if name.partition("::")[0] not in _BUILT_IN)
    if custom:
        warnings.append(
            f"The model uses custom operators ({', '.join(custom)}): the host program must load "
            "the Windows library that registers them before it runs the model."
        )
    return tuple(warnings)


def extern_targets(extern_nodes: bytes | None) -> list[str]:
    """Return the operators ("aten::_linalg_svd") of the proxy executor's node list.

    Raises:
        WrapperError: no JSON, or another structure.
    """
    if not extern_nodes:
        return []
    try:
        targets = [node["node"]["target"] for node in json.loads(extern_nodes)["nodes"]]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        targets = [error]
    if not all(isinstance(target, str) for target in targets):
        raise WrapperError(
            "the node list of the model's fallback operators cannot be read",
            cause=str(targets[-1])[:200],
            next_step="Generate the wrapper again.",
        )
    return targets
