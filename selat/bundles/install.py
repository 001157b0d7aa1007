"""Install Selat from the bundle that this file lies in, without a network: `python3 install.py FOLDER`.

It runs where nothing is installed yet: the standard library alone. Verify the bundle first; docs/formats/bundle.md
says how, with OpenSSL and sha256sum.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
USAGE = "usage: python3 install.py FOLDER [OPTIONS OF PIP INSTALL]; FOLDER becomes a virtual environment"


def main() -> None:
    """Make the environment and install the wheels, each held to its hash; say how to go on."""
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        sys.exit(USAGE)
    folder, options = Path(sys.argv[1]), sys.argv[2:]
    requirements = HERE / "requirements.txt"
    wanted = re.match(r"# Python (\S+) on (\S+)\n", requirements.read_text("utf-8"))
    here = (f"{sys.version_info.major}.{sys.version_info.minor}", platform.machine())
    if wanted is None or wanted.groups() != here:
        said = " on ".join(wanted.groups()) if wanted else "none that is known"
        sys.exit(
            f"these wheels are for Python {said}; this is Python {' on '.join(here)}. "
            "Run this with that Python, or export a bundle with a Python like this one"
        )
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    _run([sys.executable, "-m", "venv", str(folder)], "is Python's venv module there? (Debian: python3-venv)")
    words = ["install", "--isolated", "--no-index", "--no-cache-dir", "--disable-pip-version-check", *options]
    wheels = ["--find-links", str(HERE / "wheels"), "--require-hashes", "-r", str(requirements)]
    _run([str(python), "-m", "pip", *words, *wheels], "nothing was fetched; verify the bundle and try again")
    sys.stdout.write(f"installed. Go on with: {python.with_name('selat')} up\n")


def _run(command: list[str], hint: str) -> None:
    environment = {**os.environ, "PIP_CONFIG_FILE": os.devnull}
    if subprocess.run(command, env=environment).returncode:  # noqa: S603 - our own words
        sys.exit(f"{' '.join(command[:4])} failed: {hint}")


if __name__ == "__main__":
    main()
