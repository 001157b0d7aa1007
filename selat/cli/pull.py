"""`selat model pull`: fetch a model from a hub, a mirror, a web directory or a folder."""

from __future__ import annotations

import os
from typing import Annotated

import typer
from rich.filesize import decimal
from rich.progress import Progress, TaskID

from selat.app import open_platform
from selat.cli.frame import CountryOption, HomeOption, JsonOption, byte_progress, say, show, show_json
from selat.core.errors import Misused
from selat.flows.pull import Terms, Watch
from selat.flows.pull import pull as pull_flow
from selat.models.licence import Licence
from selat.models.offer import Offer
from selat.models.sources import source_of
from selat.models.web import Web

SHOWN = 5


def pull(
    source: Annotated[
        str,
        typer.Argument(
            help="OWNER/NAME[@REVISION] of the hub, a URL (of a directory, or FILE#sha256=HEX), ./FOLDER."
        ),
    ],
    only: Annotated[
        list[str] | None, typer.Option(help="Weights to take, as '*Q4_K_M.gguf'; repeat for more. Else all.")
    ] = None,
    accept_license: Annotated[
        bool,
        typer.Option(
            "--accept-license", help="You have read its licence, which is not permissive, and accept it."
        ),
    ] = False,
    name: Annotated[str, typer.Option(help="Its name on the shelf, for a URL or folder.")] = "",
    licence: Annotated[str, typer.Option("--license", help="Its licence, where the source names none.")] = "",
    vendor: Annotated[str, typer.Option(help="Who made it.")] = "",
    country: CountryOption = "",
    endpoint: Annotated[
        str, typer.Option(help="Another hub or mirror, as http://HOST:7352/hf; else the setting model_hub.")
    ] = "",
    token_env: Annotated[
        str, typer.Option(help="Environment variable with the token; for model_hub else HF_TOKEN.")
    ] = "",
    jobs: Annotated[int, typer.Option(min=1, max=16, help="Files at once.")] = 4,
    home: HomeOption = None,
    json_: JsonOption = False,
) -> None:
    """Fetch a model, every file verified as it comes; goes on where an earlier pull was interrupted."""
    if token_env and token_env not in os.environ:
        raise Misused(f"--token-env: there is no environment variable {token_env}")
    # The hub's token goes to the hub that the settings name, and nowhere else unasked.
    unasked = not endpoint and "://" not in source
    token = os.environ.get(token_env or ("HF_TOKEN" if unasked else ""), "")
    terms = Terms(accept_license, licence, vendor, country, jobs)
    with open_platform(home) as platform, byte_progress("fetching", 0, quiet=json_) as bar:
        found = source_of(source, Web(token), endpoint or platform.settings.model_hub, name, tuple(only or ()))
        watch = Watch(
            lambda offer, its: _offered(bar, offer, its, quiet=json_), lambda size: bar.advance(TaskID(0), size)
        )
        model = pull_flow(platform.shelving(), found, terms, watch)
    if json_:
        show_json(model.to_json())
    else:
        show(f"pulled {model.title}: {len(model.files)} files, {decimal(model.size_bytes)}")


def _offered(bar: Progress, offer: Offer, licence: Licence, *, quiet: bool) -> None:
    bar.update(TaskID(0), total=offer.size_bytes, description=offer.name)
    if quiet:
        return
    say(f"{offer.name} {offer.revision[:12]}: {len(offer.files)} files, {decimal(offer.size_bytes)}")
    say(f"licence: {licence.title}{'; ' + licence.source if licence.source else ''}")
    if licence.forbids:
        say(f"  forbids: {licence.forbids}\n  melarang: {licence.forbids_ms}")
    for reason in offer.left_out[:SHOWN]:
        say(f"left out: {reason}")
    if len(offer.left_out) > SHOWN:
        say(f"left out: {len(offer.left_out) - SHOWN} more")
