"""`aotwin cache`: the results that builds remember."""

from __future__ import annotations

import argparse
import json

from aotwin.cli.options import Commands


def add(commands: Commands) -> None:
    cache = commands.add_parser("cache", help="show or clear the results that builds remember")
    actions = cache.add_subparsers(required=True, metavar="show|clear")
    show = actions.add_parser("show", help="say what is kept, and where")
    show.add_argument("--json", action="store_true", help="print one JSON object")
    show.set_defaults(command=_cache_show)
    actions.add_parser("clear", help="forget all results").set_defaults(command=_cache_clear)


def _cache_show(options: argparse.Namespace) -> int:
    from aotwin.adapters.storage import results, shared_results

    kept, bound, shared = results.kept(), results.max_nbytes(), shared_results.described()
    if options.json:
        facts = {
            "version": 1,
            "folder": str(results.results_dir()),
            "enabled": results.enabled(),
            "max_nbytes": bound,
            "shared": shared,
            "kinds": [each.__dict__ for each in kept],
        }
        print(json.dumps(facts, indent=1))
        return 0
    total = sum(each.nbytes for each in kept)
    used = f"{total >> 20:,} MB of {bound >> 20:,} MB" if bound else f"{total >> 20:,} MB, no bound"
    print(f"{results.results_dir()}: {used}{'' if results.enabled() else ', not used'}")
    for each in kept:
        about = results.KINDS[each.kind]
        print(f"{each.nbytes >> 20:>7} MB {each.count:>6}  {each.kind:<9} {about}")
    if shared:
        print(f"shared: {shared}")
    return 0


def _cache_clear(_: argparse.Namespace) -> int:
    from aotwin.adapters.storage.results import clear

    print(f"{clear() >> 20} MB removed")
    return 0
