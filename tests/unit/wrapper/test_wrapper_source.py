"""The generated constructor tells inputs, outputs and constants."""

from __future__ import annotations

import pytest
from generated_wrapper import BUFFER, WEIGHT, FakeConstant, source

from aotwin.errors import WrapperError
from aotwin.stages.wrapper.llp64 import to_llp64
from aotwin.stages.wrapper.source import parse_source


def _changed(**changes: str) -> str:
    return source((FakeConstant("weight", changes=changes),))


def test_constants_follow_each_other_in_the_blob_at_multiples_of_64() -> None:
    facts = parse_source(source((FakeConstant("a", 100, shape=(5,)), WEIGHT, BUFFER)))
    assert [(item.name, item.offset, item.nbytes) for item in facts.constants] == [
        ("a", 0, 128),
        ("weight", 128, 64),
        ("buffer", 192, 64),
    ]


def test_a_constant_is_read_in_full() -> None:
    (constant,) = parse_source(source()).constants
    assert (constant.index, constant.fqn, constant.kind) == (0, "layers.weight", "parameter")
    assert (constant.dtype, constant.shape, constant.stride) == ("float32", (4, 4), (4, 1))


def test_constants_folded_at_run_time_are_not_in_the_blob() -> None:
    folded = FakeConstant("folded", changes={"from_folded": "true"})
    (constant,) = parse_source(source((folded, WEIGHT))).constants
    assert (constant.index, constant.offset) == (1, 0)


def test_inputs_have_the_checked_dtype_and_shape() -> None:
    (spec,) = parse_source(source()).inputs
    assert (spec.name, spec.dtype, spec.shape) == ("arg1_1", "int64", ("s77", 8, None))


def test_specs_in_pieces_are_joined() -> None:
    facts = parse_source(source())
    assert facts.in_spec == '[1, {"type": "builtins.tuple"}]'
    assert facts.out_spec == '[1, {"type": null, "context": null}]'


def test_the_rewritten_source_tells_the_same() -> None:
    assert parse_source(to_llp64(source())) == parse_source(source())


WRONG = {
    "no model": ("int main() {}", "holds no constructor"),
    "standalone": (source(class_name="AOTInductorModelm"), "compile_standalone"),
    "fewer constants than declared": (source(declared=2), "declares 2 constants"),
    "more constants than declared": (source(declared=0), "declares 0 constants"),
    "fewer inputs than declared": (
        source().replace("AOTInductorModelBase(1", "AOTInductorModelBase(2"),
        "declares 2 inputs",
    ),
    "unknown kind": (_changed(type="static_cast<int32_t>(Foo::Bar)"), "unknown way"),
    "shape of words": (_changed(shape="{s77}"), "unknown way"),
    "negative size": (_changed(shape="{-4, 4}"), "fewer bytes"),
    "larger than its bytes": (_changed(shape="{400, 4}"), "fewer bytes"),
    "offset behind its bytes": (_changed(offset="1"), "fewer bytes"),
    "strides beyond its bytes": (_changed(stride="{400, 1}"), "fewer bytes"),
    "on a GPU": (_changed(device_type="cached_torch_device_type_cuda"), "not live on the CPU"),
    "layout of oneDNN": (
        _changed(layout="static_cast<int32_t>(cached_torch_layout__mkldnn)"),
        "packed for the build host's CPU",
    ),
    "opaque metadata": (_changed(opaque_metadata="{1, 2}"), "packed for the build host's CPU"),
}


@pytest.mark.parametrize(("text", "message"), WRONG.values(), ids=WRONG)
def test_what_contradicts_itself_is_an_error(text: str, message: str) -> None:
    with pytest.raises(WrapperError, match=message) as error:
        parse_source(text)
    assert error.value.cause
    assert error.value.next_step
