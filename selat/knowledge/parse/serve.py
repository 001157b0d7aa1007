"""The child process that parses: one JSON path a line in, one JSON reply a line out."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from selat.core.errors import DocumentUnreadable
from selat.knowledge.parse.files import parse


def _limit(memory_bytes: int) -> None:
    try:
        import resource
    except ImportError:  # no such limits on this platform: the time limit stays
        return
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))


def serve() -> None:
    """Read one JSON path a line, write one JSON reply a line, until the input ends."""
    _limit(int(sys.argv[1]))
    out, sys.stdout = sys.stdout.buffer, sys.stderr  # whatever a library prints is not a reply
    for line in sys.stdin.buffer:
        reply: dict[str, object]
        try:
            parsed = parse(Path(json.loads(line)))
            blocks = [[b.start, b.end, b.heading, b.page, b.table, b.box, b.rows] for b in parsed.blocks]
            reply = {"text": parsed.text, "blocks": blocks, "facts": parsed.facts}
        except DocumentUnreadable as error:
            reply = {"error": str(error)}
        except (MemoryError, RecursionError):
            reply = {"error": "parsing needs more memory than a document may take; split the document"}
        except Exception as error:  # noqa: BLE001  a parser's own defect is this document's status, nothing more
            reply = {"error": f"the parser failed ({type(error).__name__}); export the file anew"}
        out.write(json.dumps(reply).encode() + b"\n")
        out.flush()


if __name__ == "__main__":
    serve()
