"""The first answer: its receipt is fetched through the public API like any caller's, and verified offline."""

from __future__ import annotations

import http.client
import json
import os
import ssl
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from selat.cli.frame import say, show
from selat.core.errors import HomeBroken, LedgerBroken, Unavailable
from selat.flows.receipt import last_proof

QUESTION = "Berapa lama masa untuk lapor kebocoran data peribadi?"
READY_WITHIN_S = 60.0
RECEIPT_WITHIN_S = 15.0
# The socket listens before any worker does, so a probe may connect and then hear nothing.
PROBE_S = 1.0


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> dict[str, object]:
        value = json.loads(self.body)
        return value if isinstance(value, dict) else {}


@dataclass(frozen=True, slots=True)
class Peer:
    """The gateway as this process reaches it. `tls` trusts the gateway's own certificate and nothing else."""

    address: str
    tls: ssl.SSLContext | None = None


def peer(address: str, certificate: Path | None) -> Peer:
    """How to reach a gateway at `address` that shows the certificate in that file. Raises: HomeBroken."""
    if certificate is None:
        return Peer(address)
    try:
        tls = ssl.create_default_context(cafile=certificate)
    except OSError as error:  # ssl.SSLError is one
        raise HomeBroken(
            f"tls_certificate_file: {certificate} does not load: {error.strerror}; name a PEM file in selat.toml"
        ) from error
    # We reach ourselves by address, whatever name the certificate is for; only that certificate is trusted.
    tls.check_hostname = False
    tls.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return Peer(address, tls)


def call(gateway: Peer, path: str, key: str = "", body: object = None, timeout_s: float = 60) -> Response:
    """One HTTP exchange with the gateway, a POST when there is a body. Raises: Unavailable."""
    parts = urlsplit(gateway.address)
    host = parts.hostname or ""
    connection = (
        http.client.HTTPSConnection(host, parts.port, timeout=timeout_s, context=gateway.tls)
        if gateway.tls
        else http.client.HTTPConnection(host, parts.port, timeout=timeout_s)
    )
    headers = {"authorization": f"Bearer {key}"} if key else {}
    data = None
    if body is not None:
        data = json.dumps(body).encode()
        headers["content-type"] = "application/json"
    try:
        connection.request("GET" if data is None else "POST", path, data, headers)
        reply = connection.getresponse()
        found = {name.lower(): value for name, value in reply.getheaders()}
        return Response(reply.status, found, reply.read())
    except (OSError, http.client.HTTPException) as error:
        raise Unavailable(f"the gateway at {gateway.address} does not answer: {error}") from error
    finally:
        connection.close()


def wait_until_ready(gateway: Peer, parent: int) -> None:
    """Return once /readyz says 200.

    Raises: Unavailable, with what is not in order after READY_WITHIN_S, or when `parent`, who started us, is gone.
    """
    deadline = time.monotonic() + READY_WITHIN_S
    problems: object = "no worker answers"
    while time.monotonic() < deadline:
        if os.getppid() != parent:
            raise Unavailable("`selat up` was killed before it was ready; start it again")
        try:
            reply = call(gateway, "/readyz", timeout_s=PROBE_S)
        except Unavailable:
            time.sleep(0.1)
            continue
        if reply.status == 200:
            return
        problems = reply.json().get("problems", problems)
        time.sleep(0.1)
    raise Unavailable(f"Selat was not ready within {READY_WITHIN_S:.0f} s: {problems}; the log above says why")


@dataclass(frozen=True, slots=True)
class FirstAnswer:
    """What came back for the first question, and what the offline check of its receipt said."""

    question: str
    answer: str
    citations: list[dict[str, object]]
    decision: str
    label: str
    receipt: str
    proof: Path
    verified: str = field(default="")

    def to_json(self) -> dict[str, object]:
        return {
            "question": self.question,
            "answer": self.answer,
            "citations": self.citations,
            "decision": self.decision,
            "label": self.label,
            "receipt": self.receipt,
            "proof": str(self.proof),
            "verified": self.verified,
        }

    def print(self) -> None:
        show(f"\nSoalan    {self.question}")
        show(f"Jawapan   {self.answer}")
        for citation in self.citations:
            show(f"  [{citation.get('marker')}] {citation.get('title')} ({citation.get('origin')})")
        show(f"Keputusan {self.decision}; label {self.label}")
        show(f"Resit     {self.receipt}")
        show(f"          {self.proof}")
        show(f"Disahkan  {self.verified}")


def first_question(
    gateway: Peer, key: str, answer: Mapping[str, object], proofs: Path, verify: Callable[[str], str]
) -> FirstAnswer:
    """What was answered, with its receipt's proof: fetched from the gateway, kept in `proofs`, verified offline.

    Raises: Unavailable or LedgerBroken, when the proof does not come or does not verify.
    """
    receipt, citations = str(answer["receipt"]), answer["citations"]
    proof = _proof(gateway, key, receipt)
    proofs.mkdir(exist_ok=True, mode=0o700)
    path = proofs / f"{receipt}.tlog-proof"
    path.write_text(proof)
    return FirstAnswer(
        question=QUESTION,
        answer=str(answer["answer"]),
        citations=citations if isinstance(citations, list) else [],
        decision=str(answer["decision"]),
        label=str(answer["label"]),
        receipt=receipt,
        proof=path,
        verified=verify(proof),
    )


def _proof(gateway: Peer, key: str, receipt: str) -> str:
    """The proof of how the request ended, once that is sealed."""
    deadline = time.monotonic() + RECEIPT_WITHIN_S
    while time.monotonic() < deadline:
        reply = call(gateway, f"/v1/receipts/{receipt}", key)
        if reply.status == 200 and (found := reply.json()).get("status") != "open":
            return last_proof(found)
        time.sleep(0.1)
    raise LedgerBroken(
        f"receipt {receipt} was not sealed within {RECEIPT_WITHIN_S:.0f} s; is the sequencer running?"
    )


def what_next(address: str, secret: str | None, home: Path) -> None:
    """What to try next, with the key where it is shown for the only time."""
    shown = secret or "sk-selat-…"
    command = _command()
    if secret:
        show(f"\nKunci API (dipaparkan sekali sahaja / shown once): {secret}")
    else:
        show(f"\nBuat kunci lain / make another key: {command} key create --name mine")
    show(f"""
Cuba seterusnya / try next:

  curl {address}/v1/chat/completions -H 'authorization: Bearer {shown}' \\
    -H 'content-type: application/json' \\
    -d '{{"model":"docs","messages":[{{"role":"user","content":"Bila DPO wajib dilantik?"}}]}}'

  from openai import OpenAI
  client = OpenAI(base_url="{address}/v1", api_key="{shown}")

  {command} --help          every command; its home is {home}
  {command} engine add      put a vLLM, Ollama or llama.cpp server behind the same gateway
""")


def where_to_look(console: str, *, first: bool) -> None:
    """The console's address; while nobody has an account, with the link that lets the first person in."""
    if first:
        show("Konsol / console: buka sekali untuk membuat akaun anda / open once to make your account")
    else:
        show("Konsol / console:")
    show(f"\n  {console}\n")
    say("serving; Ctrl-C stops it")


def _command() -> str:
    """How to call selat from here: the way this process was called."""
    called = Path(sys.argv[0])
    if called.name != "selat":
        return "selat"
    return str(called.relative_to(Path.cwd())) if called.is_relative_to(Path.cwd()) else str(called)
