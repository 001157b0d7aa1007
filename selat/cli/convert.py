"""`selat model convert`: safetensors become a GGUF file that Selat can run."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from selat.app import open_platform
from selat.cli.frame import HomeOption, JsonOption, progress, say, show, show_json
from selat.core.errors import Misused
from selat.flows.converted import may_derive, shelve_converted
from selat.models import Model
from selat.models.record import check_name

if TYPE_CHECKING:
    from selat.convert import Converted


def enlist(app: typer.Typer) -> None:
    """Put the command under `selat model`."""
    app.command("convert")(convert)


def convert(
    source: Annotated[
        str, typer.Argument(metavar="FOLDER|MODEL", help="A folder of safetensors, or a model on the shelf.")
    ],
    out: Annotated[Path | None, typer.Argument(help="The GGUF file to write; not with --shelf.")] = None,
    form: Annotated[str, typer.Option(help="f32, f16, bf16, q8_0, q6_k, q5_k_m or q4_k_m.")] = "f16",
    base: Annotated[Path | None, typer.Option(help="Of a LoRA adapter: the folder of its model.")] = None,
    pre_tokenizer: Annotated[
        str, typer.Option(help="How the tokenizer cuts text, where that is not recognised.")
    ] = "",
    shelf: Annotated[
        str, typer.Option(help="Put it onto the shelf under this name, with what it was made of and how.")
    ] = "",
    home: HomeOption = None,
    json_: JsonOption = False,
) -> None:
    """Convert a Llama- or Qwen-family model or a LoRA adapter, and quantise it (needs the extra `llama`)."""
    if (out is None) == (not shelf):
        raise Misused("say where it goes: a file to write, or --shelf NAME")
    form = form.lower()
    if shelf:
        model = _onto_shelf(home, source, check_name(shelf), (form, base, pre_tokenizer))
        _show(model, json_=json_)
        return
    assert out is not None
    folder = Path(source)
    if not folder.is_dir():
        with open_platform(home) as platform:
            folder = platform.models.path_of(platform.models.model(source))
    made = _convert(folder, out, (form, base, pre_tokenizer))
    if json_:
        show_json(made.to_json())
        return
    show(f"{made.path}  {made.kind}, {made.architecture} {made.form}, {made.size_bytes / 1e6:.1f} MB")
    if made.kind == "model":
        say(f"run it: selat engine run NAME {made.path}")


def _onto_shelf(home: Path | None, source: str, name: str, how: tuple[str, Path | None, str]) -> Model:
    with open_platform(home) as platform:
        origin = platform.models.model(source)
        may_derive(origin)
        with TemporaryDirectory(dir=platform.models.folder, prefix="convert.") as folder:
            file = Path(folder) / f"{name.rpartition('/')[2]}-{how[0]}.gguf"
            _convert(platform.models.path_of(origin), file, how)
            return shelve_converted(platform.shelving(), origin, file, name, how[0])


def _convert(folder: Path, out: Path, how: tuple[str, Path | None, str]) -> Converted:
    try:
        from selat.convert import Options
        from selat.convert import convert as convert_
    except ImportError as error:
        raise Misused(f"converting needs the package {error.name}: pip install 'selat[llama]'") from error
    with progress(f"writing {out.name}", None) as bar:
        return convert_(
            folder,
            out.absolute(),
            Options(*how),
            lambda done, whole: bar.update(0, completed=done, total=whole),  # type: ignore[arg-type]
        )


def _show(model: Model, *, json_: bool) -> None:
    if json_:
        show_json(model.to_json())
        return
    show(f"converted {model.title}: {model.lineage.recipe}, of {model.lineage.base[0]}")
    say(f"run it: selat engine run NAME {model.name}")
