"""The shape of the house: files, functions and parameters stay small, and every room says what it is for."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

HOUSE = Path(__file__).parent.parent / "selat"
FILES = sorted(HOUSE.rglob("*.py"))
MAX_FILE_LINES, MAX_FUNCTION_LINES, MAX_PARAMETERS = 500, 60, 5


def functions(tree: ast.AST) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(HOUSE)))
def test_file_keeps_its_shape(path: Path) -> None:
    text = path.read_text()
    tree = ast.parse(text)
    assert text.count("\n") <= MAX_FILE_LINES, f"{path} is over {MAX_FILE_LINES} lines: split it"
    assert ast.get_docstring(tree), f"{path} opens without a sentence"
    in_cli = "cli" in path.relative_to(HOUSE).parts
    for function in functions(tree):
        length = (function.end_lineno or 0) - function.lineno + 1
        assert length <= MAX_FUNCTION_LINES, f"{path}: {function.name} has {length} lines"
        arguments = function.args
        count = sum(arg.arg not in ("self", "cls") for arg in arguments.posonlyargs + arguments.args)
        count += len(arguments.kwonlyargs)
        assert in_cli or count <= MAX_PARAMETERS, f"{path}: {function.name} takes {count} parameters: make a noun"


def test_no_empty_rooms() -> None:
    for folder in {path.parent for path in FILES}:
        assert (folder / "__init__.py").exists(), f"{folder} is no package"
