"""The book answers by time, tenant, caller, model, label, decision and rule; usage is a fold, rebuilt at will."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from ledger_house import House

from selat.core.canonical import canonical
from selat.core.errors import BadRequest, HomeBusy, LedgerBroken
from selat.ledger import FORMATS, Asked, Book, Question, Sequencer, reindex, usage
from selat.ledger.facts import Details, details
from selat.ledger.index import Index
from selat.ledger.lines import Lines
from selat.ledger.query import query


def opened(number: int, **more: object) -> bytes:
    entry: dict[str, object] = {
        "v": 1,
        "kind": "opened",
        "id": f"R{number}",
        "time": f"2026-11-{number + 1:02d}T03:00:00.000Z",
        "tenant": "t1",
        "caller": "k1",
        "purpose": "chat",
        "api": "chat.completions",
        "model": "m1",
        "engine": "e1",
        "label": {"official": "terbuka", "cloud": "public", "personal": "none", "jurisdictions": ["MY"]},
        "decision": {"effect": "permit", "rules": ["open-data"]},
    }
    return canonical(entry | more)


def closed(number: int, tokens: int = 10) -> bytes:
    time = f"2026-11-{number + 1:02d}T03:00:01.000Z"
    used = {"prompt": tokens, "completion": 2, "source": "engine"}
    entry = {"kind": "closed", "id": f"R{number}", "time": time, "tenant": "t1", "outcome": "complete"}
    return canonical(entry | {"v": 1, "status": 200, "usage": used, "duration_ms": 950, "first_ms": None})


@pytest.fixture
def book(house: House) -> House:
    sulit = {"official": "sulit", "cloud": "restricted", "personal": "personal", "jurisdictions": ["MY", "SG"]}
    redact = {"effect": "redact", "rules": ["redact-personal", "open-data"]}
    house.write(
        [
            opened(0),
            closed(0),
            opened(1, tenant="t2", caller="k2"),
            closed(1, 30),
            opened(2, label=sulit, decision=redact, model="m2"),
            closed(2),
            opened(3, kind="refused", decision={"effect": "deny", "rules": ["no-biometric"]}),
            opened(4, purpose="=cmd()"),
            b"not json at all",
            canonical({"v": 1, "kind": "key.created", "id": "K1", "time": "", "tenant": "t1", "facts": {}}),
        ]
    )
    house.sequence()
    return house


def found(house: House, **asked: object) -> list[str]:
    return [one.receipt for one in query(house.folder, replace(Question(), **asked))]  # type: ignore[arg-type]


def test_each_part_of_a_question_narrows(book: House) -> None:
    assert found(book) == ["R0", "R1", "R2", "R3", "R4"]
    assert found(book, tenant="t2") == ["R1"]
    assert found(book, caller="k1", model="m2") == ["R2"]
    assert found(book, purpose="chat", tenant="t1") == ["R0", "R2", "R3"]
    assert found(book, since="2026-11-02", until="2026-11-04") == ["R1", "R2"]
    assert found(book, since="2026-11-02T08:00+08:00", until="2026-11-04T00:00Z") == ["R1", "R2"]
    with pytest.raises(BadRequest, match="since: 'yesterday' is no time; write 2026-11-22"):
        found(book, since="yesterday")
    assert found(book, label="terhad") == ["R2"]
    assert found(book, label="none") == ["R0", "R1", "R2", "R3", "R4"]
    assert found(book, decision="deny") == ["R3"]
    assert found(book, rule="open-data") == ["R0", "R1", "R2", "R4"]
    assert found(book, rule="open") == []
    assert found(book, open_only=True) == ["R4"]
    assert found(book, limit=2) == ["R0", "R1"]
    with pytest.raises(BadRequest, match="known"):
        found(book, label="secret")


def test_a_request_is_its_opening_and_its_closing(book: House) -> None:
    (one,) = query(book.folder, Question(model="m2"))
    assert one == Asked(
        "R2", 4, 5, "2026-11-03T03:00:00.000Z", "t1", "k1", "chat", "chat.completions", "m2", "e1",
        "sulit/restricted/personal/MY+SG", "redact", "redact-personal open-data", "complete", 200, 10, 2, 950,
    )  # fmt: skip


def test_usage_is_a_fold_that_a_rebuilt_index_repeats(book: House) -> None:
    def rows() -> list[tuple[object, ...]]:
        found = usage(book.folder, ("tenant", "month"), Question())
        return [(row.group, row.requests, row.refused, row.prompt_tokens, row.completion_tokens) for row in found]

    assert rows() == [(("t1", "2026-11"), 4, 1, 20, 4), (("t2", "2026-11"), 1, 0, 30, 2)]
    before = rows()
    assert reindex(book.folder) == 10
    assert rows() == before
    assert usage(book.folder, (), Question(tenant="nobody"))[0].requests == 0
    with pytest.raises(BadRequest):
        usage(book.folder, ("leaf; DROP TABLE entry",), Question())


def test_languages_are_counted_for_a_tenant_and_never_beside_a_caller(house: House) -> None:
    house.write([opened(n, language=code) for n, code in enumerate(("ms", "ta", "ms"))] + [opened(3)])
    house.sequence()
    counted = {one.group[0]: one.requests for one in usage(house.folder, ("language",), Question())}
    assert counted == {"ms": 2, "ta": 1, "": 1}, "an entry from before languages were booked has none"
    with pytest.raises(BadRequest, match="never beside callers"):
        usage(house.folder, ("caller", "language"), Question())


def test_a_closing_finds_its_opening_in_whatever_step_and_order_they_come(house: House) -> None:
    steps = [[opened(0), opened(1), closed(2, 30)], [closed(1, 20), opened(2)], [closed(0), closed(3)]]
    sequencer = Sequencer(house.folder, house.signer)
    for leaves in steps:
        house.write(leaves)
        sequencer.step()
    sequencer.close()

    def rows() -> list[tuple[str, int, int, int]]:
        return [
            (one.receipt, one.leaf, one.closed_leaf, one.prompt_tokens) for one in query(house.folder, Question())
        ]

    assert rows() == [("R0", 0, 5, 10), ("R1", 1, 3, 20), ("R2", 4, 2, 30)]
    book = Book(house.folder)
    assert [book.find(f"R{number}") for number in range(4)] == [[0, 5], [1, 3], [2, 4], [6]]
    before = rows()
    assert reindex(house.folder) == 7
    assert rows() == before


def test_entering_leaves_again_changes_nothing_and_a_gap_is_refused(tmp_path: Path) -> None:
    index, said = Index(tmp_path), [details(leaf) for leaf in (opened(0), opened(1), closed(0), closed(1))]

    def lines(first: int, some: list[Details]) -> Lines:
        taken = index.lines(first)
        taken.take(some)
        return taken

    index.make()
    index.add(lines(0, said[:3]))
    index.add(lines(1, said[1:]))
    index.add(lines(0, said))
    assert (index.size(), index.find("R0"), index.find("R1")) == (4, [0, 2], [1, 3])
    with pytest.raises(LedgerBroken, match="reindex"):
        index.add(lines(5, said))
    assert index.size() == 4
    index.drop()
    assert index.make() == 0


def test_reindexing_waits_for_the_sequencer_to_stop(book: House) -> None:
    sequencer = Sequencer(book.folder, book.signer)
    sequencer.start()
    with pytest.raises(HomeBusy):
        reindex(book.folder)
    sequencer.close()


def test_exports_hold_the_same_rows(book: House) -> None:
    def out(name: str) -> bytes:
        return b"".join(FORMATS[name](query(book.folder, Question())))

    lines = [json.loads(line) for line in out("jsonl").splitlines()]
    table = list(csv.DictReader(io.StringIO(out("csv").decode())))
    assert (
        [line["receipt"] for line in lines] == [row["receipt"] for row in table] == ["R0", "R1", "R2", "R3", "R4"]
    )
    assert table[4]["purpose"] == "'=cmd()", "a spreadsheet must not run it"
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is an extra")
    assert parquet.read_table(io.BytesIO(out("parquet"))).to_pylist() == lines


def test_spans_have_no_content_and_the_same_ids_each_time(book: House) -> None:
    first, again = (b"".join(FORMATS["otlp"](query(book.folder, Question()))) for _ in range(2))
    assert first == again
    span = json.loads(first.splitlines()[0])["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
    assert (len(span["traceId"]), len(span["spanId"]), span["name"]) == (32, 16, "chat m1")
    keys = {attribute["key"] for attribute in span["attributes"]}
    assert {"gen_ai.request.model", "selat.receipt.id", "selat.label"} <= keys
    assert not {key for key in keys if "content" in key or "message" in key}
    assert int(span["endTimeUnixNano"]) - int(span["startTimeUnixNano"]) == 950_000_000


def test_an_index_of_an_earlier_version_is_made_anew(book: House) -> None:
    rows = list(query(book.folder, Question()))
    size = Index(book.folder).size()
    with Index(book.folder).open() as database:
        database.executescript("DROP VIEW entry; CREATE TABLE entry (leaf INTEGER); PRAGMA user_version = 4")
    assert Index(book.folder).make() == 0
    assert reindex(book.folder) == size
    assert list(query(book.folder, Question())) == rows
