"""`python -m selat.verifier.pack FILE`: packs the verifier into one file that Python runs by itself."""

from __future__ import annotations

import io
import sys
import zipfile
from pathlib import Path

_MAIN = b"import sys\nfrom selat.verifier.__main__ import main\nsys.exit(main())\n"
_EPOCH = (1980, 1, 1, 0, 0, 0)


def pack() -> bytes:
    """The bytes of the file; the same sources give the same bytes. It needs `cryptography` where it runs."""
    house = Path(__file__).parents[1]
    members = {"__main__.py": _MAIN, "selat/__init__.py": b""}
    for room in ("core", "verifier"):
        for path in sorted((house / room).glob("*.py")):
            members[f"selat/{room}/{path.name}"] = path.read_bytes()
    out = io.BytesIO(b"#!/usr/bin/env python3\n")
    out.seek(0, io.SEEK_END)
    with zipfile.ZipFile(out, "a", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), data, zipfile.ZIP_DEFLATED)
    return out.getvalue()


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(pack())
    target.chmod(0o755)
