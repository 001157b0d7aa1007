"""What may be told of a scan: kinds and places, never the words."""

from __future__ import annotations

from selat.core.finding import Scan


def scan_json(found: Scan) -> dict[str, object]:
    """A scan as `--json` and `POST /v1/guard/scan` give it: positions are characters of the text as given."""
    findings = [
        {"kind": f.kind, "start": f.start, "end": f.end, "confidence": round(f.confidence, 2)}
        for f in found.findings
    ]
    return {
        "findings": findings,
        "flags": sorted(found.flags),
        "personal": found.personal.name.lower(),
        "ok": found.ok,
    }
