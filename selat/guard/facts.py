"""Facts about Malaysian numbers: what a MyKad, phone, card, company and bank number can be."""

from __future__ import annotations

_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)

# Place codes never issued. Source: JPN (National Registration Department), state and country code lists.
_NOT_PLACES = frozenset({"00", "17", "18", "19", "20", "69", "70", "73", "80", "81", "94", "95", "96", "97"})

# Digits of a number after the trunk 0, by its first two. Source: libphonenumber metadata, region MY.
_MOBILE_LENGTHS = {"11": (10,), "15": (10, 9), "18": (10, 9), **{f"1{n}": (9,) for n in "0234679"}}
_NATIONAL_LENGTHS = {
    **_MOBILE_LENGTHS,
    **{f"3{n}": (9,) for n in "23456789"},
    **{f"{area}{n}": (8,) for area in "45679" for n in "123456789"},
    **{f"8{n}": (8,) for n in "23456789"},
}

# Account number lengths. Source: the banks' own transfer pages; they are not published as a standard.
BANK_LENGTHS: dict[str, tuple[int, ...]] = {
    "maybank": (12,), "mbb": (12,), "cimb": (10, 14), "public bank": (10,), "pbb": (10,), "pbe": (10,),
    "rhb": (14,), "hong leong": (11,), "hlb": (11,), "ambank": (13,), "bank islam": (14,), "bimb": (14,),
    "muamalat": (14,), "bank rakyat": (12,), "affin": (12,), "alliance": (15,), "uob": (10, 11),
    "standard chartered": (12,), "hsbc": (12,), "citibank": (10,), "bsn": (16,), "ocbc": (10,),
    "agrobank": (16,), "tabung haji": (14,),
    "马来亚银行": (12,), "大众银行": (10,), "联昌": (10, 14), "兴业银行": (14,), "丰隆": (11,), "大马银行": (13,), "回教银行": (14,),
    "人民银行": (12,), "国民储蓄": (16,), "华侨银行": (10,), "大华银行": (10, 11), "汇丰": (12,), "渣打": (12,), "安联": (15,), "艾芬": (12,),
}  # fmt: skip


def is_date(yymmdd: str) -> bool:
    """Six digits that can be a date; 29 February is allowed in any year, since the century is unknown."""
    month, day = int(yymmdd[2:4]), int(yymmdd[4:6])
    return 1 <= month <= 12 and 1 <= day <= _DAYS[month - 1]


def is_mykad(digits: str) -> bool:
    """Twelve digits: a date, a place code, a serial. There is no check digit."""
    return len(digits) == 12 and digits[6:8] not in _NOT_PLACES and is_date(digits)


def is_ssm(digits: str) -> bool:
    """Twelve digits: a year, an entity type 01 to 06, a serial. Source: SSM, numbers since October 2019."""
    return len(digits) == 12 and 1897 <= int(digits[:4]) <= 2035 and "01" <= digits[4:6] <= "06"


def national_lengths(digits: str) -> tuple[int, ...]:
    """How many digits a national number (without trunk 0) that begins so has, the most first; none where none does."""
    return _NATIONAL_LENGTHS.get(digits[:2], ())


def luhn(digits: str) -> bool:
    """Source: ISO/IEC 7812-1 annex B."""
    odd = sum(int(digit) for digit in digits[-1::-2])
    even = sum(sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (odd + even) % 10 == 0


def is_card(digits: str) -> bool:
    """A payment card's length, issuer range and check digit. Source: ISO/IEC 7812-1; the schemes' ranges."""
    size, head = len(digits), int(digits[:4])
    known = (
        (size in (16, 19) and digits[0] == "4")
        or (size == 16 and (5100 <= head <= 5599 or 2221 <= head <= 2720 or 3528 <= head <= 3589))
        or (size == 16 and (head == 6011 or 6440 <= head <= 6599 or 8100 <= head <= 8171))
        or (16 <= size <= 19 and digits[:2] == "62")
        or (size == 15 and digits[:2] in ("34", "37"))
        or (size == 14 and (3000 <= head <= 3059 or digits[:2] in ("36", "38", "39")))
    )
    return known and len(set(digits)) > 1 and luhn(digits)
