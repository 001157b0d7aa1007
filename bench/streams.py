"""Many paced streams at once through one Selat on one core: errors, CPU a chunk, time to the first event, memory.

    python bench/streams.py [--streams 2000] [--model paced:200:50]

`paced:200:50` is fifty events, 200 ms apart. The mock and the load share the other core.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from stand import MODELS, body, cpu_s, make_home, memory_mb, mock, selat, streams


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--streams", type=int, default=2000)
    options.add_argument("--model", default="paced:200:50", choices=MODELS)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as name, mock() as upstream:
        folder = Path(name)
        make_home(folder / "home", upstream)
        with selat(folder / "home") as one:
            asked = body(folder, chosen.model, 2, True)
            headers = [f"Authorization: Bearer {one.key}"]
            streams(one.port, asked, headers, "--connections", "16", "--once")
            before = cpu_s(one.pid)
            found = streams(
                one.port, asked, headers, "--connections", str(chosen.streams), "--once", "--grace", "240"
            )
            used = cpu_s(one.pid) - before
            names = (
                "streams | whole | bad | lost | events/s | CPU µs a chunk | first event p50/p99 ms | RSS | PSS MB"
            )
            print(f"| {names} |")
            print("|---|---|---|---|---|---|---|---|---|")
            print(
                f"| {chosen.streams} | {found['streams']} | {found['bad']} | {found['lost']} "
                f"| {found['events'] / found['seconds']:.0f} | {1e6 * used / max(found['events'], 1):.1f} "
                f"| {found['first_p50_ms']:.0f}/{found['first_p99_ms']:.0f} "
                f"| {memory_mb(one.worker, 'Rss'):.0f} | {memory_mb(one.worker):.0f} |"
            )
            if found["bad"] or found["lost"] or found["streams"] != chosen.streams:
                raise SystemExit("not every stream came through")


if __name__ == "__main__":
    main()
