"""Malay stems: affixes are stripped down to a known root, so that `pembekal` and `dibekalkan` meet in `bekal`."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

_PARTICLES = ("lah", "kah", "tah", "pun")
_POSSESSIVES = ("nya", "ku", "mu")
_SUFFIXES = ("kan", "an", "i", "wan", "wati", "man")
# Prefix, and the letters that may have melted into it. Source: the common grammar of meN- and peN-.
_PREFIXES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("memper", ("",)), ("diper", ("",)), ("teper", ("",)), ("seper", ("",)), ("keber", ("",)), ("keter", ("",)),
    ("menge", ("",)), ("penge", ("",)), ("meng", ("", "k")), ("peng", ("", "k")),
    ("meny", ("s",)), ("peny", ("s",)), ("mem", ("", "p")), ("pem", ("", "p")),
    ("men", ("", "t")), ("pen", ("", "t")), ("me", ("",)), ("pe", ("",)),
    ("ber", ("",)), ("bel", ("",)), ("be", ("",)), ("per", ("",)), ("pel", ("",)),
    ("ter", ("",)), ("di", ("",)), ("ke", ("",)), ("se", ("",)), ("juru", ("",)), ("tata", ("",)),
)  # fmt: skip
_BY_LETTER = {letter: [one for one in _PREFIXES if one[0][0] == letter] for letter in {p[0] for p, _ in _PREFIXES}}
# Circumfixes strong enough to strip from a word whose root is not in the list.
_CIRCUMFIXES = (("ke", "an"), ("peng", "an"), ("pem", "an"), ("pen", "an"), ("per", "an"), ("di", "kan"),
                ("meng", "kan"), ("mem", "kan"), ("men", "kan"))  # fmt: skip
_SHORTEST = 3
# Of two roots that a melted letter leaves open, the one that is meant: `pengurusan` is to manage, seldom to slim.
_RATHER = {"kurus": "urus"}


@cache
def roots() -> frozenset[str]:
    """The root list in `data/roots.txt`."""
    lines = (Path(__file__).parent / "data" / "roots.txt").read_text(encoding="utf-8").splitlines()
    return frozenset(word for line in lines if not line.startswith("#") for word in line.split())


def malay_root(word: str) -> str:
    """The root of a lower-case Malay word, or an empty string when no listed root explains it.

    Of several, the longest: `pengeluaran` is `keluar`, not `luar`.
    """
    known = roots()
    if word in known:
        return word
    best = ""
    for tail in _tails(word):
        for candidate in _heads(tail):
            if len(candidate) > len(best) and candidate in known:
                best = candidate
    return _RATHER.get(best, best) if best not in word else best


def strip_circumfix(word: str) -> str:
    """A word without a circumfix that only Malay has, for roots not listed; else the word itself."""
    for head, tail in _CIRCUMFIXES:
        if len(word) >= len(head) + len(tail) + 4 and word.startswith(head) and word.endswith(tail):
            return word[len(head) : -len(tail)]
    return word


def _tails(word: str) -> Iterator[str]:
    """The word, then it without particle, possessive and suffix, in every order that grammar allows."""
    seen = [word]
    for endings in (_PARTICLES, _POSSESSIVES, _SUFFIXES):
        for stem in tuple(seen):
            seen.extend(
                stem[: -len(ending)]
                for ending in endings
                if stem.endswith(ending) and len(stem) - len(ending) >= _SHORTEST
            )
    return iter(seen)


def _heads(word: str, depth: int = 2) -> Iterator[str]:
    """The word, then it without one or two prefixes, melted letters put back."""
    yield word
    if not depth:
        return
    for prefix, melted in _BY_LETTER.get(word[0], ()):
        if word.startswith(prefix) and len(word) - len(prefix) >= _SHORTEST - 1:
            rest = word[len(prefix) :]
            for letter in melted:
                if letter or len(rest) >= _SHORTEST:
                    yield from _heads(letter + rest, depth - 1)
