"""Every message of what runs on Windows in C++, read from its sources.

A message is what `Failure`, `std::runtime_error`, `require`, `fail` and their like are given: texts
joined by `+`, or parts one after the other. What is filled in stands in angle brackets.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from aotwin.target.toolchain import toolchain_path
from error_messages import CLOSE, OPEN, cell, plain

_SOURCES = toolchain_path("windows")
#: texts, comments, names with their members, single signs
_TOKEN = re.compile(r'"(?:[^"\\\n]|\\.)*"|//[^\n]*|\w+(?:(?:\.|->)\w+)*|(?:\.|->)?\w+|::|[^\w\s]')
_CALL = re.compile(
    r"\b(Failure|runtime_error|require|fail|keep_message|keep_failure|set_message)\("
)
_PAIRS = {"(": ")", "[": "]", "{": "}"}
#: of the names in the source, those that say nothing outside of it
_SAID = {
    "sizes": "shape", "sizes_text": "shape", "shape_text": "shape", "expected": "what is expected",
    "found": "what was found", "last_error": "reason", "windows_error": "reason", "why": "reason",
    "mismatch": "reason", "dtype_text": "dtype", "hex": "digest", "path_of": "path",
    "raw": "number", "specs": "number", "path_utf8": "path", "weights_path_": "path",
    "doing": "call", "AOTWIN_DESCRIPTION_VERSION": "version", "pairs_entry_point": "function",
}  # fmt: skip
#: functions and members that say nothing of what they give
_NO_NAMES = frozenset(
    {"std", "to_string", "string", "utf8", "static_cast", "int32_t", "int64_t", "uint32_t",
     "value_or", ".size", ".begin", ".rbegin", ".c_str", ".second", ".first"}
)  # fmt: skip


@dataclass(frozen=True)
class LibraryMessage:
    """One place of the C++ sources that makes an error."""

    #: "sdk/src/model.h:62"
    place: str
    #: "AOTWIN_ERROR_MODEL": the status that comes with it, of the C API alone
    code: str
    text: str


def library_messages(folder: str) -> list[LibraryMessage]:
    """Those of a folder of `toolchains/windows/`, in the order of their places."""
    found = []
    for path in sorted(each for each in (_SOURCES / folder).rglob("*") if each.is_file()):
        source = path.read_text(encoding="utf-8")
        for call in _CALL.finditer(source):
            text = _message(call[1], list(_arguments(source, call.end())))
            if re.search("[a-z]", plain(text)):
                line = source.count("\n", 0, call.start()) + 1
                place = f"{path.relative_to(_SOURCES).as_posix()}:{line}"
                found.append(LibraryMessage(place, _code(call[1], source[call.start() :]), text))
    return found


def _arguments(source: str, start: int) -> Iterator[list[str]]:
    """The tokens of each argument of the call whose opening parenthesis is before `start`."""
    argument: list[str] = []
    depth = 1
    for token in (found[0] for found in _TOKEN.finditer(source, start)):
        depth += (token in _PAIRS) - (token in _PAIRS.values())
        if depth == 0 or (token == "," and depth == 1):
            yield argument
            argument = []
            if depth == 0:
                return
        elif not token.startswith("//"):
            argument.append(token)


def _code(function: str, source: str) -> str:
    """The code of the C API that goes with a message: `require` has but one."""
    named = re.search(r"AOTWIN_ERROR_\w+", source)
    return "AOTWIN_ERROR_ARGUMENT" if function == "require" or named is None else named[0]


def _message(function: str, arguments: list[list[str]]) -> str:
    """The text of a call; none where it hands on what another place has put together."""
    before_text = function == "require" or "_ERROR_" in "".join(arguments[0])
    parts = arguments[1:] if before_text else arguments
    if '"' not in str(parts):
        return ""
    text = "".join(map(_text, parts))
    return f"{OPEN}tensor{CLOSE}{text}" if text.startswith(" ") else text


def _text(tokens: Sequence[str]) -> str:
    """What an expression gives; of an alternative its first, or its second where that is empty."""
    while tokens[:1] == ["("] and _place(tokens, ")") == len(tokens) - 1:
        tokens = tokens[1:-1]
    if not any(token[0] == '"' for token in tokens):
        return _filled_in(tokens)
    question, plus = _place(tokens, "?"), _place(tokens, "+")
    if question >= 0:
        colon = _place(tokens, ":")
        return _text(tokens[question + 1 : colon]) or _text(tokens[colon + 1 :])
    if plus >= 0:
        return _text(tokens[:plus]) + _text(tokens[plus + 1 :])
    texts = (token[1:-1] for token in tokens if token[0] == '"')
    return "".join(texts).replace('\\"', '"').replace("\\\\", "\\")


def _place(tokens: Sequence[str], wanted: str) -> int:
    """Where a token stands outside of parentheses, or closes the first ones; -1: nowhere."""
    depth = 0
    for place, token in enumerate(tokens):
        depth -= token in _PAIRS.values()
        if token == wanted and depth == 0:
            return place
        depth += token in _PAIRS
    return -1


def _filled_in(tokens: Sequence[str]) -> str:
    """The last name that says something, of those in the fewest parentheses."""
    names: dict[int, str] = {}
    depth = 0
    for token in tokens:
        depth += (token in _PAIRS) - (token in _PAIRS.values())
        parts = re.findall(r"\.?[A-Za-z_]\w*", token.replace("->", "."))
        telling = [part for part in parts if part not in _NO_NAMES]
        if telling and token[0] != '"':
            names[depth] = telling[-1].lstrip(".")
    if not names:
        return ""
    name = names[min(names)]
    return f"{OPEN}{_SAID.get(name, name).strip('_').replace('_', ' ').lower()}{CLOSE}"


def render_library_errors() -> str:
    """The tables of docs/reference/errors.md about the C API, a model's DLL and the run time."""
    rows = {f"| `{each.code}` | {cell(each.text)} |" for each in library_messages("sdk/src")}
    lines = ["### C API of aotwin.dll", "", "| Status | Message |", "|---|---|", *sorted(rows)]
    for title, folder in (("A model's DLL", "dll"), ("Operators, tensors, threads", "runtime")):
        # what an operator's checks have in common is told its name
        texts = (
            re.sub(f"^{OPEN}(?:what|name){CLOSE}", f"{OPEN}operator{CLOSE}", each.text)
            if folder == "runtime"
            else each.text
            for each in library_messages(folder)
        )
        rows = {f"| {cell(text)} |" for text in texts}
        lines += ["", f"### {title}", "", "| Message |", "|---|", *sorted(rows, key=str.lower)]
    return "\n".join([*lines, ""])
