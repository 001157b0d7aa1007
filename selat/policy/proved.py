"""Loads a set only if its invariants are proved; a proof is remembered by what it is about."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from selat.core.errors import PolicyBroken
from selat.policy.invariants import Invariants, read_invariants
from selat.policy.sets import PolicySet

log = logging.getLogger("selat.policy")

PROVER = 1  # raise when the translator's meaning changes: earlier proofs are then made again
KEPT = 32


class OutsideSubset(PolicyBroken):
    """A policy uses what the prover does not cover; loading it needs the setting that allows unproved sets."""


def load_proved(folder: Path, cache: Path | None = None, *, allow_unproved: bool = False) -> PolicySet:
    """The set in `folder`, its `basis.proof` naming the invariants that were proved of it.

    `cache` is a file that remembers proofs by the hashes of set, schema and invariants, so that the workers of
    one gateway prove once between them; whoever may write it may write the policies too.
    With `allow_unproved` a set outside the provable subset loads with `basis.proof` empty, which every receipt
    shows as "not proved"; one that breaks an invariant never loads.
    Raises: PolicyBroken, naming the policy, or the invariant with a request that breaks it.
    """
    policies = PolicySet.load(folder)
    invariants = read_invariants(folder, policies.cedar.schema)
    if not invariants.all:
        log.warning("%s holds no invariants, so nothing is proved of the policies", folder)
        return policies
    key = key_of(policies, invariants)
    if key not in _remembered(cache):
        if not _proved_aside(folder, key, allow_unproved):
            return policies
        _remember(cache, key)
    return replace(policies, basis=replace(policies.basis, proof=invariants.hash))


def _proved_aside(folder: Path, key: str, allow_unproved: bool) -> bool:
    """Prove in a process of its own, so that Z3's 60 MB do not stay in a worker that serves for months.

    A plain one: a pool of multiprocessing leaves a second process behind, for as long as we live.
    """
    command = [sys.executable, "-m", "selat.policy.prover", str(folder), "allow" if allow_unproved else "refuse"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)  # noqa: S603 - our own prover
    try:
        said = json.loads(done.stdout)
    except ValueError as error:
        raise PolicyBroken("the prover ended before it was done; is there memory for it (60 MB)?") from error
    if "broken" in said:
        raise (OutsideSubset if said["outside"] else PolicyBroken)(said["broken"])
    if said["of"] != key:
        raise PolicyBroken(f"{folder} was changed while it was proved; it will be looked at again")
    return bool(said["proved"])


def key_of(policies: PolicySet, invariants: Invariants) -> str:
    """What a proof is about, so that it is found again."""
    about = [str(PROVER), policies.basis.set_hash, policies.basis.schema_hash, invariants.hash]
    return hashlib.sha256("\n".join(about).encode()).hexdigest()


def _remembered(cache: Path | None) -> list[str]:
    """The keys of proofs made before; a file that is missing or damaged only means proving again."""
    if cache is None:
        return []
    try:
        keys = json.loads(cache.read_text("utf-8"))["proved"]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    return [key for key in keys if isinstance(key, str)] if isinstance(keys, list) else []


def _remember(cache: Path | None, key: str) -> None:
    if cache is None:
        return
    keys = [*_remembered(cache), key][-KEPT:]
    fresh = cache.with_suffix(f".{os.getpid()}.new")
    try:
        cache.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_text(json.dumps({"proved": keys}, indent=1), "utf-8")
        fresh.replace(cache)
    except OSError as error:
        log.warning("a proof could not be remembered in %s (%s)", cache, type(error).__name__)
