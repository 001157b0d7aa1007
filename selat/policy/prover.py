"""The process that proves: a folder of policies in, one JSON line out; Z3 and its 60 MB end with it."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path

from selat.core.errors import PolicyBroken
from selat.policy.invariants import Invariants, read_invariants
from selat.policy.prove import prove
from selat.policy.proved import OutsideSubset, key_of
from selat.policy.sets import PolicySet

log = logging.getLogger("selat.policy")


def answer(folder: Path, *, allow_unproved: bool) -> dict[str, object]:
    """Whether the set in `folder` is `proved`, and what it was `of`; or why it is `broken`."""
    try:
        policies = PolicySet.load(folder)
        invariants = read_invariants(folder, policies.cedar.schema)
        proved = _proved(policies, invariants, allow_unproved=allow_unproved)
        return {"proved": proved, "of": key_of(policies, invariants)}
    except PolicyBroken as error:
        return {"broken": str(error), "outside": isinstance(error, OutsideSubset)}


def _proved(policies: PolicySet, invariants: Invariants, *, allow_unproved: bool) -> bool:
    try:
        proofs = prove(policies, invariants)
    except OutsideSubset as error:
        if not allow_unproved:
            raise
        log.warning("the policy set is in force and not proved: %s", error)
        return False
    for proof in proofs:
        if proof.broken is not None:
            raise PolicyBroken(
                f"invariants.toml: invariant '{proof.invariant.id}' is broken ({proof.invariant.en}) by this "
                f"request: {proof.broken.words()}; it is permitted by {', '.join(proof.permitted_by)}. "
                "Mend the policies; see also: selat policy prove"
            )
    return True


if __name__ == "__main__":
    sys.stdout.write(json.dumps(answer(Path(sys.argv[1]), allow_unproved=sys.argv[2] == "allow")) + "\n")
