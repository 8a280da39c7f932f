"""Which functions of torch's C interface the networks of the table call.

    python tests/models/count_shims.py OUTPUT.json [NAME ...]

Generates C++ as aotwin does, and compiles nothing.
"""

from __future__ import annotations

import collections
import json
import re
import sys
import time
import traceback
from pathlib import Path

from networks import NETWORKS, exported

CALL = re.compile(r"\b(aoti_torch_\w+|aoti_record_\w+|__kmpc_\w+|omp_\w+)\s*\(")


def main(output: Path, names: list[str]) -> None:
    from aotwin.stages.generate.aotinductor import generate

    networks: dict[str, dict[str, int]] = {}
    problems: dict[str, str] = {}
    for name in names or NETWORKS:
        for dtype in NETWORKS[name].dtypes:
            key, start = f"{name}-{dtype}", time.monotonic()
            try:
                wrapper, _ = generate(exported(name, dtype), name="model", simdlen=256, inductor={})
                calls = collections.Counter(CALL.findall(wrapper.source))
                networks[key] = dict(sorted(calls.items()))
                if wrapper.extern_nodes and b'"nodes": []' not in wrapper.extern_nodes:
                    problems[key] = (
                        "calls the proxy executor: " + wrapper.extern_nodes.decode()[:400]
                    )
            except Exception:
                problems[key] = traceback.format_exc()[-2000:]
            print(
                f"{key} {time.monotonic() - start:.1f} s", problems.get(key, "")[-300:], flush=True
            )
            totals = collections.Counter[str]()
            used = collections.defaultdict(list)
            for network, calls_of in networks.items():
                totals.update(calls_of)
                for call in calls_of:
                    used[call].append(network)
            report = {
                "total": dict(totals.most_common()),
                "used_by": {call: used[call] for call, _ in totals.most_common()},
                "networks": networks,
                "problems": problems,
            }
            output.write_text(json.dumps(report, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
