"""What the guard finds in one text, and what it leaves alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from compiled import KEPT

from selat.core.finding import Finding
from selat.core.label import PersonalKind
from selat.guard import Guard, prefilter
from selat.guard.prefilter import load


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
    ("redis://:p4ssw0rd@cache/0", "SECRET", "p4ssw0rd"),
    ("Your TAC is 998877. Do not share.", "SECRET", "998877"),
    ("identity card no. 900101-145678", "MYKAD", "900101-145678"),
    ("ROC: 123456-A", "SSM", "123456-A"),
    ("oh one two 345 6789 call me", "PHONE", "oh one two 345 6789"),
    ("汇款到马来亚银行 114012345678", "BANK_ACCOUNT", "114012345678"),
    ("Rohani @ Ani binti Salleh", "NAME", "Rohani @ Ani binti Salleh"),
    ("Ketua kampung Galing anak Sibat", "NAME", "Galing anak Sibat"),
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
    "postgresql+psycopg://selat@db.example.my/selat",
    "it takes 100s of ms, so the 6 ms CPU is little (BM, EN, ZH, TA)",
    '{"name":"answer","score":1}, name: str, DSP TCK',
    "passwd = fallback_getpass(prompt)",
    "api_key=YOUR_API_KEY_HERE",
    "00000010  00 01 02 03 04 05 06 07",
    'c in "0123456789"',
]


@pytest.mark.parametrize(("text", "kind", "value"), FOUND)
def test_personal_data_is_found_where_it_stands(guard: Guard, text: str, kind: str, value: str) -> None:
    assert (kind, value) in found(guard, text)


@pytest.mark.parametrize("text", NOT_FOUND)
def test_look_alikes_are_left_alone(guard: Guard, text: str) -> None:
    assert [f for f in guard.scan(text).findings if f.kind != "SSM"] == []


@pytest.mark.parametrize("text", [text for text, _, _ in FOUND] + NOT_FOUND)
def test_re2_finds_what_hyperscan_finds(guard: Guard, re2_guard: Guard, text: str) -> None:
    assert re2_guard.scan(text) == guard.scan(text)


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

    assert not Guard.load(KEPT, detectors=[Broken()]).scan("hello").ok
    assert not Guard.load(KEPT, detectors=[Stray()]).scan("hello").ok


def test_a_further_detector_adds_its_findings() -> None:
    class First:
        name = "first"

        def find(self, text: str) -> list[Finding]:
            return [Finding(0, 5, "NAME", 0.7)]

    scan = Guard.load(KEPT, detectors=[First()]).scan("Aminah tinggal di sini")
    assert scan.ok
    assert scan.findings


@pytest.mark.parametrize("damage", ["empty", "rubbish", "short", "zeroed"])
def test_damaged_cache_is_built_again(tmp_path: Path, damage: str) -> None:
    trigger = [(0, "abc"), (1, "x[0-9]{3}")]
    load(trigger, tmp_path)
    (kept,) = tmp_path.glob("guard-*.hs")
    whole = kept.read_bytes()
    kept.write_bytes(
        {"empty": b"", "rubbish": b"rubbish", "short": whole[:-9], "zeroed": whole[:40] + bytes(len(whole) - 40)}[
            damage
        ]
    )
    assert load(trigger, tmp_path).hits(b"abc x123") == [(0, 3), (1, 8)]
    assert kept.read_bytes() == whole


def test_a_database_kept_elsewhere_is_taken_and_kept_here_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trigger, here, there = [(0, "abc")], tmp_path / "here", tmp_path / "there"
    load(trigger, there)
    monkeypatch.setattr(prefilter, "_compiled", None)
    assert load(trigger, here, there).hits(b"abc") == [(0, 3)]
    assert load(trigger, here).hits(b"abc") == [(0, 3)]


def test_a_kept_database_is_loaded_not_compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trigger = [(0, "abc")]
    load(trigger, tmp_path)
    monkeypatch.setattr(prefilter, "_compiled", None)
    assert load(trigger, tmp_path).hits(b"abc") == [(0, 3)]
