"""Vectors find what words do not, never above a label or past a group, and follow every change of the store."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

onnx = pytest.importorskip("onnx", reason="the extra embed and onnx are not installed")
pytest.importorskip("onnxruntime", reason="the extra embed is not installed")
from onnx_kit import embedder, reranker  # noqa: E402

from selat.core.errors import HomeBroken  # noqa: E402
from selat.core.label import HIGHEST, LOWEST, Label, Official, parse_label  # noqa: E402
from selat.core.passage import Passage, Source  # noqa: E402
from selat.knowledge import Document, Library, Models, Place, Query, onnx_embedder, onnx_reranker  # noqa: E402
from selat.knowledge.folders import Folder  # noqa: E402
from selat.knowledge.near import recall  # noqa: E402
from selat.knowledge.scope import Scope  # noqa: E402
from selat.knowledge.vectors import MERGE_AT, Vector, Vectors, _by_blocks, _products, _small  # noqa: E402

GROUPS = [["zirafah", "blorpi"], ["kereta", "gruntel"], ["nasi", "womble"]]


def document(identity: str, text: str, label: str = "terbuka", folder: str = "") -> Document:
    source = Source(identity, "")
    return Document(
        source,
        parse_label(label),
        text,
        [Passage(source, 1, 0, len(text), text, parse_label(label))],
        folder=folder,
    )


@pytest.fixture
def models(tmp_path: Path) -> Models:
    folder = embedder(tmp_path / "model", GROUPS)
    return Models(lambda: onnx_embedder(folder))


@pytest.fixture
def library(place: Place, models: Models) -> Iterator[Library]:
    library = Library(place.originals.parent, models, place)
    for identity, text, label in (
        ("a", "zirafah itu tinggi", "terbuka"),
        ("b", "kereta itu laju", "terbuka"),
        ("c", "blorpi sulit", "sulit"),
    ):
        library.add("t", "c", document(identity, text, label))
    library.catch_up()
    yield library
    library.close()


def seen(library: Library, text: str, clearance: Label = HIGHEST, *groups: str) -> list[str]:
    query = Query("t", "c", text, clearance, 2, frozenset(groups))
    return [hit.passage.source.document for hit in library.search(query)]


def test_a_word_that_no_document_holds_finds_what_means_the_same(library: Library) -> None:
    assert seen(library, "gruntel")[0] == "b"
    assert Library(library.folder, place=library.place).search(Query("t", "c", "gruntel", HIGHEST)) == []


def test_nothing_above_the_clearance_is_near(library: Library) -> None:
    assert set(seen(library, "blorpi")) == {"a", "c"}
    assert "c" not in seen(library, "blorpi", LOWEST)
    assert library.search(Query("u", "", "blorpi", HIGHEST)) == []


def test_vectors_follow_labels_groups_and_removals_without_the_model(library: Library) -> None:
    before = list(library.folder.glob("vectors-*"))
    library.relabel("t", "c", "a", parse_label("rahsia"))
    plain = Library(library.folder, place=library.place)
    plain.relabel("t", "c", "c", parse_label("terbuka"))
    assert seen(library, "blorpi", LOWEST)[0] == "c"
    assert "a" not in seen(library, "blorpi", LOWEST)
    plain.remove("t", "c", "c")
    assert "c" not in seen(library, "blorpi")
    library.add("t", "c", document("d", "blorpi di zoo", folder="haiwan"))
    library.catch_up()
    plain.keep_to(Folder("t", "c", "haiwan", None, "zoo"))
    assert "d" not in seen(library, "zirafah")
    assert "d" in seen(library, "zirafah", HIGHEST, "zoo")
    assert list(library.folder.glob("vectors-*")) == before
    assert "documents wait" not in library.status().vectors
    plain.close()


def test_another_model_makes_all_vectors_anew_beside_the_live_ones(library: Library, tmp_path: Path) -> None:
    old = library.near._pointed()
    folder = embedder(tmp_path / "other", [*GROUPS, ["laju", "vispa"]], seed=2)
    other = Library(library.folder, place=library.place, models=Models(lambda: onnx_embedder(folder)))
    assert "full text alone" in other.status().vectors
    assert seen(other, "vispa") == []
    other.rebuild()
    assert seen(other, "vispa")[0] == "b"
    assert other.near._pointed() != old
    assert not (library.folder / old).exists()
    assert seen(library, "gruntel") == []  # a process with the old model goes by full text alone
    other.close()


def test_a_rebuild_that_was_killed_leaves_the_live_vectors_in_use(library: Library) -> None:
    live = library.near._pointed()

    class Killed(Exception):
        pass

    def kill(*_: object) -> None:
        raise Killed

    library.near._point = kill  # type: ignore[method-assign]
    with pytest.raises(Killed):
        library.rebuild()
    assert library.near._pointed() == live
    assert seen(library, "gruntel")[0] == "b"


def test_a_rebuild_waits_for_whoever_makes_vectors_now(library: Library, place: Place) -> None:
    old = library.near._pointed()
    with ThreadPoolExecutor(1) as pool:
        with place.locked("vectors"):
            rebuilding = pool.submit(library.rebuild)
            wait([rebuilding], 0.5)
            assert not rebuilding.done()
        rebuilding.result()
        pool.submit(library.close).result()  # what that thread opened
    assert library.near._pointed() != old


def test_a_reranker_has_the_last_word(tmp_path: Path) -> None:
    folder = reranker(tmp_path / "rerank", "zaitun")
    library = Library(tmp_path / "knowledge", Models(reranker=lambda: onnx_reranker(folder)))
    library.add("t", "c", document("a", "minyak minyak sawit"))
    library.add("t", "c", document("b", "sedikit minyak zaitun di dapur sebelah kedai"))
    assert seen(Library(library.folder, place=library.place), "minyak")[0] == "a"
    assert seen(library, "minyak")[0] == "b"
    library.close()


def test_a_folder_that_holds_no_model_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(HomeBroken, match=r"model\.onnx and tokenizer\.json"):
        onnx_embedder(tmp_path)
    (tmp_path / "model.onnx").write_bytes(b"no model")
    shutil.copy(embedder(tmp_path / "good", GROUPS) / "tokenizer.json", tmp_path)
    with pytest.raises(HomeBroken, match="cannot be read"):
        onnx_embedder(tmp_path)


def cloud(count: int, seed: int = 3, width: int = 16) -> list[Vector]:
    chance = np.random.default_rng(seed)
    labels = [LOWEST, parse_label("sulit")]
    scopes = [("t", "c", ""), ("t", "d", "hr,it"), ("u", "c", "")]
    return [
        Vector(at + 1, at // 3, scopes[at % 3], labels[at % 2], chance.standard_normal(width).astype(np.float32))
        for at in range(count)
    ]


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(Official), st.sampled_from(["", "c", "d"]), st.sampled_from([(), ("hr",), ("it", "x")]))
def test_a_filtered_search_is_exact(
    tmp_path_factory: pytest.TempPathFactory, level: Official, collection: str, groups: tuple[str, ...]
) -> None:
    vectors = Vectors(tmp_path_factory.mktemp("v"))
    rows = cloud(600)
    vectors.add(rows[:400], [])
    vectors.add(rows[400:], [])
    clearance = Label(level, HIGHEST.cloud, HIGHEST.personal)
    asked = rows[5].values + rows[9].values
    found = vectors.search(asked, Scope("t", collection, clearance, groups=frozenset(groups)), 10)
    allowed = [
        one
        for one in rows
        if one.scope[0] == "t"
        and collection in ("", one.scope[1])
        and (not one.scope[2] or set(groups) & set(one.scope[2].split(",")))
        and one.label.within(clearance)
    ]
    cosine = {one.id: float(one.values @ asked / np.linalg.norm(one.values)) for one in allowed}
    expected = sorted(cosine, key=lambda identity: -cosine[identity])[:10]
    assert [identity for identity, _ in found] == expected


@pytest.mark.parametrize("apart", [1.0, 0.03])
def test_what_is_found_is_what_a_scan_in_double_precision_finds(tmp_path: Path, apart: float) -> None:
    """Also where hundreds are nearer to each other than int8 or float16 can tell."""
    chance = np.random.default_rng(11)
    whole = chance.standard_normal(192) + apart * chance.standard_normal((2500, 192))
    vectors = Vectors(tmp_path)
    rows = [Vector(at, at, ("t", "c", ""), LOWEST, one) for at, one in enumerate(whole.astype(np.float32))]
    vectors.add(rows[:2000], [])
    vectors.add(rows[2000:], [])
    vectors.merge()
    unit = whole / np.linalg.norm(whole, axis=1, keepdims=True)
    for asked in chance.standard_normal(192) + apart * chance.standard_normal((20, 192)):
        true = unit @ asked / np.linalg.norm(asked)
        found = [identity for identity, _ in vectors.search(asked, Scope("t", "", LOWEST), 10)]
        assert len(set(found)) == 10
        assert true[found].min() >= np.sort(true)[-10] - 5e-7


def test_many_segments_become_one_and_lose_nothing(tmp_path: Path) -> None:
    vectors = Vectors(tmp_path)
    rows = cloud(120)
    for at in range(0, 120, 6):
        vectors.add(rows[at : at + 6], [])
    vectors.add([], [0])
    other = Vectors(tmp_path)
    assert other.size == 117
    assert len(other._now().segments) < MERGE_AT
    assert not list(tmp_path.glob("s000001.*"))
    assert set(other.known([1, 4, 5])) == {4, 5}


def test_vectors_that_another_process_made_first_are_met(place: Place) -> None:
    reader, writer = (place.vectors("vectors-v1-late-1") for _ in range(2))
    assert reader
    assert writer
    rows = cloud(3)
    assert reader.search(rows[0].values, Scope("t", "", LOWEST), 1) == []
    writer.add(rows, [])
    time.sleep(0.06)  # as long as a search may go on with what the one before saw
    assert [identity for identity, _ in reader.search(rows[0].values, Scope("t", "", LOWEST), 1)] == [1]


def test_vectors_that_a_rebuild_drops_within_a_search_are_left_for_the_new_ones(
    library: Library, models: Models, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    asker = Library(place.originals.parent, models, place)
    assert asker.near.embedder
    vectors: Any = asker.near._live()
    search = vectors.search

    def dropped(*asked: Any) -> Any:
        library.near.rebuild(library)
        return search(*asked)

    monkeypatch.setattr(vectors, "search", dropped)
    assert "a" in [hit.passage.source.document for hit in asker.search(Query("t", "c", "blorpi"))]
    assert library.near.told().startswith("vectors-v1-")


def test_above_the_limit_a_graph_finds_nearly_what_a_scan_finds(place: Place) -> None:
    vectors: Any = place.vectors("vectors-v1-graph-1")
    vectors.scan_limit = 300
    rows = cloud(1500)
    for at in range(0, 1500, 150):
        vectors.add(rows[at : at + 150], [])
    if isinstance(vectors, Vectors):
        assert list(vectors.folder.glob("*.usearch"))
    else:
        plan = "SELECT indexdef FROM pg_indexes WHERE indexname LIKE '%%graph' AND indexdef LIKE '%%hnsw%%'"
        assert place.connection().execute(plan).fetchall()
    everyone = Scope("t", "", HIGHEST, groups=frozenset({"hr"}))
    asked = [one.values for one in rows[:40]]
    assert recall(vectors, asked, everyone, 10) >= 0.9
    narrow = Scope("t", "c", LOWEST)
    assert recall(vectors, asked, narrow, 10) == 1.0
    found = vectors.search(asked[0], everyone, 10)
    assert found[0][0] in (1, *(one for one, _ in vectors.search(asked[0], everyone, 3, exact=True)))
    assert found == sorted(found, key=lambda one: -one[1])


@pytest.mark.parametrize("place", ["postgresql"], indirect=True)
def test_a_graph_that_leads_to_too_few_is_not_believed(place: Place) -> None:
    """One passage in three hundred is in scope: wherever the graph gives up, all that are in scope are found."""
    vectors: Any = place.vectors("vectors-v1-graph-2")
    vectors.scan_limit = 4
    rows = [
        replace(one, scope=("t", "c", "few" if at % 100 == 0 else "many")) for at, one in enumerate(cloud(3000))
    ]
    vectors.add(rows, [])
    few = Scope("t", "", HIGHEST, groups=frozenset({"few"}))
    assert len(vectors.search(rows[7].values, few, 5)) == 5
    assert recall(vectors, [one.values for one in rows[:10]], few, 5) == 1.0


def test_both_kernels_give_the_same_products() -> None:
    small, _ = _small(np.random.default_rng(5).standard_normal((50, 48)).astype(np.float32))
    assert np.array_equal(_by_blocks(small, small[3]), _products(small, small[3]))
