"""`selat witness`: cosign other logs' checkpoints, so that none can show different books to different people."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from selat.cli.frame import JsonOption, say, show, show_json
from selat.core.errors import LedgerBroken, Misused
from selat.core.signature import COSIGN_ED25519, COSIGN_MLDSA44
from selat.core.trust import parse_trust
from selat.ledger import Witness, load_signer, make_signer, save_signer
from selat.ledger.witness_server import witness_server
from selat.named import read_text

app = typer.Typer(help="Cosign other logs' checkpoints (c2sp.org/tlog-witness).", no_args_is_help=True)

Folder = Annotated[Path, typer.Option("--folder", help="Where the witness keeps its keys and what it has seen.")]
LOGS = "a file with a `log` line for each log to watch, and `quorum none`"
KEYS = {"witness.key": COSIGN_ED25519, "witness-mldsa.key": COSIGN_MLDSA44}


@app.command()
def init(
    name: Annotated[str, typer.Argument(help="The witness's name, like witness.example/w1.")],
    folder: Folder = Path("witness"),
    post_quantum: Annotated[bool, typer.Option("--post-quantum", help="Add an ML-DSA-44 key.")] = False,
    json_: JsonOption = False,
) -> None:
    """Make a witness's keys; print what logs and verifiers put into their trust files."""
    lines = []
    for file, kind in KEYS.items():
        if kind == COSIGN_ED25519 or post_quantum:
            signer = make_signer(name, kind)
            save_signer(folder / file, signer)
            lines.append(str(signer.key))
    if json_:
        show_json({"keys": lines})
        return
    for line in lines:
        show(line)
    say("Put into a log's trust file: witness <a name> <key above> <URL of this witness>")


@app.command()
def serve(
    trust: Annotated[Path, typer.Option(help="The logs to watch: a trust file with their `log` lines.")],
    folder: Folder = Path("witness"),
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")] = 7353,
) -> None:
    """Answer `POST add-checkpoint` until Ctrl-C. Run it elsewhere than the log, by other hands than the log's."""
    signers = [load_signer(folder / file) for file in KEYS if (folder / file).exists()]
    if not signers:
        raise Misused(f"no key in {folder}: selat witness init NAME --folder {folder}")
    try:
        watched = parse_trust(read_text(trust, LOGS))
    except LedgerBroken as error:
        raise Misused(f"{trust}: {error}; name {LOGS}") from error
    try:
        server = witness_server(Witness(folder, signers, watched), host, port)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or "not a port"
        raise Misused(
            f"cannot listen on {host}:{port} ({reason}); choose another with --host and --port"
        ) from error
    show(f"http://{host}:{server.server_address[1]}")
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.server_close()
