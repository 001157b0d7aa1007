"""`python -m selat.verifier FILE... --trust FILE`: the verifier by itself, without the rest of Selat."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from selat.core.errors import SelatError
from selat.verifier import Verdict, explain, verify_path
from selat.verifier.words import LANGUAGES


def main(arguments: list[str] | None = None) -> int:
    """Verify what is named; exit code 0 when every receipt holds, 1 when one does not, 2 when misused."""
    parser = argparse.ArgumentParser("selat.verifier", description="Verify Selat receipts offline.")
    parser.add_argument("files", nargs="+", type=Path, help="a .tlog-proof, a receipt bundle, or a folder of them")
    parser.add_argument("--trust", type=Path, help="whom to believe: a c2sp.org/tlog-policy file")
    parser.add_argument(
        "--text", action="append", default=[], metavar="NAME=FILE", help="prompt=FILE, answer=FILE"
    )
    parser.add_argument("--language", choices=LANGUAGES, default="en")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    try:
        verdicts = verdicts_of(given.files, given.trust, given.text)
    except (OSError, UnicodeDecodeError, SelatError) as error:
        parser.error(str(error))
    if given.json:
        sys.stdout.write(json.dumps([verdict.to_json() for verdict in verdicts]) + "\n")
    else:
        sys.stdout.write("\n".join(explain(verdict, given.language) for verdict in verdicts) + "\n")
    return 0 if verdicts and all(verdict.ok for verdict in verdicts) else 1


def verdicts_of(paths: list[Path], trust: Path | None, texts: list[str]) -> list[Verdict]:
    """The verdicts on everything named. Raises: OSError, when the trust file or a text cannot be read."""
    pairs = (text.partition("=") for text in texts)
    known = {name: Path(file).read_bytes() for name, _, file in pairs}
    believed = trust.read_text("utf-8") if trust else None
    return [verdict for path in paths for verdict in verify_path(path, believed, known)]


if __name__ == "__main__":
    sys.exit(main())
