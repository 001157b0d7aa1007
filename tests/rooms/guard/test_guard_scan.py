"""What the guard finds in one text, and what it leaves alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from selat.core.finding import Finding
from selat.core.label import PersonalKind
from selat.guard import Guard
from selat.guard.prefilter import Re2Prefilter
from selat.guard.scanner import READERS


@pytest.fixture(scope="module")
def guard() -> Guard:
    return Guard.load()


def found(guard: Guard, text: str) -> list[tuple[str, str]]:
    return [(finding.kind, text[finding.start : finding.end]) for finding in guard.scan(text).findings]


FOUND = [
    ("ic saya 900101-14-5678", "MYKAD", "900101-14-5678"),
    ("I/C No: 900101145678", "MYKAD", "900101145678"),
    ("IC: 900101 14 5678", "MYKAD", "900101 14 5678"),
    ("IC : 9 0 0 1 0 1 1 4 5 6 7 8", "MYKAD", "9 0 0 1 0 1 1 4 5 6 7 8"),
    ("９００１０１－１４－５６７８", "MYKAD", "９００１０１－１４－５６７８"),
    ("no kp 900101\u200b-14-5678 ok", "MYKAD", "900101\u200b-14-5678"),
    ('{"ic_no":"900101145678"}', "MYKAD", "900101145678"),
    ("身份证号码：900101145678", "MYKAD", "900101145678"),
    ("அடையாள அட்டை எண் 900101145678", "MYKAD", "900101145678"),
    ("call +6012-345 6789 ya", "PHONE", "+6012-345 6789"),
    ("call 012.345.6789 ya", "PHONE", "012.345.6789"),
    ("pejabat (03) 8888 1234", "PHONE", "(03) 8888 1234"),
    ("wasap 011-1234 5678", "PHONE", "011-1234 5678"),
    ("cuba 60123456789", "PHONE", "60123456789"),
    ("SG office +65 9123 4567", "PHONE", "+65 9123 4567"),
    ("emel siti@contoh.com.my.", "EMAIL", "siti@contoh.com.my"),
    ("emel siti[at]contoh[dot]my", "EMAIL", "siti[at]contoh[dot]my"),
    ("emel siti at contoh dot com", "EMAIL", "siti at contoh dot com"),
    ("kad 4111 1111 1111 1111", "CARD", "4111 1111 1111 1111"),
    ("passport A12345678", "PASSPORT", "A12345678"),
    ("TIN IG115002000", "TIN", "IG115002000"),
    ("SSM 201901000005", "SSM", "201901000005"),
    ("akaun Maybank 114012345678", "BANK_ACCOUNT", "114012345678"),
    ("password: hunter2!", "SECRET", "hunter2"),
    ("kata laluan wifi ialah Kopi1234", "SECRET", "Kopi1234"),
    ("key sk-abcdefghijklmnopqrstuvwx123", "SECRET", "sk-abcdefghijklmnopqrstuvwx123"),
    ("postgres://u:p4ssw0rd@db/x", "SECRET", "p4ssw0rd"),
]  # fmt: skip

NOT_FOUND = [
    "order 240101145678",
    "No. pesanan anda ialah 240615-10-0023",
    "mesyuarat 03-12-2024 10:30",
    "EI00000000010",
    "syarikat C20880050010",
    "talian 1-300-88-1234 atau 15454",
    "hotline 03-8911 1000",
    "penerbangan MH370",
    "kata laluan anda adalah rahsia",
    "password is required",
    "ISBN 978-983-00-1234-5",
    "icon@2x.png",
    "git@github.com:org/repo.git",
]


@pytest.mark.parametrize(("text", "kind", "value"), FOUND)
def test_personal_data_is_found_where_it_stands(guard: Guard, text: str, kind: str, value: str) -> None:
    assert (kind, value) in found(guard, text)


@pytest.mark.parametrize("text", NOT_FOUND)
def test_look_alikes_are_left_alone(guard: Guard, text: str) -> None:
    assert [f for f in guard.scan(text).findings if f.kind != "SSM"] == []


@pytest.mark.parametrize("text", [text for text, _, _ in FOUND] + NOT_FOUND)
def test_re2_finds_what_hyperscan_finds(guard: Guard, text: str) -> None:
    triggers = [(k, expression) for k, reader in enumerate(READERS) for expression in reader.triggers]
    assert Guard(_re2(tuple(triggers))).scan(text) == guard.scan(text)


_RE2: dict[int, Re2Prefilter] = {}


def _re2(triggers: tuple[tuple[int, str], ...]) -> Re2Prefilter:
    return _RE2.setdefault(0, Re2Prefilter(triggers))


def test_ssm_number_is_not_personal(guard: Guard) -> None:
    assert guard.scan("SSM 201901000005").personal is PersonalKind.NONE
    assert guard.scan("ic 900101-14-5678").personal is PersonalKind.PERSONAL


def test_a_failing_detector_fails_the_scan() -> None:
    class Broken:
        name = "broken"

        def find(self, text: str) -> list[Finding]:
            raise ConnectionError("away")

    class Stray:
        name = "stray"

        def find(self, text: str) -> list[Finding]:
            return [Finding(0, len(text) + 1, "NAME")]

    assert not Guard.load(detectors=[Broken()]).scan("hello").ok
    assert not Guard.load(detectors=[Stray()]).scan("hello").ok


def test_a_further_detector_adds_its_findings() -> None:
    class First:
        name = "first"

        def find(self, text: str) -> list[Finding]:
            return [Finding(0, 5, "NAME", 0.7)]

    scan = Guard.load(detectors=[First()]).scan("Aminah tinggal di sini")
    assert scan.ok
    assert scan.findings


def test_damaged_cache_is_built_again(tmp_path: Path) -> None:
    text = "ic 900101-14-5678"
    expected = Guard.load(tmp_path).scan(text)
    (kept,) = tmp_path.glob("guard-*.hs")
    size = kept.stat().st_size
    for damage in (b"", b"rubbish", kept.read_bytes()[:-9], kept.read_bytes()[:40] + b"\0" * (size - 40)):
        kept.write_bytes(damage)
        assert Guard.load(tmp_path).scan(text) == expected
        assert kept.stat().st_size == size
