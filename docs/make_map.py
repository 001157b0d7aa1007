"""Write `docs/map.md`: every package and module of Selat with its own first sentence, doors first, core last."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "map.md"
INTRO = """# Map

What every room and file is for, in its own words: the first sentence of each, collected by `make map`.
Imports go down this page, from the doors to the core; `pyproject.toml` holds the rule and the linter keeps it.
"""


def sentence(path: Path) -> str:
    """The first paragraph of a module's docstring, on one line."""
    said = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return " ".join(said.split("\n\n")[0].split())


def order() -> list[str]:
    """The names in `selat/` as the layers contract lists them, doors first."""
    rules = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    layers = rules["tool"]["importlinter"]["contracts"][0]["layers"]
    return [name for layer in layers for name in re.findall(r"\w+", layer)]


def modules(package: Path) -> list[str]:
    """One line a module, files before folders within the package."""
    lines = []
    for path in sorted(package.rglob("*.py"), key=lambda path: (len(path.parts), path.parts)):
        if path == package / "__init__.py":
            continue
        name = path.relative_to(package).as_posix().removesuffix("/__init__.py").removesuffix(".py")
        lines.append(f"- `{name}`: {sentence(path)}")
    return lines


def section(name: str) -> str:
    """A package with its modules, a single module by itself, or nothing where a layer is still empty."""
    package = ROOT / "selat" / name
    if (package / "__init__.py").exists():
        head = f"## `selat/{name}/`\n\n{sentence(package / '__init__.py')}\n"
        return "\n".join([head, *modules(package)]).rstrip() + "\n"
    single = package.with_suffix(".py")
    return f"## `selat/{name}.py`\n\n{sentence(single)}\n" if single.exists() else ""


def text() -> str:
    """The whole page."""
    return "\n".join([INTRO, *filter(None, map(section, order()))])


if __name__ == "__main__":
    PAGE.write_text(text(), encoding="utf-8")
