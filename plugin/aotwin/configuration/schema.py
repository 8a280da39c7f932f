"""The configuration as literal tables: what may be said, how it is checked, what it means.

`[tool.aotwin]`, config settings and environment variables are read by `settings` with these tables;
`tables` renders them for the documentation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aotwin.configuration import checkers
from aotwin.configuration.checkers import Checker, unknown, wrong
from aotwin.model_spec import SignOptions


@dataclass(frozen=True)
class Key:
    """One key of the configuration."""

    check: Checker
    #: what a value looks like, for the documentation
    value: str
    #: what holds when nothing is said, for the documentation
    default: str
    #: one sentence for users
    meaning: str
    #: True where it is a config setting and an environment variable, too
    setting: bool = True


def _sign(value: object, where: str) -> SignOptions:
    if not isinstance(value, Mapping):
        raise wrong(where, value, 'a table, such as {} or { timestamp-url = "http://..." }')
    for key in value:
        if key not in SIGN_KEYS:
            raise unknown(f"key {where}.{key}", key, SIGN_KEYS)
    said = {key: SIGN_KEYS[key].check(entry, f"{where}.{key}") for key, entry in value.items()}
    return SignOptions(**{key.replace("-", "_"): entry for key, entry in said.items()})


#: keys of `[tool.aotwin]`
PROJECT_KEYS: Mapping[str, Key] = {
    "target": Key(
        checkers.target_name,
        "`windows-x86_64`, `windows` (the same) or `none`",
        "none: the backend does what setuptools does and leaves the models out",
        "What to build for.",
    ),
    "cpu": Key(
        checkers.cpu_names,
        "list of `x86-64-v3` (AVX2), `x86-64-v4` (AVX-512)",
        '`["x86-64-v3"]`',
        "CPU levels of every model that names none itself; as a config setting or environment "
        "variable, of every model. One DLL each, chosen at load time; one weights file.",
    ),
    "jobs": Key(
        checkers.number_of_jobs,
        "number, 1 or more",
        "number of CPUs",
        "How many compilers, and processes that generate the code of one model each, run at a "
        "time. With 1 the build itself generates, model after model.",
    ),
    "runtime": Key(
        checkers.one_of(*checkers.RUN_TIMES),
        "`auto`, `own` or `torch`",
        "`auto`: own where it has every operator of the model",
        "Whose C functions the models call: those of aotwin's own run time, which comes with the "
        "wheel (no torch on Windows), or those of the torch that is installed there. As a config "
        "setting or environment variable, of every model.",
    ),
    "check": Key(
        checkers.one_of(*checkers.CHECKS),
        "`static`, `wine` or `run`",
        "`static`",
        "How a DLL is checked before it is packed: by reading it; by loading it under Wine too; or "
        "by running it there and comparing its results with eager's.",
    ),
    "report": Key(
        checkers.yes_or_no,
        "`true` or `false`",
        "`false`",
        "Whether a page about the wheel, `<wheel>.html`, is written beside it.",
    ),
    "timings": Key(
        checkers.output_path,
        "path of a file; a relative one is from the wheel's folder",
        "not written",
        "Where the seconds of each stage go, as JSON.",
    ),
    "models": Key(
        checkers.table,
        'tables, `[tool.aotwin.models."demo.classifier"]`',
        "no model",
        "One table for each model, named for the package it becomes.",
        setting=False,
    ),
}

#: keys of `[tool.aotwin.models."<name>"]`
MODEL_KEYS: Mapping[str, Key] = {
    "program": Key(
        checkers.program,
        "`module:attribute`, or the path of a `.pt2` of `torch.export.save`",
        "this, `wrapper` or `prebuilt`",
        "A `torch.export.ExportedProgram`, or a callable that returns one.",
        setting=False,
    ),
    "wrapper": Key(
        checkers.path_in_project,
        "path of a `.pt2` or a folder",
        "this, `program` or `prebuilt`",
        "What AOTInductor wrote with `package_cpp_only`; needs no torch to build.",
        setting=False,
    ),
    "prebuilt": Key(
        checkers.path_in_project,
        "path of a folder",
        "this, `program` or `wrapper`",
        "A model that `aotwin build` made elsewhere: it is checked again, and packed. Of the other "
        "keys, only `sign` goes with it.",
        setting=False,
    ),
    "torch": Key(
        checkers.torch_version,
        "version, such as `2.12.1`",
        "as the wrapper's text or metadata tell",
        "The torch that generated `wrapper`. A `program` is compiled by the one that is installed.",
        setting=False,
    ),
    "cpu": Key(
        checkers.cpu_names,
        "list, as above",
        "`[tool.aotwin]`'s `cpu`",
        "CPU levels of this model; the first is the one its `.dll` without a suffix is for.",
        setting=False,
    ),
    "runtime": Key(
        checkers.one_of(*checkers.RUN_TIMES),
        "as above",
        "`[tool.aotwin]`'s `runtime`",
        "The run time of this model.",
        setting=False,
    ),
    "proof": Key(
        checkers.proof,
        "`module:attribute`, or the path of an `.npz` for a `wrapper`",
        "the program's example inputs",
        'What the model is proven with where `check = "run"`: a list of pairs `(args, kwargs)`, or '
        "a callable that returns one; for a ready wrapper, inputs and expected results.",
        setting=False,
    ),
    "proof-tolerance": Key(
        checkers.tolerance,
        "table, such as `{ rtol = 1e-4, atol = 1e-5 }`",
        "by dtype, widened by the rounding of the network itself",
        "How far results that are no integers may be off: `atol + rtol * abs(expected)`.",
        setting=False,
    ),
    "proof-data": Key(
        checkers.yes_or_no,
        "`true` or `false`",
        "`true` where it takes less than 1 MB",
        "Whether the package holds inputs and expected results, for `--verify` on any machine.",
        setting=False,
    ),
    "inductor": Key(
        checkers.inductor_options,
        "table, such as `{ max_autotune = false }`",
        "empty",
        "Options passed on to Inductor.",
        setting=False,
    ),
    "sdk": Key(
        checkers.yes_or_no,
        "`true` or `false`",
        "`false`",
        "Whether the package holds the SDK for C and C++ in its folder `sdk/`. One serves all "
        "models.",
        setting=False,
    ),
    "sign": Key(
        _sign,
        'table, such as `{}` or `{ timestamp-url = "…" }`',
        "DLLs are not signed",
        "Sign the model's DLLs (Authenticode) with the certificate that the environment names.",
        setting=False,
    ),
}

#: keys of `[tool.aotwin.models."<name>".sign]`
SIGN_KEYS: Mapping[str, Key] = {
    "timestamp-url": Key(
        checkers.web_address,
        "URL of an RFC 3161 timestamp server",
        "no timestamp",
        "A timestamp keeps the signature valid after the certificate has expired; with one, no "
        "two builds give the same bytes.",
        setting=False,
    ),
    "description": Key(
        checkers.line_of_text,
        "text",
        "none",
        "The name that Windows shows for the signed DLL.",
        setting=False,
    ),
    "url": Key(
        checkers.web_address, "URL", "none", "A page about it, in the signature.", setting=False
    ),
}

#: environment variables that are no settings of a project
OTHER_VARIABLES: Mapping[str, str] = {
    "AOTWIN_CACHE_DIR": "Folder of the cache (sysroots, zig, results); by default the user's "
    "cache folder.",
    "AOTWIN_NO_CACHE": "`1`: results are neither read nor kept, here or in a shared store.",
    "AOTWIN_CACHE_SIZE": "Bound of the results, `500M`, `20G`; by default 5G, `0` for none.",
    "AOTWIN_CACHE_URL": "A store of results that machines share: any URL that fsspec reaches.",
    "AOTWIN_CACHE_READ_ONLY": "`1`: nothing is written to that store.",
    "AOTWIN_CACHE_KEY": "A secret of 32 characters or more that the builds of a team share: "
    "results are signed with it on their way to that store, and others are not taken from it.",
    "AOTWIN_SYSROOT": "A folder or file with the target's wheels, for builds without a network.",
    "AOTWIN_SYSROOTS": "A folder with pinned sysroots of your own, for torch versions that aotwin "
    "has none for.",
    "AOTWIN_KEEP_SOURCES": "A folder in which the generated sources are kept.",
    "AOTWIN_VERIFY_WEIGHTS": "On Windows: `full` makes a model hash its whole blob at load.",
    "AOTWIN_PREFETCH": "On Windows: `1` makes a model read its blob ahead at load.",
    "AOTWIN_MAX_CPU_LEVEL": "On Windows: `3` keeps products, convolutions and attention of aotwin's"
    " run time from AVX-512, to measure as on a CPU without it; `4` also has them multiply bfloat16"
    " by instructions that are slow on this CPU.",
    "AOTWIN_SIGN_CERTIFICATE": "Absolute path of the PKCS#12 file that `sign` signs with.",
    "AOTWIN_SIGN_PASSWORD": "Its password; not needed if it has none.",
    "AOTWIN_CI_CACHE": "In aotwin's own tests: the folder of the Windows-on-Wine environment.",
}
