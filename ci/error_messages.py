"""Every message of the error family, and of a model's package, read from the source.

What is filled in when a message is printed stands in angle brackets: "⟨path⟩ cannot be read".
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from aotwin import errors

PACKAGE = Path(errors.__file__).resolve().parent
#: names of the family's classes, the base first
FAMILY = tuple(
    name
    for name, value in vars(errors).items()
    if isinstance(value, type) and issubclass(value, errors.AotwinError)
)
#: what a model's package raises, on the machine of its user
OF_MODELS = ("ModelError", "TypeError", "ValueError")
#: of `payload/`, what only the modules of a package say to each other
_INNER = frozenset({"call_tree.py"})
#: around a value that is filled in
OPEN, CLOSE = "\N{MATHEMATICAL LEFT ANGLE BRACKET}", "\N{MATHEMATICAL RIGHT ANGLE BRACKET}"


@dataclass(frozen=True)
class Message:
    """One place that makes an error."""

    #: "stages/weights.py:107"
    place: str
    #: the class
    kind: str
    fact: str
    cause: str | None
    next_step: str | None


def messages() -> list[Message]:
    """Those of builds and of the command line, in the order of their places."""
    found = _calls(FAMILY, (path for path in _modules() if "payload" not in path.parts))
    return list(found)


def messages_of_models() -> list[Message]:
    """Those of a model's package."""
    paths = (path for path in _modules() if "payload" in path.parts and path.name not in _INNER)
    return [each for each in _calls(OF_MODELS, paths) if " " in plain(each.fact)]


def _modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def _calls(kinds: tuple[str, ...], paths: Iterator[Path]) -> Iterator[Message]:
    for path in paths:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        texts = _constants(tree)
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and node.args]
        for node in sorted(calls, key=lambda call: call.lineno):
            if isinstance(node.func, ast.Name) and node.func.id in kinds:
                words = {word.arg: text_of(word.value, texts) for word in node.keywords}
                yield Message(
                    f"{path.relative_to(PACKAGE).as_posix()}:{node.lineno}",
                    node.func.id,
                    text_of(node.args[0], texts),
                    words.get("cause"),
                    words.get("next_step"),
                )


def _constants(tree: ast.Module) -> dict[str, str]:
    """The texts that a module names on its first level."""
    named = [node for node in tree.body if isinstance(node, ast.Assign)]
    return {
        target.id: text_of(node.value, {})
        for node in named
        for target in node.targets
        if isinstance(target, ast.Name) and isinstance(node.value, (ast.Constant, ast.JoinedStr))
    }


def text_of(node: ast.expr, texts: Mapping[str, str]) -> str:
    """The text of an expression, with what is filled in named; of an alternative, its first.

    Args:
        texts: name -> text that stands for it.
    """
    found = ""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=values):
            return "".join(text_of(value, texts) for value in values)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return text_of(left, texts) + text_of(right, texts)
        case ast.FormattedValue(value=value) | ast.BoolOp(values=[value, *_]):
            found = text_of(value, texts)
        case ast.IfExp(body=body, orelse=other):
            found = text_of(body, texts) or text_of(other, texts)
        case ast.Name(id=name) if name in texts:
            found = texts[name]
    return found or _filled_in(node)


#: of the names in the source, those that say nothing outside of it
_SAID = {
    "error": "reason", "str": "reason", "problem": "reason", "problems": "reasons", "where": "key",
    "what": "it", "strerror": "reason", "__name__": "type", "got": "found", "each": "it",
    "self": "it", "_message": "reason", "next_step": "what to do", "expected": "what is expected",
    "hint": "what to do", "regenerate": "what to do", "cause_of": "reason", "short": "reason",
    "cause": "reason", "form": "what to do", "orig_filename": "name", "infos": "number",
    "next": "model", "shown": "value", "parent": "folder", "owner": "module",
}  # fmt: skip


#: functions and methods that say nothing of what they give
_NO_NAMES = frozenset(
    {"len", "list", "map", "removeprefix", "replace", "repr", "resolve", "sorted", "str", "strip",
     "type", "upper", "lower"}
)  # fmt: skip


def _filled_in(node: ast.expr) -> str:
    """The last name of an expression, as words."""
    while True:
        match node:
            case (
                ast.Call(func=ast.Attribute(value=ast.Constant()), args=[inner, *_])
                | ast.Call(func=ast.Attribute(attr="fspath"), args=[inner, *_])
            ):
                node = inner  # ", ".join(names)
            case (
                ast.Call(func=ast.Name(id=name), args=[inner, *_])
                | ast.Call(func=ast.Attribute(attr=name, value=inner))
            ) if name in _NO_NAMES:
                node = inner
            case ast.Subscript(slice=ast.Constant(value=str(key))):
                return f"{OPEN}{key.replace('_', ' ')}{CLOSE}"
            case (
                ast.Subscript(value=inner)
                | ast.GeneratorExp(elt=inner)
                | ast.ListComp(elt=inner)
                | ast.Starred(value=inner)
                | ast.BoolOp(values=[inner, *_])
                | ast.Call(func=inner)
            ):
                node = inner
            case _:
                break
    name = "value"
    if isinstance(node, ast.Attribute):
        name = node.attr
    elif isinstance(node, ast.Name):
        name = node.id
    said = _SAID.get(name, name).strip("_").replace("_", " ")
    return f"{OPEN}{said.lower()}{CLOSE}"


def plain(text: str) -> str:
    """A text without what is filled in."""
    parts = text.split(OPEN)
    return parts[0] + "".join(part.partition(CLOSE)[2] for part in parts[1:])


def render_errors() -> str:
    """The tables of docs/reference/errors.md."""
    lines: list[str] = []
    found = messages()
    for kind in FAMILY:
        rows = sorted({_row(each) for each in found if each.kind == kind}, key=str.lower)
        if rows:
            meaning = (getattr(errors, kind).__doc__ or "").strip().splitlines()[0]
            lines += [f"## {kind}", "", meaning, ""]
            lines += ["| Message | Why | What to do |", "|---|---|---|", *rows, ""]
    lines += [
        "## A model on Windows", "",
        "What a model's package raises: `ModelError` where it cannot be loaded, `TypeError` and",
        "`ValueError` where a call does not fit.", "",
        "| Error | Message |", "|---|---|",
        *sorted({f"| `{each.kind}` | {cell(each.fact)} |" for each in messages_of_models()}),
        "",
    ]  # fmt: skip
    return "\n".join(lines)


def _row(message: Message) -> str:
    cells = (message.fact, message.cause or "", message.next_step or "")
    return "| " + " | ".join(map(cell, cells)) + " |"


def cell(text: str) -> str:
    for letter in ("\\", "|", "<", "*", "_", "["):
        text = text.replace(letter, f"\\{letter}")
    return " ".join(text.split())
