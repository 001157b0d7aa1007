"""The trust file: which logs and witnesses a verifier believes, and how many of them, as C2SP tlog-policy says."""

from __future__ import annotations

import re
from dataclasses import dataclass

from selat.core.errors import LedgerBroken
from selat.core.note import VerifierKey
from selat.core.signature import COSIGN_ED25519, COSIGN_MLDSA44, ED25519

MAX_LINES = 1000
LOG_KINDS = frozenset({ED25519})
WITNESS_KINDS = frozenset({COSIGN_ED25519, COSIGN_MLDSA44})


@dataclass(frozen=True, slots=True)
class Group:
    """`needed` of `members`, which are names of witnesses or of groups defined earlier."""

    needed: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Trust:
    """Logs by key, witnesses by the file's own names, groups, and the name that is the quorum (or `none`)."""

    logs: tuple[VerifierKey, ...]
    witnesses: dict[str, VerifierKey]
    groups: dict[str, Group]
    quorum: str
    urls: dict[str, str]

    def keys(self) -> tuple[VerifierKey, ...]:
        return (*self.logs, *self.witnesses.values())

    def met(self, signers: tuple[VerifierKey, ...]) -> bool:
        """Whether the witnesses among `signers` satisfy the quorum."""
        return self.quorum == "none" or self._witnessed(self.quorum, frozenset(signers))

    def _witnessed(self, name: str, signers: frozenset[VerifierKey]) -> bool:
        if name in self.witnesses:
            return self.witnesses[name] in signers
        group = self.groups[name]
        return sum(self._witnessed(member, signers) for member in group.members) >= group.needed


class _Reader:
    """Collects the lines of one trust file; names must be defined before they are used."""

    def __init__(self) -> None:
        self.logs: list[VerifierKey] = []
        self.witnesses: dict[str, VerifierKey] = {}
        self.groups: dict[str, Group] = {}
        self.urls: dict[str, str] = {}
        self.quorum: str | None = None
        self._used: set[str] = set()

    def log(self, words: list[str]) -> None:
        if len(words) not in (1, 2):
            raise LedgerBroken("write: log <vkey> [<url>]")
        key = _key(words[0], LOG_KINDS, "a log key is of signature type 1")
        if key.public in [known.public for known in self.logs]:
            raise LedgerBroken("this log key is listed twice")
        self.logs.append(key)
        if len(words) == 2:
            self.urls[str(key)] = words[1]

    def witness(self, words: list[str]) -> None:
        if len(words) not in (2, 3):
            raise LedgerBroken("write: witness <name> <vkey> [<url>]")
        name = self._new(words[0])
        key = _key(words[1], WITNESS_KINDS, "a witness key is of signature type 4 or 6")
        if key.public in [known.public for known in self.witnesses.values()]:
            raise LedgerBroken("this witness key is listed twice")
        self.witnesses[name] = key
        if len(words) == 3:
            self.urls[name] = words[2]

    def group(self, words: list[str]) -> None:
        if len(words) < 3:
            raise LedgerBroken("write: group <name> all|any|<k> <name>...")
        name, count, members = self._new(words[0]), words[1], tuple(words[2:])
        for member in members:
            if member not in self.witnesses and member not in self.groups:
                raise LedgerBroken(f"'{member}' is not defined above")
            if member in self._used:
                raise LedgerBroken(f"'{member}' is already in a group")
            self._used.add(member)
        needed = {"all": len(members), "any": 1}.get(count, 0)
        if needed == 0:
            needed = int(count) if re.fullmatch("[1-9][0-9]{0,3}", count) else 0
        if not 1 <= needed <= len(members):
            raise LedgerBroken(f"a group of {len(members)} needs all, any, or a number from 1 to that")
        self.groups[name] = Group(needed, members)

    def set_quorum(self, words: list[str]) -> None:
        if self.quorum is not None or len(words) != 1:
            raise LedgerBroken("exactly one line: quorum <name>")
        if words[0] != "none" and words[0] not in self.witnesses and words[0] not in self.groups:
            raise LedgerBroken(f"'{words[0]}' is not defined above")
        self.quorum = words[0]

    def _new(self, name: str) -> str:
        if name == "none" or name in self.witnesses or name in self.groups:
            raise LedgerBroken(f"the name '{name}' is taken")
        return name


def parse_trust(text: str) -> Trust:
    """Read a trust file. Raises: LedgerBroken, naming the line and what belongs there.

    Source: C2SP tlog-policy, section Policy file syntax and structure.
    """
    if re.search("[\x00-\x08\x0b-\x1f\x7f]", text):
        raise LedgerBroken("trust file: control characters other than tab and newline are not allowed")
    lines = text.split("\n")
    if len(lines) > MAX_LINES:
        raise LedgerBroken(f"trust file: over {MAX_LINES} lines")
    reader = _Reader()
    verbs = {
        "log": reader.log,
        "witness": reader.witness,
        "group": reader.group,
        "quorum": reader.set_quorum,
    }
    for number, line in enumerate(lines, 1):
        words = [word for word in re.split("[ \t]+", line) if word]
        if not words or words[0].startswith("#"):
            continue
        if words[0] not in verbs:
            raise LedgerBroken(f"trust file line {number}: starts with none of {', '.join(verbs)}")
        try:
            verbs[words[0]](words[1:])
        except LedgerBroken as error:
            raise LedgerBroken(f"trust file line {number}: {error}") from error
    if reader.quorum is None:
        raise LedgerBroken("trust file: no quorum line; write 'quorum none' to ask for no witness")
    return Trust(tuple(reader.logs), reader.witnesses, reader.groups, reader.quorum, reader.urls)


def _key(text: str, kinds: frozenset[int], rule: str) -> VerifierKey:
    key = VerifierKey.parse(text)
    if key.kind not in kinds:
        raise LedgerBroken(rule)
    return key
