"""Proving anew because somebody asks: in a process of its own, how far it is in a file that every worker reads.

`python -m selat.policy.again FOLDER FILE` is that process.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from selat.core.errors import PolicyBroken
from selat.policy.invariants import read_invariants
from selat.policy.sets import PolicySet


class Found(msgspec.Struct, frozen=True):
    """What came of one invariant; `broken` is a request that breaks it, in Malay and English."""

    id: str
    proved: bool
    milliseconds: float
    broken: dict[str, str] = {}


class Round(msgspec.Struct, frozen=True):
    """One proving: of which set, schema and invariants (hex SHA-256), how many of `of` are done, and when.

    Times are RFC 3339, UTC. `ended` is "" while it runs; `trouble` says why it ended early.
    """

    began: str
    set: str = ""
    schema: str = ""
    invariants: str = ""
    of: int = 0
    found: tuple[Found, ...] = ()
    ended: str = ""
    trouble: str = ""

    @property
    def proved(self) -> bool:
        return bool(self.ended and self.found and not self.trouble) and all(one.proved for one in self.found)


def last_round(file: Path) -> Round | None:
    """The proving that runs or ran last; None where none did. One whose process is gone has ended."""
    try:
        told = msgspec.json.decode(file.read_bytes(), type=Round)
    except (OSError, msgspec.DecodeError):
        return None
    if told.ended or _held(file):
        return told
    return msgspec.structs.replace(told, ended=told.began, trouble="the prover was stopped before it was done")


def begin(folder: Path, file: Path) -> bool:
    """Prove the set in `folder` anew, in the background; False where that is being done already."""
    file.parent.mkdir(parents=True, exist_ok=True)
    lock = _lock(file)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        _write(file, Round(_now()))
        command = (sys.executable, "-m", "selat.policy.again", str(folder), str(file))
        # The process inherits the lock, and holds it until it is gone.
        prover = subprocess.Popen(  # noqa: S603 - our own module
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, pass_fds=(lock,)
        )
        threading.Thread(target=prover.wait, daemon=True).start()  # so that its process table entry goes
    finally:
        os.close(lock)
    return True


def run(folder: Path, file: Path) -> Round:
    """Prove the set in `folder`, telling `file` after each invariant."""
    from selat.policy.prove import proving  # Z3: a fifth of a second and 60 MB, in this process alone

    told = Round(_now())
    try:
        policies = PolicySet.load(folder)
        invariants = read_invariants(folder, policies.cedar.schema)
        basis = policies.basis
        told = Round(told.began, basis.set_hash, basis.schema_hash, invariants.hash, len(invariants.all))
        for proof in proving(policies, invariants):
            broken = {"ms": proof.broken.words("ms"), "en": proof.broken.words("en")} if proof.broken else {}
            one = Found(proof.invariant.id, not broken, round(proof.milliseconds, 1), broken)
            told = msgspec.structs.replace(told, found=(*told.found, one))
            _write(file, told)
    except PolicyBroken as error:
        told = msgspec.structs.replace(told, trouble=str(error))
    told = msgspec.structs.replace(told, ended=_now())
    _write(file, told)
    return told


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _write(file: Path, told: Round) -> None:
    fresh = file.with_suffix(f".{os.getpid()}.new")
    fresh.write_bytes(msgspec.json.encode(told))
    fresh.replace(file)


def _lock(file: Path) -> int:
    return os.open(file.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _held(file: Path) -> bool:
    """Whether a process is proving."""
    lock = _lock(file)
    with contextlib.closing(os.fdopen(lock)):
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


if __name__ == "__main__":
    run(Path(sys.argv[1]), Path(sys.argv[2]))
