"""`selat model bom`: a model's description as a CycloneDX ML-BOM, and a vendor's taken as claims."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from selat import __version__
from selat.app import open_platform
from selat.cli.frame import HomeOption, JsonOption, say, show, show_json
from selat.core.errors import Misused
from selat.flows.bom import Noted, describe, note_bom
from selat.flows.claims import Claims
from selat.flows.promote import Registry
from selat.models.bom import write_bom
from selat.models.bom_reader import MAX_BOM_BYTES
from selat.stamps import fresh_id, now


def bom(
    name: Annotated[str, typer.Argument(help="The model: NAME, OWNER/NAME or OWNER/NAME@REVISION.")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write it there; else to stdout.")] = None,
    import_: Annotated[
        Path | None, typer.Option("--import", help="A vendor's BOM of this model: it is noted as claims.")
    ] = None,
    home: HomeOption = None,
    json_: JsonOption = False,
) -> None:
    """Describe a model as a CycloneDX ML-BOM (JSON, 1.6), or note what a vendor's BOM claims of it."""
    if output and import_:
        raise Misused("write a BOM or read one: --output or --import, not both")
    with open_platform(home) as platform:
        model = platform.models.model(name)
        registry = Registry.of(platform.home)
        if import_ is None:
            text = write_bom(model, describe(platform.models, model, registry), fresh_id(), now(), __version__)
        else:
            _show(note_bom(platform.shelving(), model, Claims(registry.folder), _content(import_)), json_=json_)
            return
    if output is None:
        show(text.decode().rstrip("\n"))
        return
    output.write_bytes(text)
    if json_:
        show_json({"model": model.name, "revision": model.revision, "output": str(output)})
    else:
        show(f"{output}  {model.title}, CycloneDX 1.6")


def _show(noted: Noted, *, json_: bool) -> None:
    if json_:
        show_json(noted.to_json())
        return
    show(f"claimed of {noted.model.title}: {', '.join(noted.filled) or 'no field'}; {noted.scores} scores")
    if noted.kept:
        say(f"the record says something else, and stays: {', '.join(noted.kept)}")
    if noted.said.passed_over:
        say(f"not shares of 1, and passed over: {', '.join(noted.said.passed_over[:5])}")
    if not noted.held:
        say("the BOM states no digest of these files: nothing but the name ties it to them")


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BOM_BYTES + 1)
    except OSError as error:
        raise Misused(f"{path}: {error.strerror}; name a BOM in JSON") from error
