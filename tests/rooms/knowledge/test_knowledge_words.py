"""Words meet their other forms, whatever language they are from; the stemmer is held to a list of its own."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selat.knowledge import detect, is_indonesian
from selat.knowledge.question import understand
from selat.knowledge.sentences import sentence_spans, sentences
from selat.knowledge.store import FEW, stems_among
from selat.knowledge.terms import shared
from selat.knowledge.words import stem, stems, words

ANY = st.text(st.characters(exclude_categories=("Cs",)), max_size=300)
FORMS = """
bekal pembekal dibekalkan bekalan | sihat kesihatan menyihatkan | rosak kerosakan | lulus kelulusan diluluskan
keluar keluaran pengeluaran | anggur pengangguran penganggur menganggur | duduk penduduk kependudukan
lancong pelancong pelancongan | tani pertanian petani | khidmat perkhidmatan berkhidmat | miskin kemiskinan
mohon permohonan pemohon memohon | dapat pendapatan mendapat | belanja perbelanjaan berbelanja | didik pendidikan
ajar pelajar pembelajaran belajar mengajar | rumah perumahan | mati kematian | lahir kelahiran dilahirkan
kahwin perkahwinan berkahwin | cerai perceraian | ternak penternakan | tanam penanaman tanaman menanam
hasil penghasilan menghasilkan | selamat keselamatan | lindung perlindungan melindungi
langgar pelanggaran melanggar
beritahu pemberitahuan memberitahu | pindah pemindahan memindahkan | bocor kebocoran | simpan penyimpanan menyimpan
bayar pembayaran membayar bayaran | labur pelaburan melabur | tagih penagih ketagihan | bunuh pembunuhan terbunuh
cemar pencemaran tercemar | hutan kehutanan perhutanan | ikan perikanan | tumpang penumpang menumpang
daftar pendaftaran berdaftar mendaftar | guna pengguna penggunaan menggunakan | niaga perniagaan peniaga berniaga
nyata penyata kenyataan menyatakan | putus keputusan memutuskan | ukur pengukuran | kerap kekerapan
serta penyertaan menyertai | pilih pemilihan pilihan memilih | kuat kekuatan memperkuat | baharu diperbaharui
urus pengurusan menguruskan | peruntuk peruntukan memperuntukkan diperuntukkan | sekutu persekutuan
kenal pengenalan memperkenalkan | adil keadilan ketidakadilan | undang perundangan | undi pengundi mengundi
"""


def test_the_malay_stemmer_is_right_on_its_list() -> None:
    families = [family.split() for family in FORMS.replace("\n", "|").split("|") if family.strip()]
    tried = [(root, form) for root, *forms in families for form in [root, *forms]]
    wrong = [(form, stem(form)) for root, form in tried if stem(form) != root]
    assert len(tried) > 120
    assert len(wrong) <= 0.03 * len(tried), wrong


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("unemployment", "unemployed"),
        ("fisheries", "fishing"),
        ("vehicles", "vehicle"),
        ("births", "birth"),
        ("மாநிலங்களின்", "மாநிலங்கள்"),
        ("வேலையின்மை", "வேலையின்மையின்"),
        ("ஆண்டு", "ஆண்டில்"),
        ("family", "families"),
        ("supply", "supplies"),
        ("hospital", "hospitals"),
    ],
)
def test_forms_of_a_word_meet(one: str, other: str) -> None:
    assert stems(words(one)) == stems(words(other))


def test_english_words_are_not_taken_apart_as_malay() -> None:
    assert [stem(word) for word in ("person", "perform")] == ["person", "perform"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("orange", "orang"),
        ("baby", "babi"),
        ("based", "bas"),
        ("goods", "good"),
        ("fares", "far"),
        ("peruntukan", "untuk"),
        ("ஆண்டில்", "ஆண்"),
    ],
)
def test_words_that_only_look_alike_stay_apart(one: str, other: str) -> None:
    assert stem(one) != stem(other)


def test_what_a_question_is_broken_down_by_joins_nothing_before_it() -> None:
    asked = [concept.asked for concept in understand("doktor gigi kerajaan mengikut negeri", shared()).concepts]
    assert {("kerajaan",), ("negeri",)} <= set(asked)


def test_a_year_stands_for_itself_and_says_little() -> None:
    (year,) = [one for one in understand("penduduk pada tahun 1985", shared()).concepts if one.asked == ("1985",)]
    assert year.part < 1
    assert not any(one.asked == ("tahun",) for one in understand("pada tahun 1985", shared()).concepts)
    assert stem("kereta") == "kereta"


@given(ANY)
def test_any_text_has_words_without_spaces_in_them(text: str) -> None:
    for word in words(text):
        assert word
        assert not word.isspace()
        assert stem(word)


@given(ANY)
def test_sentences_are_the_text_in_order(text: str) -> None:
    spans = list(sentence_spans(text, 0, len(text)))
    assert "".join("".join(text[start:end].split()) for start, end in spans) == "".join(text.split())
    assert spans == sorted(spans)


@settings(deadline=None)  # the first one reads the glossary
@given(ANY)
def test_any_question_is_understood(text: str) -> None:
    asked = understand(text, shared())
    assert asked.language in ("ms", "en", "zh", "ta")
    assert all(concept.clause.alternatives for concept in asked.concepts)


def test_an_abbreviation_ends_no_sentence() -> None:
    assert sentences("Syarikat ABC Sdn. Bhd. berdaftar. Bil. 3 dibatalkan.") == [
        "Syarikat ABC Sdn. Bhd. berdaftar.",
        "Bil. 3 dibatalkan.",
    ]


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Berapa lama tempoh untuk melaporkan kebocoran?", "ms"),
        ("How long do I have to report a breach?", "en"),
        ("brp harga minyak skrg", "ms"),
        ("各州失业率", "zh"),
        ("PDPA 罚款是多少", "zh"),
        ("மாநில வாரியாக வறுமை", "ta"),
    ],
)
def test_the_language_of_a_question(text: str, language: str) -> None:
    assert detect(text) == language


def test_indonesian_is_told_from_malay() -> None:
    assert is_indonesian("Perusahaan itu tidak bisa membayar pajak karena uang habis.")
    assert not is_indonesian("Syarikat itu tidak boleh membayar cukai kerana wang habis.")


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("brp harga mknn", "makan"),
        ("kedai2 runcit", "kedai"),
        ("mahalll sgt", "mahal"),
        ("失业率", "anggur"),
        ("வேலையின்மை", "anggur"),
        ("KWSP", "epf"),
        ("kes jenayah di Kelantan", "negeri"),
        ("berapa harga bensin", "petrol"),
        ("jumlah narapidana", "banduan"),
    ],
)
def test_a_question_is_read_as_it_is_meant(asked: str, meant: str) -> None:
    concepts = understand(asked, shared()).concepts
    assert any(meant in concept.stems for concept in concepts)


@given(st.lists(ANY, max_size=4), st.lists(ANY, max_size=4))
@settings(max_examples=50, deadline=None)
def test_stems_asked_for_are_found_as_in_the_whole_line(texts: list[str], questions: list[str]) -> None:
    held = stems(word for text in texts for word in words(text))
    other = stems(word for text in questions for word in words(text))
    few = frozenset([*held[::3], *other][:FEW])
    for asked in (few, few | frozenset(f"x{number}" for number in range(FEW + 1))):
        assert stems_among(asked, " ".join(held)) == asked.intersection(held)


def test_a_short_e_that_chat_leaves_out_is_put_back() -> None:
    class Known:
        def frequency(self, stem: str) -> int:
            return stem in ("belanja", "keluarga")

        def near(self, stem: str) -> list[str]:
            return []

    (concept,) = understand("blanja", shared(), Known()).concepts
    assert ("belanja",) in {way for way, _ in concept.clause.alternatives}
