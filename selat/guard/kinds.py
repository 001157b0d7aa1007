"""The kinds of finding and of flag: what each is, why it is looked for, and where the format comes from."""

from __future__ import annotations

from typing import NamedTuple

from selat.core.errors import HomeBroken


class Kind(NamedTuple):
    """A row of `selat guard kinds`: in English and Bahasa Malaysia."""

    what: str
    apa: str
    why: str
    source: str


# In order of rank: where two findings overlap, the one whose kind stands first is kept.
KINDS: dict[str, Kind] = {
    "SECRET": Kind(
        "password, key or token", "kata laluan, kunci atau token",
        "gives access to systems and accounts", "issuers' documented prefixes; words such as 'password'",
    ),
    "EMAIL": Kind("e-mail address", "alamat e-mel", "names and reaches a person", "RFC 5322 section 3.4.1"),
    "MYKAD": Kind(
        "MyKad, MyKid, MyPR or MyKAS number", "nombor kad pengenalan",
        "identifies a person for life", "JPN: YYMMDD-PB-###G with the place codes in use",
    ),
    "CARD": Kind("payment card number", "nombor kad bayaran", "moves money", "ISO/IEC 7812-1"),
    "TIN": Kind(
        "personal tax number (IG, SG, OG)", "nombor pengenalan cukai individu",
        "identifies a taxpayer; general numbers (EI…) are nobody's", "LHDN e-Invoice Guideline, appendix 1",
    ),
    "PASSPORT": Kind("passport number", "nombor pasport", "identifies a traveller", "A, H or K and 8 digits"),
    "SSM": Kind(
        "company or business number", "nombor pendaftaran syarikat",
        "not personal: recognised so that it is not taken for a MyKad", "SSM, numbering since October 2019",
    ),
    "PHONE": Kind(
        "personal telephone number", "nombor telefon peribadi",
        "reaches a person; hotlines and short codes are not personal", "libphonenumber metadata for MY; E.164",
    ),
    "BANK_ACCOUNT": Kind(
        "bank account number", "nombor akaun bank", "moves money", "the banks' own transfer pages"
    ),
    "DOB": Kind("date of birth", "tarikh lahir", "identifies together with a name", "words about birth"),
    "PLATE": Kind(
        "vehicle registration number", "nombor plat kenderaan", "traces an owner", "JPJ prefix letters"
    ),
    "ADDRESS": Kind(
        "postal address", "alamat pos", "finds a person at home", "Pos Malaysia postcodes by state"
    ),
    "NAME": Kind("personal name", "nama orang", "names a person", "Malaysian naming patterns"),
}  # fmt: skip

FLAGS: dict[str, Kind] = {
    "HEALTH": Kind("health of a person", "kesihatan", "sensitive personal data", "PDPA 2010 s 4"),
    "RELIGION": Kind("religion of a person", "agama", "sensitive personal data", "PDPA 2010 s 4"),
    "POLITICS": Kind("political opinion", "pendapat politik", "sensitive personal data", "PDPA 2010 s 4"),
    "OFFENCE": Kind("offence, or allegation of one", "kesalahan", "sensitive personal data", "PDPA 2010 s 4"),
    "BIOMETRIC": Kind("biometric data", "data biometrik", "sensitive personal data", "PDPA 2010 s 4; Act A1727"),
}


def read_kinds(text: str) -> frozenset[str]:
    """The kinds that a setting names, by comma; `all` but companies'. Raises: HomeBroken, naming the unknown."""
    named = frozenset(part.strip().upper() for part in text.split(",") if part.strip())
    if named == {"ALL"}:
        return frozenset(KINDS) - {"SSM"}
    if unknown := named - set(KINDS):
        raise HomeBroken(
            f"setting guard_mask_answers: no kind {', '.join(sorted(unknown))}; there are {', '.join(KINDS)}, and 'all'"
        )
    return named
