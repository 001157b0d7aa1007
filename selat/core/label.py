"""What data is, on four independent axes; labels join per axis and never collapse to one number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import cache, cached_property

from selat.core.canonical import canonical_text
from selat.core.errors import BadRequest


class Official(IntEnum):
    """Official classification. Source: Official Secrets Act 1972 s 2B, with Terhad and Terbuka below it."""

    TERBUKA = 0
    TERHAD = 1
    SULIT = 2
    RAHSIA = 3
    RAHSIA_BESAR = 4


class CloudClass(IntEnum):
    """Cloud class. Source: National Cloud Computing Policy, August 2025."""

    PUBLIC = 0
    INTERNAL = 1
    RESTRICTED = 2
    CONFIDENTIAL = 3


class PersonalKind(IntEnum):
    """Kind of personal data. Source: PDPA 2010 ss 4 and 40, as amended by Act A1727."""

    NONE = 0
    PERSONAL = 1
    SENSITIVE = 2
    BIOMETRIC = 3


# Names by level: an enum's `name` costs more than all the rest of writing a label.
_OFFICIAL = tuple(level.name.lower() for level in Official)
_CLOUD = tuple(level.name.lower() for level in CloudClass)
_PERSONAL = tuple(level.name.lower() for level in PersonalKind)


@dataclass(frozen=True)
class Label:
    """Official class, cloud class, personal-data kind, and jurisdictions of origin (ISO 3166-1 alpha-2).

    Few differ in a day, and they go with every request: how one is written, and what it becomes by what a scan
    finds, is worked out once.
    """

    official: Official = Official.TERBUKA
    cloud: CloudClass = CloudClass.PUBLIC
    personal: PersonalKind = PersonalKind.NONE
    jurisdictions: frozenset[str] = frozenset()

    def join(self, other: Label) -> Label:
        """The stricter level on each axis; jurisdictions unite. Commutative, associative, idempotent."""
        if other is self or other == self:
            return self
        return Label(
            max(self.official, other.official),
            max(self.cloud, other.cloud),
            max(self.personal, other.personal),
            self.jurisdictions | other.jurisdictions,
        )

    def within(self, clearance: Label) -> bool:
        """Whether a caller cleared to `clearance` may see this. Jurisdictions restrict places, not readers."""
        return (
            self.official <= clearance.official
            and self.cloud <= clearance.cloud
            and self.personal <= clearance.personal
        )

    def with_personal(self, kind: PersonalKind) -> Label:
        return self._raised[kind]

    @cached_property
    def _raised(self) -> tuple[Label, ...]:
        """By kind of personal data: this label with at least that."""
        return tuple(
            self if kind <= self.personal else Label(self.official, self.cloud, kind, self.jurisdictions)
            for kind in PersonalKind
        )

    def __str__(self) -> str:
        return self.text

    @cached_property
    def text(self) -> str:
        """`terhad/internal/personal/MY+SG`: the text form of the `selat-label` header; `-` for no jurisdiction."""
        origin = "+".join(sorted(self.jurisdictions)) or "-"
        return f"{_OFFICIAL[self.official]}/{_CLOUD[self.cloud]}/{_PERSONAL[self.personal]}/{origin}"

    def to_json(self) -> dict[str, object]:
        return {
            "official": _OFFICIAL[self.official],
            "cloud": _CLOUD[self.cloud],
            "personal": _PERSONAL[self.personal],
            "jurisdictions": sorted(self.jurisdictions),
        }

    @cached_property
    def leaf_text(self) -> str:
        return canonical_text(self.to_json())


LOWEST = Label()
HIGHEST = Label(Official.RAHSIA_BESAR, CloudClass.CONFIDENTIAL, PersonalKind.BIOMETRIC)

_AXES: tuple[tuple[str, type[IntEnum]], ...] = (
    ("official", Official),
    ("cloud", CloudClass),
    ("personal", PersonalKind),
)


def _level(axis: str, kind: type[IntEnum], word: str) -> IntEnum:
    try:
        return kind[word.strip().upper().replace("-", "_")]
    except KeyError:
        known = ", ".join(level.name.lower() for level in kind)
        raise BadRequest(f"label: no {axis} level of that name; known: {known}", param="selat-label") from None


@cache
def _jurisdiction(code: str) -> str:
    word = code.strip().upper()
    if len(word) != 2 or not word.isascii() or not word.isalpha():
        raise BadRequest("label: a jurisdiction is two letters, as in MY", param="selat-label")
    return word


def parse_label(text: str) -> Label:
    """Read `official[/cloud[/personal[/MY+SG]]]`, or any single word of the first three axes (`sulit`).

    Raises: BadRequest, naming the axis and its levels.
    """
    words = [word for word in text.strip().split("/") if word.strip()]
    if not words or len(words) > 4:
        raise BadRequest(
            "label: write official/cloud/personal/JURISDICTIONS, as in terhad/internal/none/MY",
            param="selat-label",
        )
    if len(words) == 1:
        for axis, kind in _AXES:
            if words[0].strip().upper().replace("-", "_") in kind.__members__:
                return label_from({axis: words[0]})
    levels = {axis: word for (axis, _), word in zip(_AXES, words, strict=False)}
    origin = words[3].split("+") if len(words) == 4 and words[3].strip() != "-" else []
    return label_from({**levels, "jurisdictions": origin})


def label_from(fields: Mapping[str, object]) -> Label:
    """The Label of a JSON object as `to_json` writes it; absent axes are lowest. Raises: BadRequest."""
    unknown = set(fields) - {"official", "cloud", "personal", "jurisdictions"}
    if unknown:
        raise BadRequest("label: unknown axis; known: official, cloud, personal, jurisdictions", param="label")
    levels = {axis: _level(axis, kind, str(fields[axis])) for axis, kind in _AXES if axis in fields}
    origin = fields.get("jurisdictions", ())
    if not isinstance(origin, list | tuple | frozenset | set):
        raise BadRequest("label: jurisdictions is a list of two-letter codes", param="label")
    return Label(**levels, jurisdictions=frozenset(_jurisdiction(str(code)) for code in origin))  # type: ignore[arg-type]
