"""The configuration's tables for the documentation, as Markdown."""

from __future__ import annotations

from aotwin.configuration.schema import MODEL_KEYS, OTHER_VARIABLES, PROJECT_KEYS, SIGN_KEYS, Key


def render_markdown_table() -> str:
    """The configuration as a Markdown table, one row a key; ends with a newline."""
    rows = ["| Key | Also as | Value | Default | Meaning |", "|---|---|---|---|---|"]
    for name, key in PROJECT_KEYS.items():
        also = f"`--config-setting {name}=`, `AOTWIN_{name.upper()}`" if key.setting else ""
        rows.append(_row(f"`{name}`", also, key))
    rows.extend(_row(f'`models."…".{name}`', "", key) for name, key in MODEL_KEYS.items())
    rows.extend(_row(f'`models."…".sign.{name}`', "", key) for name, key in SIGN_KEYS.items())
    return "\n".join(rows) + "\n"


def _row(name: str, also: str, key: Key) -> str:
    cells = (name, also, key.value, key.default, key.meaning)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def render_variables_table() -> str:
    """The environment variables that are no settings, as a Markdown table."""
    rows = ["| Variable | Meaning |", "|---|---|"]
    rows.extend(f"| `{name}` | {meaning} |" for name, meaning in OTHER_VARIABLES.items())
    return "\n".join(rows) + "\n"
