"""Writes small expressions out as the words they stand for: a table of words answers sooner than an expression."""

from __future__ import annotations

import re


def branches(alternatives: str) -> list[str]:
    """The alternatives at the outermost level."""
    return re.split(r"\|(?![^(]*\))", alternatives)


def written(alternatives: str) -> frozenset[str]:
    """Every word that `a|b(?:c|d)|e?f` stands for."""
    return frozenset(word for branch in branches(alternatives) for word in spellings(branch))


def spellings(word: str) -> list[str]:
    """`h/?p` is `h/p` and `hp`; `cent(?:er|re)` is `center` and `centre`."""
    optional = re.search(r"\(\?:([^()]*)\)(\?)?|(\\.|.)\?|\[([^\]]*)\]", word)
    if optional is None:
        return [word.replace("\\", "")]
    before, after = word[: optional.start()], word[optional.end() :]
    if optional[3]:
        inner = ["", optional[3]]
    elif optional[4]:
        inner = list(optional[4])
    else:
        inner = [*optional[1].split("|"), *([""] if optional[2] else [])]
    return [spelling for middle in inner for spelling in spellings(before + middle + after)]
