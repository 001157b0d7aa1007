"""`selat model convert`: safetensors become a GGUF file that Selat can run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from selat.app import open_platform
from selat.cli.frame import HomeOption, JsonOption, progress, say, show, show_json
from selat.core.errors import Misused


def enlist(app: typer.Typer) -> None:
    """Put the command under `selat model`."""
    app.command("convert")(convert)


def convert(
    source: Annotated[
        str, typer.Argument(metavar="FOLDER|MODEL", help="A folder of safetensors, or a model on the shelf.")
    ],
    out: Annotated[Path, typer.Argument(help="The GGUF file to write.")],
    form: Annotated[str, typer.Option(help="f32, f16, bf16, q8_0, q6_k, q5_k_m or q4_k_m.")] = "f16",
    base: Annotated[Path | None, typer.Option(help="Of a LoRA adapter: the folder of its model.")] = None,
    pre_tokenizer: Annotated[
        str, typer.Option(help="How the tokenizer cuts text, where that is not recognised.")
    ] = "",
    home: HomeOption = None,
    json_: JsonOption = False,
) -> None:
    """Convert a Llama- or Qwen-family model or a LoRA adapter, and quantise it (needs the extra `llama`)."""
    folder = Path(source)
    if not folder.is_dir():
        with open_platform(home) as platform:
            folder = platform.models.path_of(platform.models.model(source))
    try:
        from selat.convert import Options
        from selat.convert import convert as convert_
    except ImportError as error:
        raise Misused(f"converting needs the package {error.name}: pip install 'selat[llama]'") from error
    with progress(f"writing {out.name}", None) as bar:
        made = convert_(
            folder,
            out.absolute(),
            Options(form.lower(), base, pre_tokenizer),
            lambda done, whole: bar.update(0, completed=done, total=whole),  # type: ignore[arg-type]
        )
    if json_:
        show_json(made.to_json())
        return
    show(f"{made.path}  {made.kind}, {made.architecture} {made.form}, {made.size_bytes / 1e6:.1f} MB")
    if made.kind == "model":
        say(f"run it: selat engine run NAME {made.path}")
