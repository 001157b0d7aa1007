"""`selat bundle`: carry models, documents and policy over an air gap, signed; verify and take them in."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.filesize import decimal
from rich.progress import TaskID

from selat.app import DEFAULT_TENANT, Platform, open_platform
from selat.bundles import Cover, Manifest, open_bundle, read_keys
from selat.cli.frame import HomeOption, JsonOption, byte_progress, say, show, show_json
from selat.core.caller import Caller
from selat.core.errors import Misused, NotFound
from selat.core.label import Label
from selat.core.note import VerifierKey
from selat.flows.bundles.arrive import Coming, arrive
from selat.flows.bundles.leave import Wish, key_of, leave, show_key
from selat.flows.bundles.parts import Terms
from selat.flows.bundles.wheels import Wheels
from selat.flows.upload import read_waiting
from selat.stamps import now

app = typer.Typer(help="Carry models, documents and policy over an air gap.", no_args_is_help=True)
TELL_EVERY_S = 30.0

FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="The bundle: a folder, or a .tar.")]
TrustOption = Annotated[
    list[str] | None,
    typer.Option(
        "--trust", help="The key of the house that made it, as selat bundle key prints it, or a file of keys."
    ),
]
KeyEnvOption = Annotated[
    str,
    typer.Option(help="Environment variable with the API key in whose name this is done; else this machine's."),
]
TenantOption = Annotated[str, typer.Option("--tenant", help="Whose documents.")]


@app.command()
def export(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The folder to make, or a file that ends in .tar.")],
    model: Annotated[list[str] | None, typer.Option(help="A model on the shelf; repeat for more.")] = None,
    collection: Annotated[
        list[str] | None, typer.Option(help="A collection of documents; repeat for more.")
    ] = None,
    policy: Annotated[bool, typer.Option("--policy", help="The policies in force and the rule packs.")] = False,
    evals: Annotated[bool, typer.Option("--evals", help="Results of evals, with their packs.")] = False,
    kits: Annotated[bool, typer.Option("--kits", help="Kits: sample guides, and those of the home.")] = False,
    all_: Annotated[
        bool, typer.Option("--all", help="All that this home holds; wheels are asked for apart.")
    ] = False,
    wheels: Annotated[
        bool, typer.Option("--wheels", help="Selat itself, to be installed without a network: install.py.")
    ] = False,
    extra: Annotated[
        list[str] | None, typer.Option(help="An extra whose wheels come along: llama, embed, postgresql.")
    ] = None,
    wheels_from: Annotated[
        Path | None, typer.Option(help="A folder that holds the wheels; else pip's package index is asked.")
    ] = None,
    key_env: KeyEnvOption = "",
    tenant: TenantOption = DEFAULT_TENANT,
    home: HomeOption = None,
    json_: JsonOption = False,
) -> None:
    """Write a signed bundle; documents above the clearance of whoever exports are refused, and it is booked."""
    wanted = Wheels(tuple(extra or ()), wheels_from) if wheels or extra or wheels_from else None
    wish = Wish(tuple(model or ()), tuple(collection or ()), policy, evals, kits, all_, wanted)
    with open_platform(home) as platform:
        packed = leave(platform, wish, _caller(platform, key_env, tenant), now())
        with _progress("writing", packed.manifest.size_bytes, json_) as told:
            done = packed.write(out, told)
    if json_:
        show_json({"path": str(out), **done.to_json()})
        return
    for line in done.told:
        say(line)
    show(
        f"{out}: {done.cover.files} files, {decimal(done.cover.size_bytes)}, label {done.cover.label or 'lowest'}"
    )
    show(f"manifest {done.cover.manifest}")
    say(f"signed by {done.cover.key}; give that key to the other house by another road: selat bundle key")


@app.command("show")
def show_(file: FileArgument, home: HomeOption = None, json_: JsonOption = False) -> None:
    """What a bundle says of itself; its signature and its files are not checked by this."""
    with open_bundle(file, None) as opened:
        cover, manifest = opened.cover, opened.manifest
    if json_:
        show_json({"verified": False, **_cover(cover), "holds": _holds(manifest)})
        return
    for name, value in _cover(cover).items():
        if value:
            show(f"{name:12} {value}")
    for kind, (count, size) in _holds(manifest).items():
        show(f"  {kind:12} {count:>7} files  {decimal(size):>10}")
    say("nothing of this is verified yet: selat bundle verify FILE --trust KEY")


@app.command()
def verify(
    file: FileArgument, trust: TrustOption = None, home: HomeOption = None, json_: JsonOption = False
) -> None:
    """Check the signature, then read every file once; exit 1 names the first that is wrong, with both digests."""
    with open_bundle(file, _keys(trust)) as opened:
        with _progress("verifying", opened.manifest.size_bytes, json_) as told:
            opened.verify(told)
        cover = opened.cover
    if json_:
        show_json({"verified": True, **_cover(cover), "holds": _holds(opened.manifest)})
    else:
        show(f"good: {cover.files} files, {decimal(cover.size_bytes)}, made by {cover.home} on {cover.made}")


@app.command("import")
def import_(
    file: FileArgument,
    trust: TrustOption = None,
    accept_license: Annotated[
        bool, typer.Option("--accept-license", help="You have read the licences that are not permissive.")
    ] = False,
    admit: Annotated[bool, typer.Option("--admit", help="Models are ready at once, not in quarantine.")] = False,
    activate: Annotated[
        bool, typer.Option("--activate", help="Policies are in force at once, if proved.")
    ] = False,
    key_env: KeyEnvOption = "",
    tenant: TenantOption = DEFAULT_TENANT,
    home: HomeOption = None,
    json_: JsonOption = False,
) -> None:
    """Take a bundle in once all of it is verified; interrupted, it goes on; repeated, there is nothing to do."""
    keys = _keys(trust)
    with open_platform(home) as platform, open_bundle(file, keys) as opened:
        with _progress("verifying", opened.manifest.size_bytes, json_) as told:
            terms = Terms(accept_license, admit, activate)
            done = arrive(platform, opened, Coming(_caller(platform, key_env, tenant), terms, told))
        if done.came.get("documents"):
            _read(platform, tenant)
    if json_:
        show_json(done.to_json())
        return
    for line in done.told:
        say(line)
    came = ", ".join(f"{count} {name}" for name, count in done.came.items() if count)
    show(f"imported {came}; receipt {done.receipt}" if done.receipt else "nothing to do: all of it is here")


@app.command()
def key(home: HomeOption = None, json_: JsonOption = False) -> None:
    """The key that signs this home's bundles, for other houses to trust, and its fingerprint to compare."""
    with open_platform(home) as platform:
        shown = show_key(key_of(platform).key)
    if json_:
        show_json(shown)
    else:
        show(shown["key"])
        say(f"fingerprint {shown['fingerprint']}")


def _caller(platform: Platform, key_env: str, tenant: str) -> Caller:
    """Whoever holds the key; without one, whoever works at this machine."""
    if not key_env:
        return platform.local_caller(tenant)
    secret = os.environ.get(key_env, "")
    if not secret:
        raise Misused(f"--key-env: set {key_env} to an API key")
    caller = platform.keys.identify(secret)
    if caller.tenant != tenant:
        raise NotFound("no such tenant")
    return caller


def _keys(trust: list[str] | None) -> tuple[VerifierKey, ...]:
    if not trust:
        raise Misused(
            "--trust: give the key of the house that made it; that house prints it with: selat bundle key"
        )
    return read_keys(trust)


def _read(platform: Platform, tenant: str) -> None:
    """What came in is searchable at once, unless a gateway runs and reads it."""

    def floor(of: str) -> Label:
        return platform.keys.tenant(of).highest_label

    done = read_waiting(platform.library, floor, platform.record, lambda: True)
    waiting = platform.library.inbox.progress(tenant).waiting
    say(f"{done} documents read" + (f", {waiting} wait to be read" if waiting else ""))


def _cover(cover: Cover) -> dict[str, object]:
    names = (
        "home",
        "by",
        "made",
        "key",
        "manifest",
        "files",
        "size_bytes",
        "selat",
        "label",
        "python",
        "platform",
    )
    return {name: getattr(cover, name) for name in names} | {"fingerprint": cover.fingerprint}


def _holds(manifest: Manifest) -> dict[str, tuple[int, int]]:
    found: dict[str, tuple[int, int]] = {}
    for item in manifest.files:
        count, size = found.get(item.kind, (0, 0))
        found[item.kind] = count + 1, size + item.size_bytes
    return dict(sorted(found.items()))


@contextmanager
def _progress(title: str, total: int, quiet: bool) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal; elsewhere a line now and then, with the time that is left."""
    begun = told_at = time.monotonic()
    done = 0
    with byte_progress(title, total, quiet=quiet) as bar:

        def told(size_bytes: int) -> None:
            nonlocal done, told_at
            done += size_bytes
            bar.advance(TaskID(0), size_bytes)
            at = time.monotonic()
            if bar.disable and not quiet and at - told_at >= TELL_EVERY_S:
                told_at, rate = at, done / (at - begun)
                left_s = (total - done) / rate
                so_far = f"{decimal(done)} of {decimal(total)}, {rate / 1e6:.0f} MB/s"
                say(f"{title}: {so_far}, about {left_s:.0f} s left")

        yield told
