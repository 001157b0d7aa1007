"""Fuzzes the guard by coverage: `PYTHONPATH=. python tests/fuzz/fuzz_guard.py -max_total_time=60` (needs atheris).

The same laws as tests/rooms/guard/test_guard_laws.py, which hypothesis checks on every run.
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["selat.guard"]):
    from selat.guard import Guard, Mask, StreamScanner

GUARD = Guard.load()


def check(data: bytes) -> None:
    provider = atheris.FuzzedDataProvider(data)
    text = provider.ConsumeUnicode(4096)
    scan = GUARD.scan(text)
    last = 0
    for finding in scan.findings:
        assert last <= finding.start < finding.end <= len(text)
        last = finding.end
    mask = Mask()
    assert mask.restore(mask.redact(text, scan.findings)) == text
    scanner, half = StreamScanner(GUARD), len(text) // 2
    scanner.feed(text[:half])
    scanner.feed(text[half:])
    assert scanner.close() == scan


if __name__ == "__main__":
    atheris.Setup(sys.argv, check)
    atheris.Fuzz()
