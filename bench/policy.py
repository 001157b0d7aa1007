"""CPU time of identifying, deciding, reserving and proving, one after another in one process: what is remembered
beside what is not.

    python bench/policy.py [--json]

Each figure is the median of seven runs, in microseconds a call (proving: milliseconds in all).
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from joserfc import jwt
from joserfc.jwk import RSAKey

from selat.core.caller import Caller, Site
from selat.core.finding import Finding, Scan
from selat.core.label import parse_label
from selat.identity import Keys, KeyWish, Tenant
from selat.identity.oidc import Provider, Tokens
from selat.policy import DEFAULT, AuthorizationRequest, Decider, PolicySet, Quota, read_invariants
from selat.policy.decide import decide
from selat.policy.quota import Limit, Spender

CALLER = Caller("default", "key_1", frozenset({"member"}), purposes=frozenset({"chat", "docs"}))
SCAN = Scan((Finding(3, 15, "MYKAD"), Finding(20, 32, "PHONE")))
ISSUER = "https://id.example"


def request(place: str) -> AuthorizationRequest:
    return AuthorizationRequest(CALLER, "infer", "garuda", Site(place), "chat", parse_label("terbuka"), SCAN)


def a_token() -> tuple[Tokens, str]:
    """A token signed by RS256, as providers do, and who verifies it with the provider's keys at hand."""
    key = RSAKey.generate_key(2048, {"kid": "k1", "use": "sig"})
    served = {
        f"{ISSUER}/.well-known/openid-configuration": {"issuer": ISSUER, "jwks_uri": f"{ISSUER}/keys"},
        f"{ISSUER}/keys": {"keys": [key.as_dict(private=False)]},
    }
    provider = Provider(ISSUER, "selat", "default")
    tokens = Tokens([provider], Tenant, b"k" * 32, lambda url: json.dumps(served[url]).encode())
    tokens.refresh(ISSUER)
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": "selat", "sub": "aminah", "iat": now, "exp": now + 3600}
    return tokens, jwt.encode({"alg": "RS256", "kid": "k1"}, claims, key)


def cpu_us(work: Callable[[], object], times: int) -> float:
    runs = []
    for _ in range(7):
        started = time.process_time()
        for _ in range(times):
            work()
        runs.append((time.process_time() - started) / times * 1e6)
    return statistics.median(runs)


def measure(folder: Path) -> dict[str, float]:
    policies = PolicySet.load(DEFAULT)
    decider, at_home, abroad = Decider(policies), request("MY"), request("SG")
    keys = Keys.open(folder / "selat.db")
    keys.ensure_tenant(Tenant("default"))
    secret = keys.create("default", KeyWish()).secret
    tokens, token = a_token()
    quota, spender = Quota(keys.database), Spender("default", "key_1", "chat")
    amounts = {"requests": 1, "tokens": 100}
    found = {
        "load and validate the set (us)": cpu_us(lambda: PolicySet.load(DEFAULT), 5),
        "decide, permit, not remembered (us)": cpu_us(lambda: decide(policies, at_home), 300),
        "decide, redact, not remembered (us)": cpu_us(lambda: decide(policies, abroad), 300),
        "decide, remembered (us)": cpu_us(lambda: decider.decide(abroad), 20_000),
        "identify, remembered (us)": cpu_us(lambda: keys.identify(secret), 20_000),
        "verify a provider's token (us)": cpu_us(lambda: tokens.claims(token, ISSUER, "selat"), 300),
        "identify by one, remembered (us)": cpu_us(lambda: tokens.identify(token), 20_000),
        "reserve, no limit set (us)": cpu_us(lambda: quota.reserve(spender, amounts), 20_000),
    }
    for unit in amounts:
        quota.set(Limit("default", "tenant", "day", unit, 10**12))
    found["reserve and settle, two limits (us)"] = cpu_us(
        lambda: quota.settle(quota.reserve(spender, amounts), {"requests": 1, "tokens": 7}), 300
    )
    started = time.process_time()
    from selat.policy.prove import prove

    found["import the prover (ms)"] = (time.process_time() - started) * 1e3
    invariants = read_invariants(DEFAULT, policies.cedar.schema)
    found[f"prove {len(invariants.all)} invariants (ms)"] = cpu_us(lambda: prove(policies, invariants), 1) / 1e3
    keys.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    as_json = parser.parse_args().json
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder))
    if as_json:
        print(json.dumps({name: round(value, 2) for name, value in found.items()}))
        return
    for name, value in found.items():
        print(f"{value:10.2f}  {name}")


if __name__ == "__main__":
    main()
