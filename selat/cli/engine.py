"""`selat engine`: add, list and remove what runs models."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer

from selat.app import DEFAULT_TENANT, Platform, open_platform
from selat.cli.frame import HomeOption, JsonOption, say, show, show_json
from selat.core.errors import Misused
from selat.gateway.logs import begin
from selat.house import detect_engines

app = typer.Typer(help="Engines: add, list, detect, remove.", no_args_is_help=True)


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="A name of your own: lower-case letters, digits, dots, dashes.")],
    url: Annotated[str, typer.Option(help="Base URL, as in http://127.0.0.1:8000/v1")] = "",
    model: Annotated[
        list[str] | None, typer.Option(help="A model, as M or PUBLIC=ENGINE'S-OWN; repeat for more.")
    ] = None,
    site: Annotated[str, typer.Option(help="The country it runs in, as in MY: policy decides by it.")] = "",
    operator: Annotated[str, typer.Option(help="Who operates it.")] = "self",
    operator_jurisdiction: Annotated[
        str, typer.Option(help="The country whose law its operator answers to, if another.")
    ] = "",
    hardware: Annotated[str, typer.Option(help="Vendor of its hardware.")] = "unknown",
    kind: Annotated[str, typer.Option(help="openai (any server by URL) or extractive.")] = "openai",
    key_env: Annotated[str, typer.Option(help="Environment variable that holds its key.")] = "",
    key_file: Annotated[str, typer.Option(help="File that holds its key.")] = "",
    ca_file: Annotated[str, typer.Option(help="PEM file of the authority that signs its certificate.")] = "",
    header: Annotated[list[str] | None, typer.Option(help="A further header, as Name=value.")] = None,
    weight: Annotated[int | None, typer.Option(help="Share among engines of one model; 0: last resort.")] = None,
    max_connections: Annotated[int | None, typer.Option(help="Calls at once.")] = None,
    home: HomeOption = None,
    json_: JsonOption = False,
) -> None:
    """Write an engine into engines.toml; a running Selat takes it up within a second."""
    where = {
        "jurisdiction": site,
        "operator": operator,
        "operator_jurisdiction": operator_jurisdiction,
        "hardware": hardware,
    }
    if not site:
        raise Misused("--site is needed, as in --site MY: policy decides by where an engine runs")
    wanted: dict[str, object] = {
        "name": name,
        "kind": kind,
        "url": url,
        "models": _pairs("--model", model or [], alone=True),
        "site": {field: text for field, text in where.items() if text},
        "key_env": key_env,
        "key_file": key_file,
        "ca_file": ca_file,
        "headers": _pairs("--header", header or [], alone=False),
        "weight": weight,
        "max_connections": max_connections,
    }
    fields = {field: value for field, value in wanted.items() if value not in ("", None, {})}
    with open_platform(home) as platform:
        spec = platform.changes().add_engine(DEFAULT_TENANT, fields)
        found = next(one for one in platform.shelf.survey() if one.spec == spec)
    if json_:
        show_json(found.to_json())
    else:
        show(f"added {spec.name}: {', '.join(public for public, _ in spec.models)}")
    if found.health is not None and not found.health.ok:
        say(f"it does not answer yet: {found.health.detail}")
    for missing in found.missing:
        say(f"its own list of models does not hold '{missing}'; it holds: {', '.join(found.health.models[:10])}")  # type: ignore[union-attr]


@app.command()
def run(
    name: Annotated[str, typer.Argument(help="A name of your own: lower-case letters, digits, dots, dashes.")],
    source: Annotated[
        str,
        typer.Argument(metavar="FILE|MODEL", help="A GGUF file (of parts, the first), or a model on the shelf."),
    ],
    file: Annotated[str, typer.Option(help="Of a model with several GGUF files: which.")] = "",
    model: Annotated[
        list[str] | None, typer.Option(help="What it is called by; else NAME. Repeat for more.")
    ] = None,
    adapter: Annotated[
        list[str] | None, typer.Option(help="A LoRA adapter, as NAME=FILE; it is called by that name.")
    ] = None,
    context: Annotated[int | None, typer.Option(help="Tokens of one conversation.")] = None,
    parallel: Annotated[int | None, typer.Option(help="Conversations answered at once (default 4).")] = None,
    threads: Annotated[int | None, typer.Option(help="CPU threads; else as many as there are cores.")] = None,
    gpu_layers: Annotated[
        int | None, typer.Option(help="Layers on the GPU, where there is one; else all.")
    ] = None,
    pinned: Annotated[bool, typer.Option("--pinned", help="Never let it make room for another.")] = False,
    memory_mb: Annotated[int | None, typer.Option(help="Most memory its process may hold.")] = None,
    chat_template: Annotated[Path | None, typer.Option(help="A Jinja file in place of its own template.")] = None,
    home: HomeOption = None,
    json_: JsonOption = False,
) -> None:
    """Run a model on this machine (needs the extra `llama`): it is loaded when it is first called."""
    adapters = _pairs("--adapter", adapter or [], alone=False)
    files = {left: str(Path(path).absolute()) for left, path in adapters.items()}
    wanted: dict[str, object] = {
        "context": context,
        "parallel": parallel,
        "threads": threads,
        "gpu_layers": gpu_layers,
        "pinned": pinned or None,
        "memory_mb": memory_mb,
        "chat_template": None if chat_template is None else str(chat_template.absolute()),
    }
    with open_platform(home) as platform:
        wanted["gguf"] = str(_gguf(platform, source, file))
        given = {field: value for field, value in wanted.items() if value is not None}
        fields: dict[str, object] = {
            "name": name,
            "kind": "llama",
            "models": dict.fromkeys(model or [name], name) | {public: public for public in files},
            "site": _here(platform),
            "llama": {**given, "adapters": files} if files else given,
        }
        platform.check_gguf(given, files)
        spec = platform.changes().add_engine(DEFAULT_TENANT, fields)
        found = next(one for one in platform.shelf.survey() if one.spec == spec)
    if json_:
        return show_json(found.to_json())
    show(f"added {spec.name}: {', '.join(public for public, _ in spec.models)}")
    if found.health is not None:
        say(found.health.detail)


@app.command()
def loaded(home: HomeOption = None, json_: JsonOption = False) -> None:
    """The models in memory now, with what they were expected to need and what they hold."""
    with open_platform(home) as platform:
        state = platform.loaded_models()
    if json_:
        show_json([] if state is None else [one.to_json() for one in state.models])
        return
    if state is None:
        say("no models are held now; `selat up` holds them once one is called")
        return
    for one in state.models:
        show(f"{one.name}  {one.state}  needs {_mib(one.need)}, holds {_mib(one.rss)}{'  pinned' * one.pinned}")
    say(f"together they may take {_mib(state.budget)} (setting models_memory_mb)")


@app.command()
def host(
    private: Annotated[bool, typer.Option("--private", help="For the process that started it alone.")] = False,
    home: HomeOption = None,
) -> None:
    """Hold models for whoever calls them; started by `selat up`, not by people."""
    with open_platform(home, "models") as platform:
        begin(platform.settings.log_format, platform.settings.log_level)
        if private:
            logging.getLogger().setLevel(logging.WARNING)
        platform.host_models(private)


@app.command("list")
def list_(
    probe: Annotated[bool, typer.Option(help="Ask each whether it answers.")] = True,
    home: HomeOption = None,
    json_: JsonOption = False,
) -> None:
    """The engines, the heaviest first, with where they run and whether they answer."""
    with open_platform(home) as platform:
        found = platform.shelf.survey(probe)
    if json_:
        show_json([one.to_json() for one in found])
        return
    for one in found:
        site, health = one.engine.site, one.health
        state = "" if health is None else f"  {'ok' if health.ok else 'DOWN'} {health.latency_ms:.0f} ms"
        place = f"{site.jurisdiction} ({site.operator}, {site.hardware})"
        show(f"{one.engine.name}  {place}  {', '.join(one.engine.models)}{state}")
        if health is not None and not health.ok:
            say(f"  {health.detail}")


@app.command()
def detect(
    port: Annotated[list[int] | None, typer.Option(help="A port to look at too; repeat for more.")] = None,
    json_: JsonOption = False,
) -> None:
    """Find model servers on this machine at their usual ports; nothing is sent to them but questions."""
    found = detect_engines(port or ())
    if json_:
        show_json([one.to_json() for one in found])
        return
    for one in found:
        context = f", context {one.context}" if one.context else ""
        show(f"{one.software} {one.version}  {one.url}{context}  {', '.join(one.models) or 'no models'}")
        if one.models:
            say(f"  selat engine add {one.software} --url {one.url} --model {one.models[0]} --site MY")
    if not found:
        say("no model server answers on this machine; if it has another port, name it: --port 9000")


@app.command()
def remove(
    name: Annotated[str, typer.Argument(help="The engine's name.")],
    home: HomeOption = None,
    json_: JsonOption = False,
) -> None:
    """Take an engine out of engines.toml; calls under way go on to their end."""
    with open_platform(home) as platform:
        platform.changes().remove_engine(DEFAULT_TENANT, name)
    if json_:
        show_json({"removed": name})
    else:
        show(f"removed {name}")


def _here(platform: Platform) -> dict[str, str]:
    """Where this machine stands, as the settings say."""
    said = platform.settings
    return {
        "jurisdiction": said.site_jurisdiction,
        "operator": said.site_operator,
        "hardware": said.site_hardware,
    }


def _gguf(platform: Platform, source: str, file: str) -> Path:
    """A GGUF file of this machine, or of a model on the shelf. Raises: Misused, NotFound."""
    path = Path(source).absolute()
    if path.exists() or path.suffix == ".gguf":
        return path
    model = platform.models.model(source)
    held = [one.path for one in model.files if one.path.endswith(".gguf")]
    first = [path for path in held if "-of-" not in path or "-00001-of-" in path]
    if not first:
        raise Misused(f"{model.title} holds no GGUF file; make one: selat model convert {model.name} OUT.gguf")
    if len(first) > 1 and not file:
        raise Misused(f"{model.title} holds several; name one with --file: {', '.join(first)}")
    chosen = file or first[0]
    series = chosen.partition("-00001-of-")[0]
    for part in held:
        if "-of-" in chosen and part.startswith(series):
            platform.models.path_of(model, part)  # of a model in parts the others are read too
    return platform.models.path_of(model, chosen)


def _pairs(option: str, given: list[str], *, alone: bool) -> dict[str, str]:
    """`A=B` as a pair; `A` alone, where that is allowed, stands for itself."""
    pairs: dict[str, str] = {}
    for text in given:
        left, sign, right = text.partition("=")
        if not left or (sign and not right) or not (sign or alone):
            raise Misused(f"{option}: write it as NAME=VALUE{' or NAME' if alone else ''}")
        pairs[left] = right or left
    return pairs


def _mib(size_bytes: int) -> str:
    return f"{-(-size_bytes // 1024**2)} MiB"
