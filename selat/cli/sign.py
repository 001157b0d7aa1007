"""`selat model sign` and `selat model verify`: signatures of models as OpenSSF Model Signing has them."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.progress import TaskID

from selat.app import open_platform
from selat.cli.frame import HomeOption, JsonOption, byte_progress, say, show, show_json
from selat.core.errors import Misused
from selat.flows.shelve import Shelving
from selat.models import Model, Signed
from selat.models.signers import Trust, read_signer, read_trust
from selat.models.store import Damage


def sign(
    name: Annotated[str, typer.Argument(help="The model: NAME, OWNER/NAME or OWNER/NAME@REVISION.")],
    key: Annotated[Path, typer.Option(help="Private key, as PEM, on P-256, P-384 or P-521.")],
    certificate: Annotated[Path | None, typer.Option(help="The key's certificate, as PEM.")] = None,
    chain: Annotated[
        list[Path] | None, typer.Option(help="Certificates between it and its authority; repeat for more.")
    ] = None,
    password_env: Annotated[str, typer.Option(help="Environment variable with the key's password.")] = "",
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Write the signature there, and not among the model's files."),
    ] = None,
    home: HomeOption = None,
    json_: JsonOption = False,
) -> None:
    """Sign all files of a model on the shelf; the signature lies with them as model.sig, for anyone to verify."""
    if password_env and password_env not in os.environ:
        raise Misused(f"--password-env: there is no environment variable {password_env}")
    signer = read_signer(key, certificate, chain or (), os.environ.get(password_env, ""))
    with open_platform(home) as platform:
        shelving = platform.shelving()
        model = platform.models.model(name)
        if output:
            output.write_bytes(shelving.signature(model, signer))
        else:
            model = shelving.sign(model, signer)
    if json_:
        show_json({"model": model.name, "revision": model.revision, "signer": signer.name})
    else:
        show(f"signed {model.title} by {signer.name}{f': {output}' if output else ''}")


def verify(
    name: Annotated[str, typer.Argument(help="One model; else all of them.")] = "",
    signature: Annotated[Path | None, typer.Option(help="A signature; else the model's own model.sig.")] = None,
    public_key: Annotated[
        list[Path] | None, typer.Option(help="Public key, as PEM, that must have signed; repeat for more.")
    ] = None,
    authority: Annotated[
        list[Path] | None, typer.Option(help="Certificates of an authority that stands for the signer, as PEM.")
    ] = None,
    partial_: Annotated[
        bool, typer.Option("--partial", help="Files that were signed may be missing here.")
    ] = False,
    home: HomeOption = None,
    json_: JsonOption = False,
) -> None:
    """Read every byte again, compare it with the record and with a signature; exit 1 when something differs."""
    trust = read_trust([*(public_key or ()), *(authority or ())])
    signed: Signed | None = None
    with open_platform(home) as platform:
        store, shelving = platform.models, platform.shelving()
        if (trust or signature) and not name:
            raise Misused("a signature is of one model; name it")
        models = [store.model(name)] if name else store.models()
        damaged = _read(shelving, models, quiet=json_)
        if (trust or signature) and not damaged:
            given = _content(signature) if signature else None
            trusted = trust or _trusted(shelving)
            signed = shelving.vouch(models[0], trusted, given, partial=partial_).signed
    if json_:
        rows = [{"model": one.model, "path": one.path, "state": one.state} for one in damaged]
        told = {"models": len(models), "damaged": rows}
        show_json(told if signed is None else {**told, "signed": msgspec.to_builtins(signed)})
    else:
        for one in damaged:
            show(f"{one.state.upper()}  {one.model}  {one.path}")
        show(f"{len(models)} models read: {len(damaged)} files are not what they were")
        if signed:
            show(f"signed by {signed.signer}")
            if signed.absent:
                say(f"{signed.absent} of the signed files are not kept here")
    if damaged:
        raise typer.Exit(1)


def _read(shelving: Shelving, models: list[Model], *, quiet: bool) -> list[Damage]:
    total = sum(model.size_bytes for model in models)
    with byte_progress("verifying", total, quiet=quiet) as bar:
        return [one for model in models for one in shelving.verify(model, partial(bar.advance, TaskID(0)))]


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Misused(f"{path}: {error.strerror}; name a model.sig") from error


def _trusted(shelving: Shelving) -> Trust:
    if not shelving.signatures.trust:
        raise Misused("whose signature should it be? Name it: --public-key FILE, or --authority FILE")
    return shelving.signatures.trust
