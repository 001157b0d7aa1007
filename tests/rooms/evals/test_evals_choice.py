"""Letters are read from replies as people would read them; a doubtful reply chose nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selat.evals.choice import read_choice

OPTIONS = ("langkah kiri", "langkah kanan", "gelap mata", "mata petai")


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("C", "C"),
        (" c ", "C"),
        ("(C)", "C"),
        ("C.", "C"),
        ("Ｃ", "C"),
        ("**C**", "C"),
        (r"\boxed{C}", "C"),
        ("C. gelap mata", "C"),
        ("C) gelap mata kerana wang itu banyak", "C"),
        ("(B) langkah kanan", "B"),
        ("Jawapan: C", "C"),
        ("Jawapannya ialah C kerana A salah.", "C"),
        ("Jawapan yang betul ialah **(D)**", "D"),
        ("Jawapan akhir: B", "B"),
        ("Saya pilih B", "B"),
        ("The answer is C.", "C"),
        ("The correct answer is: (c)", "C"),
        ("The correct option is D", "D"),
        ("答案是B", "B"),
        ("答案：C", "C"),
        ("正确答案是 A。", "A"),
        ("B项正确，因为……", "B"),
        ("விடை: D", "D"),
        ("Jawaban: A", "A"),
        ("gelap mata", "C"),
        ("Maksudnya ialah gelap mata.", "C"),
        ("<think>A mungkin betul. Jawapan: A? Bukan.</think>Jawapan: C", "C"),
        ("Pada mulanya jawapan: A. Setelah difikirkan, jawapan: D", "D"),
        ("Saya rasa D", "D"),
        ("Answer: B\n\nExplanation: A dog is not a cat.", "B"),
        ("C\n\nKerana frasa itu bermaksud terpedaya.", "C"),
    ],
)
def test_a_reply_that_chose_is_read(text: str, letter: str) -> None:
    assert read_choice(text, OPTIONS) == letter


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Saya tidak tahu.",
        "Jawapan: A atau B",
        "The answer is A or C",
        "A. langkah kiri\nB. langkah kanan\nC. gelap mata\nD. mata petai",
        "E",
        "Jawapan: F",
        "A dog is an animal.",
        "I think so.",
        "Boleh jadi langkah kiri, boleh jadi langkah kanan.",
        "Antara B dan D",
        "Dalam ayat ini, semuanya betul.",
        "The answer is a phrase.",
        "<think>Jawapan: C",
    ],
)
def test_a_doubtful_reply_chose_nothing(text: str) -> None:
    assert read_choice(text, OPTIONS) == ""


def test_an_option_inside_a_longer_one_gives_way() -> None:
    assert read_choice("Ia kata kerja transitif.", ("kata kerja", "kata kerja transitif")) == "B"


@given(st.text(max_size=60))
def test_never_a_letter_that_was_not_offered(text: str) -> None:
    assert read_choice(text, ("ya", "tidak")) in ("", "A", "B")


@given(st.sampled_from("ABCD"), st.sampled_from(["Jawapan: {}", "{}", "({})", "{}.", "答案：{}", "Answer: {}"]))
def test_every_plain_form_reads_back(letter: str, form: str) -> None:
    assert read_choice(form.format(letter), OPTIONS) == letter
