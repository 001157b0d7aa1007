"""What `make compiled` compiles holds nothing that mypyc, without a word, makes other than it is written."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

import pytest

HOUSE = Path(__file__).parent.parent
HOOK = tomllib.loads((HOUSE / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]["hooks"]
COMPILED = [path.removeprefix("/") for path in HOOK["mypyc"]["include"]]


def named(node: ast.expr) -> str:
    """The last name of what is called or inherited from: `Struct` of `msgspec.Struct`."""
    return ast.unparse(node.func if isinstance(node, ast.Call) else node).rpartition(".")[2]


def altered(tree: ast.AST) -> list[str]:
    """What mypyc takes and makes something else of, with its line."""
    found: list[tuple[int, str]] = []
    for node in ast.walk(tree):
        match node:
            case ast.ClassDef(bases=bases) if "Struct" in map(named, bases):
                found.append((node.lineno, "a shape: what stands within another is no longer checked"))
            case ast.FunctionDef(decorator_list=decorators) if "cached_property" in map(named, decorators):
                found.append((node.lineno, "a cached_property: it is worked out anew each time"))
            case ast.Slice(lower=lower, upper=upper, step=step):
                bounds = [bound for bound in (lower, upper, step) if bound is not None]
                calls = [call for bound in bounds for call in ast.walk(bound) if isinstance(call, ast.Call)]
                if any(named(call) not in ("len", "max", "min") for call in calls):
                    found.append((node.lineno, "a call in a slice's bound: it may be called twice"))
            case ast.If(test=ast.Name(id="TYPE_CHECKING"), orelse=[_, *_]):
                found.append((node.lineno, "an else of TYPE_CHECKING: it is held to be out of reach"))
    return [f"{line}: {what}" for line, what in sorted(found)]


@pytest.mark.parametrize("path", COMPILED)
def test_a_module_that_is_compiled_means_the_same(path: str) -> None:
    assert altered(ast.parse((HOUSE / path).read_text())) == []


@pytest.mark.parametrize(
    "text",
    [
        "class Row(msgspec.Struct): ...",
        "class Row:\n    @cached_property\n    def text(self): ...",
        "view = view[os.write(descriptor, view):]",
        "if TYPE_CHECKING:\n    import a\nelse:\n    a = 1",
    ],
)
def test_what_it_would_alter_is_seen(text: str) -> None:
    assert len(altered(ast.parse(text))) == 1
