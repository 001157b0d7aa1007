"""Fuzzes the HTTP parsers by coverage: `PYTHONPATH=. python tests/fuzz/fuzz_http.py -max_total_time=60`.

Needs atheris. The same laws as test_fuzz_http.py, which hypothesis checks on every run.
"""

from __future__ import annotations

import sys

import atheris

SEEN = ["selat.gateway.connection", "selat.gateway.http", "selat.engines.http1", "selat.wire", "http_laws"]

with atheris.instrument_imports(include=SEEN):
    from http_laws import check_answers, check_events, check_requests


def check(data: bytes) -> None:
    provider = atheris.FuzzedDataProvider(data)
    which = provider.ConsumeIntInRange(0, 3)
    cuts = [provider.ConsumeIntInRange(0, 4096) for _ in range(provider.ConsumeIntInRange(0, 6))]
    rest = provider.ConsumeBytes(4096)
    if which == 0:
        check_requests(rest, cuts)
    elif which == 3:
        check_events(rest, cuts)
    else:
        check_answers(rest, cuts, which == 2)


if __name__ == "__main__":
    atheris.Setup(sys.argv, check)
    atheris.Fuzz()
