"""The library shows only what a caller may see, skips what it has, and forgets at once what is removed."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from selat.core.errors import HomeBroken, NotFound, Unavailable
from selat.core.label import HIGHEST, LOWEST, CloudClass, Label, Official, PersonalKind, parse_label
from selat.core.passage import Passage, Source
from selat.knowledge import Document, Library, Place, Query, documents_of

LABELS = st.builds(Label, st.sampled_from(Official), st.sampled_from(CloudClass), st.sampled_from(PersonalKind))


def document(identity: str, text: str, label: str = "terbuka", digest: str = "1", title: str = "") -> Document:
    source = Source(identity, title or identity)
    passage = Passage(source, 1, 0, len(text), text, parse_label(label))
    return Document(source, parse_label(label), digest, [passage])


@pytest.fixture
def library(place: Place) -> Iterator[Library]:
    """A library in a folder, and one on PostgreSQL: what holds of one holds of the other."""
    library = Library(place.originals.parent, place=place)
    yield library
    library.close()


@pytest.fixture
def in_folder(tmp_path: Path) -> Iterator[Library]:
    library = Library(tmp_path / "knowledge")
    yield library
    library.close()


def seen(library: Library, text: str, clearance: Label = LOWEST, tenant: str = "t", k: int = 10) -> list[str]:
    return documents_of(library, Query(tenant, "c", text, clearance, k))


def test_a_word_finds_its_other_forms(library: Library) -> None:
    library.add("t", "c", document("a", "Pembekal dikehendaki membekalkan kerusi."))
    library.add("t", "c", document("b", "Jadual bas ke Ipoh pada hari minggu."))
    assert seen(library, "bekalan") == ["a"]


def test_chat_spelling_finds_formal_text(library: Library) -> None:
    library.add("t", "c", document("a", "Harga makanan mentah di pasar."))
    assert seen(library, "brp hrga mknn skrg ek") == ["a"]


def test_a_question_finds_a_document_in_another_language(library: Library) -> None:
    library.add("t", "c", document("a", "Unemployment rate by state."))
    library.add("t", "c", document("b", "Ticket price for the morning train."))
    assert seen(library, "kadar pengangguran negeri")[0] == "a"
    assert seen(library, "各州失业率是多少？")[0] == "a"
    assert seen(library, "மாநிலங்களின் வேலையின்மை விகிதம்")[0] == "a"


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(LABELS, min_size=1, max_size=6), LABELS)
def test_no_passage_above_the_clearance_is_ever_shown(
    tmp_path_factory: pytest.TempPathFactory, labels: list[Label], clearance: Label
) -> None:
    library = Library(tmp_path_factory.mktemp("labels"))
    with library.writing() as shelf:
        for number, label in enumerate(labels):
            made = document(str(number), "rahsia kedai kopi")
            passages = [replace(passage, label=label) for passage in made.passages]
            shelf.add("t", "c", replace(made, label=label, passages=passages))
    expected = {str(number) for number, label in enumerate(labels) if label.within(clearance)}
    assert set(seen(library, "kedai kopi", clearance)) == expected
    assert {record.document for record in library.documents("t", "c", clearance)} == expected


def test_the_label_filter_comes_before_the_ranking(library: Library) -> None:
    with library.writing() as shelf:
        for number in range(300):
            shelf.add("t", "c", document(f"s{number}", "kopi kopi kopi", "rahsia"))
        shelf.add("t", "c", document("open", "Satu ayat panjang tentang kedai, pasar, jalan dan sedikit kopi."))
    assert seen(library, "kopi", k=1) == ["open"]


def test_tenants_and_collections_do_not_see_each_other(library: Library) -> None:
    library.add("t", "c", document("a", "kopi"))
    assert seen(library, "kopi", HIGHEST, tenant="u") == []
    assert library.search(Query("t", "other", "kopi", HIGHEST)) == []
    assert library.search(Query("t", "", "kopi", HIGHEST)) != []
    assert library.search(Query("t\x1fc", "", "kopi", HIGHEST)) == []


def test_an_unchanged_document_is_skipped_and_a_changed_one_replaced(library: Library) -> None:
    assert library.add("t", "c", document("a", "kopi"))
    assert not library.add("t", "c", document("a", "kopi"))
    assert library.add("t", "c", document("a", "teh", digest="2"))
    assert seen(library, "kopi") == []
    assert seen(library, "teh") == ["a"]


def test_a_new_version_that_cannot_be_read_leaves_the_one_before(library: Library) -> None:
    good = document("a", "kopi", digest="1")
    library.add("t", "c", good)
    broken = replace(good, digest="2", passages=(), reason="the file is broken", label=HIGHEST)
    assert library.add("t", "c", broken)
    assert seen(library, "kopi") == ["a"]
    (record,) = library.documents("t")
    assert (record.status, record.passages, record.label) == ("failed", 1, str(LOWEST))
    assert record.reason.endswith("still searched: the file is broken")
    assert library.status().failed == 1
    known = library.holds("t", "c", "a", "2")
    assert known is not None
    assert not library.add("t", "c", known)
    assert library.add("t", "c", document("a", "teh", digest="2"))  # read at the second try
    assert (seen(library, "kopi"), seen(library, "teh")) == ([], ["a"])
    assert library.documents("t")[0].reason == ""


def test_a_stricter_label_takes_effect_though_the_text_is_the_same(library: Library) -> None:
    library.add("t", "c", document("a", "kopi"))
    assert library.add("t", "c", document("a", "kopi", "sulit"))
    assert seen(library, "kopi") == []


def test_a_removed_document_is_gone_before_the_index_knows(library: Library) -> None:
    library.add("t", "c", document("a", "kopi"))
    with library.writing() as shelf:
        shelf.remove("t", "c", "a")
        assert seen(library, "kopi") == []
    with pytest.raises(NotFound, match="no such document"):
        library.remove("t", "c", "a")


def test_another_process_reads_while_one_writes(library: Library) -> None:
    library.add("t", "c", document("a", "kopi"))
    reader = Library(library.folder, place=library.place)
    assert seen(reader, "kopi") == ["a"]
    library.add("t", "c", document("b", "kopi teh"))
    assert set(seen(reader, "kopi")) == {"a", "b"}


def test_there_is_one_writer(library: Library) -> None:
    with (
        library.writing(),
        pytest.raises(Unavailable, match="ingesting"),
        Library(library.folder, place=library.place).writing(wait=False),
    ):
        pass


def test_a_rebuilt_index_answers_the_same(library: Library) -> None:
    for number in range(20):
        library.add("t", "c", document(f"d{number}", f"kopi nombor{number} " + "teh " * number))
    before = seen(library, "kopi nombor7")
    reader = Library(library.folder, place=library.place)
    assert library.rebuild() == 20
    assert seen(library, "kopi nombor7") == before == seen(reader, "kopi nombor7")


def test_a_writer_killed_before_the_index_is_made_good_by_the_next(in_folder: Library) -> None:
    script = (
        "import os, sys\n"
        "sys.path.insert(0, sys.argv[2])\n"
        "from tests.rooms.knowledge.test_knowledge_library import document\n"
        "from pathlib import Path\n"
        "from selat.knowledge import Library\n"
        "with Library(Path(sys.argv[1])).writing() as shelf:\n"
        "    shelf.add('t', 'c', document('a', 'kopi'))\n"
        "    shelf.save()\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    house = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", script, str(in_folder.folder), str(house)], cwd=house, check=False
    )
    assert done.returncode == -9
    assert seen(in_folder, "kopi") == []
    with in_folder.writing():
        pass
    assert seen(in_folder, "kopi") == ["a"]


def test_a_damaged_index_says_so_and_is_mended_from_the_documents(in_folder: Library) -> None:
    in_folder.add("t", "c", document("a", "kopi"))
    for path in (in_folder.folder / "index").iterdir():
        path.write_bytes(b"not an index")
    with pytest.raises(HomeBroken, match="selat index rebuild"):
        seen(Library(in_folder.folder), "kopi")
    fresh = Library(in_folder.folder)
    fresh.rebuild()
    assert seen(fresh, "kopi") == ["a"]


@pytest.mark.parametrize("trouble", ["full", "read-only"])
def test_a_disk_that_takes_nothing_is_named_and_not_what_lies_on_it(tmp_path: Path, trouble: str) -> None:
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(tmp_path)]
    if subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("needs to mount a small disk, which takes root")
    try:
        library = Library(tmp_path / "knowledge")
        library.add("t", "c", document("a", "kopi"))
        library.close()
        if trouble == "full":
            with suppress(OSError), (tmp_path / "rest").open("wb", buffering=0) as rest:
                while rest.write(bytes(4096)):
                    pass
        else:
            subprocess.run(["mount", "-o", "remount,ro", str(tmp_path)], check=True)
        for again in (lambda: library, lambda: Library(tmp_path / "knowledge")):
            with pytest.raises((Unavailable, HomeBroken), match=f"disk of the knowledge base is {trouble}"):
                seen(again(), "kopi")
        subprocess.run(["mount", "-o", "remount,rw,size=8m", str(tmp_path)], check=True)
        assert seen(library, "kopi") == ["a"]
    finally:
        subprocess.run(["umount", "-l", str(tmp_path)], check=True)


def test_an_index_of_another_version_is_built_anew(in_folder: Library) -> None:
    in_folder.add("t", "c", document("a", "kopi"))
    old = (in_folder.folder / "index").resolve()
    old.rename(in_folder.folder / "index-v0-7")
    (in_folder.folder / "index").unlink()
    (in_folder.folder / "index").symlink_to("index-v0-7")
    assert seen(Library(in_folder.folder), "kopi") == ["a"]
    assert not (in_folder.folder / "index-v0-7").exists()


def test_processes_that_open_a_new_library_together_share_one_index(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from selat.knowledge import Library, Query\n"
        "Library(Path(sys.argv[1])).search(Query('t', 'c', 'kopi'))\n"
    )
    house = Path(__file__).parents[3]
    command = [sys.executable, "-c", script, str(tmp_path / "new")]
    started = [subprocess.Popen(command, cwd=house) for _ in range(4)]
    assert [process.wait(60) for process in started] == [0, 0, 0, 0]


def test_a_passage_above_the_clearance_is_not_found(library: Library) -> None:
    library.add("t", "c", document("a", "kopi", "sulit"))
    assert library.passage(Query("t", "", "", HIGHEST), "a", 1).text == "kopi"
    for tenant, number, clearance in (("t", 1, LOWEST), ("u", 1, HIGHEST), ("t", 2, HIGHEST)):
        with pytest.raises(NotFound):
            library.passage(Query(tenant, "", "", clearance), "a", number)


def test_a_store_of_the_version_before_is_brought_up_to_date(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "documents.sqlite")
    connection.executescript((Path(__file__).parent / "store-2.sql").read_text())
    connection.close()
    library = Library(tmp_path)
    (record,) = library.documents("t", "c")
    assert (record.document, record.folder, record.readers) == ("a", "", "")
    assert seen(library, "kopi") == ["a"]
    library.close()
