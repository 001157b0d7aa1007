"""What is sensitive about a person is flagged; what is said in general is not."""

from __future__ import annotations

import pytest

from selat.core.label import PersonalKind
from selat.guard import Guard

FLAGGED = [
    ("HEALTH", "Isteri saya menghidap kanser payudara tahap 3."),
    ("HEALTH", "My mother has diabetes and takes insulin."),
    ("HEALTH", "Pesakit Ahmad bin Ali, 54, ada darah tinggi."),
    ("HEALTH", "She was diagnosed with depression last year."),
    ("HEALTH", "我妈妈患有糖尿病"),
    ("HEALTH", "他确诊艾滋病"),
    ("HEALTH", "என் தாய்க்கு நீரிழிவு நோய் உள்ளது"),
    ("HEALTH", "bro my boss got covid"),
    ("HEALTH", "saya tengah hamil 5 bulan"),
    ("HEALTH", "He is HIV positive"),
    ("HEALTH", "Encik Lim perlu jalani dialisis tiga kali seminggu"),
    ("RELIGION", "Agama: Islam"),
    ("RELIGION", "Saya beragama Kristian."),
    ("RELIGION", "She is a practising Catholic."),
    ("RELIGION", "他是佛教徒"),
    ("RELIGION", '{"name":"Siti","religion":"Muslim"}'),
    ("RELIGION", "Dia dah masuk Islam tahun lepas"),
    ("POLITICS", "Saya ahli UMNO sejak 1998."),
    ("POLITICS", "He voted for DAP in the last election."),
    ("POLITICS", "Beliau penyokong PAS"),
    ("POLITICS", "我支持行动党"),
    ("OFFENCE", "Suspek Ahmad bin Abu didakwa mencuri motosikal."),
    ("OFFENCE", "He was convicted of fraud in 2019."),
    ("OFFENCE", "My brother was arrested for drug possession."),
    ("OFFENCE", "他被控偷窃"),
    ("OFFENCE", "pekerja ini ada rekod jenayah"),
    ("BIOMETRIC", "cap jari saya tak dapat diimbas"),
    ("BIOMETRIC", "Upload the fingerprint template of employee 34."),
    ("BIOMETRIC", "her iris scan was stored in the database"),
    ("BIOMETRIC", "采集他的指纹"),
]

GENERAL = [
    "Hospital Kuala Lumpur menerima ramai pesakit setiap hari.",
    "Apa itu diabetes?",
    "Kempen kesedaran kanser payudara bermula esok.",
    "Islam ialah agama persekutuan.",
    "UMNO memenangi kerusi itu.",
    "Polis menahan lima suspek.",
    "What are the symptoms of dengue?",
    "I would like to know the office hours of the clinic.",
    "Saya nak tanya tentang waktu solat dan agama di sekolah.",
    "The biometric passport gate is closed.",
    "Undang-undang jenayah perlu dipinda.",
    "My favourite party song",
    "pas masuk saya hilang",
    "saya pas exam",
    "什么是糖尿病？",
    "政府推动预防心脏病运动",
    "I am writing a story about a prison.",
    "Dia pergi ke klinik gigi.",
    "The patient information leaflet is on page 3.",
    "Explain the history of Buddhism in Kedah.",
    "She has a meeting on kidney research funding.",
    "Sila ambil ubat nyamuk di kaunter.",
]


@pytest.mark.parametrize(("flag", "text"), FLAGGED)
def test_what_is_said_of_a_person_is_flagged(guard: Guard, flag: str, text: str) -> None:
    assert flag in guard.scan(text).flags


@pytest.mark.parametrize("text", GENERAL)
def test_general_statements_raise_no_flag(guard: Guard, text: str) -> None:
    assert guard.scan(text).flags == frozenset()


def test_flags_raise_the_kind_of_personal_data(guard: Guard) -> None:
    assert guard.scan("Isteri saya menghidap kanser.").personal is PersonalKind.SENSITIVE
    assert guard.scan("Upload the fingerprint template.").personal is PersonalKind.BIOMETRIC
