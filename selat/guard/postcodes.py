"""Malaysian postcodes, states and post towns: which belong together."""

from __future__ import annotations

from pathlib import Path

# The first two digits of a state's postcodes; single exceptions in the table of ranges below.
# Source: Pos Malaysia, by way of AsyrafHussin/malaysia-postcodes (MIT).
_PREFIXES = {
    "pls": "01 02", "kdh": "05 06 07 08 09", "png": "10 11 12 13 14", "ktn": "15 16 17 18", "trg": "20 21 22 23 24",
    "phg": "25 26 27 28 39 49 69", "prk": "30 31 32 33 34 35 36", "sgr": "40 41 42 43 44 45 46 47 48 63 64 68",
    "kul": "50 51 52 53 54 55 56 57 58 59 60", "pjy": "62", "nsn": "70 71 72 73", "mlk": "75 76 77 78",
    "jhr": "79 80 81 82 83 84 85 86", "lbn": "87", "sbh": "88 89 90 91", "swk": "93 94 95 96 97 98", "prk+": "29",
}  # fmt: skip
_STATE_OF = {prefix: state.strip("+") for state, prefixes in _PREFIXES.items() for prefix in prefixes.split()}
# Postcodes that lie across a border of states: the neighbour is right too.
_ALSO = {
    "14": "kdh",
    "34": "kdh",
    "55": "sgr",
    "68": "kul",
    "43": "pjy",
    "63": "pjy",
    "52": "sgr",
    "53": "sgr",
    "47": "kul",
}
STATES = {
    "perlis": "pls", "kedah": "kdh", "pulau pinang": "png", "penang": "png", "p. pinang": "png", "kelantan": "ktn",
    "terengganu": "trg", "pahang": "phg", "perak": "prk", "selangor": "sgr", "s'gor": "sgr", "sgor": "sgr",
    "selangor darul ehsan": "sgr", "johor darul takzim": "jhr", "perak darul ridzuan": "prk", "kedah darul aman": "kdh",
    "pahang darul makmur": "phg", "kelantan darul naim": "ktn", "terengganu darul iman": "trg", "negeri sembilan darul khusus": "nsn",
    "wp": "kul", "w.p.": "kul", "wilayah persekutuan": "kul", "wp kuala lumpur": "kul", "w.p. kuala lumpur": "kul",
    "wilayah persekutuan kuala lumpur": "kul", "negeri sembilan": "nsn", "n. sembilan": "nsn", "n.sembilan": "nsn", "n9": "nsn",
    "melaka": "mlk", "malacca": "mlk", "johor": "jhr", "sabah": "sbh", "sarawak": "swk", "labuan": "lbn", "putrajaya": "pjy",
    "kuala lumpur": "kul", "johore": "jhr", "malaysia": "",
}  # fmt: skip


def _towns() -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    lines = (Path(__file__).parent / "words" / "towns.txt").read_text("utf-8").splitlines()
    for line in lines:
        if not line.startswith("#"):
            state, *towns = line.split()
            for town in towns:
                found.setdefault(town.replace("_", " "), set()).add(state)
    return {town: frozenset(states) for town, states in found.items()}


TOWNS = _towns()


def state_of(postcode: str) -> str:
    """The code of the state that a five-digit postcode lies in; empty where none does."""
    return _STATE_OF.get(postcode[:2], "")


def agrees(postcode: str, place: str) -> bool | None:
    """Whether a town or state (lower case) lies where the postcode does; None for a place unknown here."""
    state = state_of(postcode)
    states = TOWNS.get(place, frozenset()) | ({STATES[place]} if STATES.get(place) else frozenset())
    if not states:
        return None
    return bool({state, _ALSO.get(postcode[:2], state)} & states)
