"""Generated C++ means the same where `long` has 32 bits."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aotwin.stages.wrapper.llp64 import strip_commands, to_llp64

CHANGED = {
    "decimal": ("5L", "5LL"),
    "lower case": ("5l", "5LL"),
    "zero": ("0L", "0LL"),
    "octal": ("0777L", "0777LL"),
    "hexadecimal": ("0x1FL", "0x1FLL"),
    "hexadecimal that looks like an exponent": ("0x1eL+1L", "0x1eLL+1LL"),
    "binary": ("0b101L", "0b101LL"),
    "digit separators": ("1'000'000L", "1'000'000LL"),
    "unsigned": ("5UL", "5ULL"),
    "unsigned the other way round": ("5LU", "5ULL"),
    "unsigned in lower case": ("5ul", "5ULL"),
    "between operators": ("x0+5L*ks0-1L", "x0+5LL*ks0-1LL"),
    "after a name that ends in e": ("size+5L", "size+5LL"),
    "template argument": ("f<3L>()", "f<3LL>()"),
    "long": ("long x;", "int64_t x;"),
    "long int": ("long int x;", "int64_t x;"),
    "signed long": ("signed long x;", "int64_t x;"),
    "int long": ("int long x;", "int64_t x;"),
    "unsigned long": ("unsigned long x;", "uint64_t x;"),
    "long unsigned int": ("long unsigned int x;", "uint64_t x;"),
    "long in a template": ("Vectorized<long>(tmp)", "Vectorized<int64_t>(tmp)"),
    "long as a cast": ("(long)x", "(int64_t)x"),
    "in a macro": ("#define N (long)5L", "#define N (int64_t)5LL"),
    "in a condition": ("#if N > 5L", "#if N > 5LL"),
    "after a string": ('f("a", 5L)', 'f("a", 5LL)'),
    "after a raw string": ('f(R"(")", 5L)', 'f(R"(")", 5LL)'),
    "after a character": ("f('\"', 5L)", "f('\"', 5LL)"),
    "after an escaped quote": (r'f("\"", 5L)', r'f("\"", 5LL)'),
    "after a comment with a quote": ("// don't\n5L", "// don't\n5LL"),
    "after an #error with a quote": ("#error don't\n5L", "#error don't\n5LL"),
}

UNCHANGED = {
    "long long": "long long x;",
    "unsigned long long": "unsigned long long x;",
    "long double": "long double x;",
    "long long literal": "5LL + 5ULL",
    "unsigned literal": "5U",
    "long double literal": "1.0L + .5L + 1.L",
    "long double with an exponent": "1e5L + 1e+5L + 1.5E-5L",
    "hexadecimal long double": "0x1p+5L + 0x1.8p-3L",
    "user-defined literal": "5_L",
    "names": "x5L = along + long_ + longer + L5L;",
    "members": "tmp0.b5L",
    "string": '"long 5L"',
    "string with escapes": r'"\"long 5L\\"',
    "string over two lines": '"long \\\n 5L"',
    "string with a prefix": 'u8"long 5L"',
    "character": "'L'",
    "raw string": 'R"(long 5L " 5L)"',
    "raw string with a delimiter": 'R"x(long )" 5L)x"',
    "raw string with a prefix": 'u8R"(long 5L)"',
    "raw string over lines": 'R"(\nlong\n5L\n)"',
    "line comment": "// long 5L",
    "line comment over two lines": "// long \\\n5L",
    "block comment": "/* long\n5L */",
    "header name": "#include <torch/long/5L.h>",
    "quoted header name": '  #  include "long/5L.h"',
}


@pytest.mark.parametrize(("before", "after"), CHANGED.values(), ids=CHANGED)
def test_what_has_64_bits_on_linux_keeps_them(before: str, after: str) -> None:
    assert to_llp64(before) == after


@pytest.mark.parametrize("text", UNCHANGED.values(), ids=UNCHANGED)
def test_what_means_the_same_stays_as_it_is(text: str) -> None:
    assert to_llp64(text) == text


def test_commands_of_the_build_host_are_dropped() -> None:
    source = "int x;\n\n// Compile cmd\n// g++ /home/me/x.cpp\n// Link cmd\n// g++ /home/me/x.o\n"
    assert strip_commands(source) == "int x;\n\n"
    assert to_llp64(source) == "int x;\n\n"


def test_comments_in_the_middle_that_look_like_commands_stay() -> None:
    source = "// Compile cmd\n// g++ x.cpp\nint x;\n"
    assert strip_commands(source) == source


_fragments = st.sampled_from(
    [*(before for before, _ in CHANGED.values()), *UNCHANGED.values(), "{", "}", ";", "=", "\\"]
)


@given(st.lists(_fragments, max_size=12))
def test_rewriting_twice_is_rewriting_once(fragments: list[str]) -> None:
    once = to_llp64("\n".join(fragments))
    assert to_llp64(once) == once


@given(st.text(max_size=60))
def test_any_text_is_rewritten_without_an_error(text: str) -> None:
    once = to_llp64(text)
    assert to_llp64(once) == once


@given(
    st.text(alphabet=st.characters(exclude_characters='"\\\n\r', codec="utf-8")),
    st.sampled_from(["", "u8", "L"]),
)
def test_a_string_is_never_touched(content: str, prefix: str) -> None:
    text = f'f({prefix}"{content}", x)'
    assert to_llp64(text) == text


@given(st.text(), st.text(alphabet="abcXYZ_019", max_size=16))
def test_a_raw_string_is_never_touched(content: str, delimiter: str) -> None:
    content = content.replace(f'){delimiter}"', "")
    if f'){delimiter}"' in content:
        return
    text = f'x = R"{delimiter}({content}){delimiter}";'
    assert to_llp64(text) == text


@given(st.integers(min_value=0, max_value=2**63 - 1), st.sampled_from(["L", "l"]))
def test_every_literal_keeps_its_value(value: int, suffix: str) -> None:
    for spelling in (str(value), hex(value), bin(value), f"0{value:o}"):
        rewritten = to_llp64(f"static_cast<int64_t>({spelling}{suffix})")
        assert re.fullmatch(rf"static_cast<int64_t>\({spelling}LL\)", rewritten)
