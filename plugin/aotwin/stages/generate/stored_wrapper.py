"""A wrapper as bytes that can be kept, and back."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from aotwin.values import Constant, TensorSpec, Wrapper


def packed(wrapper: Wrapper, place: Mapping[str, Any], extra: bytes = b"") -> bytes:
    """A wrapper as bytes.

    Args:
        place: where its constants are found; plain JSON.
        extra: bytes that `place` refers to.
    """
    fields = asdict(wrapper)
    if wrapper.extern_nodes is not None:
        fields["extern_nodes"] = base64.b64encode(wrapper.extern_nodes).decode()
    for name in ("fixed_inputs", "fixed_outputs"):
        fields[name] = list(fields[name].items())
    text = json.dumps({"wrapper": fields, "place": dict(place)}).encode()
    return len(text).to_bytes(8, "little") + text + extra


def unpacked(data: bytes) -> tuple[Wrapper, dict[str, Any], bytes]:
    """The wrapper, the place of its constants, and the extra bytes.

    Raises:
        ValueError, KeyError, TypeError: the bytes are not of `packed`.
    """
    end = 8 + int.from_bytes(data[:8], "little")
    stored = json.loads(data[8:end])
    fields: dict[str, Any] = stored["wrapper"]
    nodes = fields["extern_nodes"]
    fields |= {
        "definitions": tuple(fields["definitions"]),
        "constants": tuple(_constant(each) for each in fields["constants"]),
        "extern_nodes": None if nodes is None else base64.b64decode(nodes, validate=True),
        "inputs": _specs(fields["inputs"]),
        "outputs": _specs(fields["outputs"]),
        "warnings": tuple(fields["warnings"]),
        "fixed_inputs": dict(fields["fixed_inputs"]),
        "fixed_outputs": dict(fields["fixed_outputs"]),
        "number_outputs": tuple(fields["number_outputs"]),
    }
    return Wrapper(**fields), stored["place"], data[end:]


def _constant(fields: Mapping[str, Any]) -> Constant:
    return Constant(
        **{**fields, "shape": tuple(fields["shape"]), "stride": tuple(fields["stride"])}
    )


def _specs(stored: Sequence[Mapping[str, Any]]) -> tuple[TensorSpec, ...]:
    def or_none(value: Any) -> Any:
        return None if value is None else tuple(value)

    return tuple(
        TensorSpec(
            **{**each, "shape": or_none(each["shape"]), "dim_order": or_none(each["dim_order"])}
        )
        for each in stored
    )
