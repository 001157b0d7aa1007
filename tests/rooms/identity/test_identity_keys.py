"""API keys: shown once, stored hashed, refused alike, revoked in every process within a second."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from selat.core.errors import HomeBroken, Misused, NotFound, SelatError, Unauthenticated
from selat.core.label import LOWEST, parse_label
from selat.identity import Keys, KeyWish, Presented, Purpose, Tenant, new_secret
from selat.identity.keys import NOT_ACCEPTED, WATCH_EVERY_S
from selat.identity.secret import digest
from selat.tables import open_engine


@pytest.fixture
def keys(database: str) -> Iterator[Keys]:
    """Keys on SQLite and on PostgreSQL alike: what holds of one holds of the other."""
    keys = Keys.open(database)
    keys.ensure_tenant(Tenant("default"))
    yield keys
    keys.close()


def test_a_key_identifies_its_caller(keys: Keys) -> None:
    wish = KeyWish("laptop", frozenset({"officer"}), parse_label("terhad/internal/personal"))
    made = keys.create("default", wish)
    caller = keys.identify(made.secret)
    assert (caller.tenant, caller.key, caller.roles) == ("default", made.record.id, frozenset({"officer"}))
    assert caller.clearance == wish.clearance
    assert caller.purposes == {"chat", "docs", "eval"}
    assert str(caller.prompt_label) == "terbuka/public/none/MY"


def test_a_tenant_that_ever_had_a_key_is_known(keys: Keys) -> None:
    keys.ensure_tenant(Tenant("other"))
    assert not keys.any("default")
    made = keys.create("default", KeyWish("one", frozenset({"builder"}), LOWEST))
    keys.revoke("default", made.record.id)
    assert keys.any("default")
    assert not keys.any("other")


def test_the_secret_is_kept_nowhere(tmp_path: Path) -> None:
    keys = Keys.open(tmp_path / "identity.db")
    keys.ensure_tenant(Tenant("default"))
    made = keys.create("default", KeyWish("laptop"))
    assert made.secret not in repr(made)
    keys.close()
    for path in tmp_path.iterdir():
        assert made.secret.encode() not in path.read_bytes()
        assert made.secret.removeprefix("sk-selat-").encode() not in path.read_bytes()


def test_wrong_malformed_expired_and_revoked_keys_are_refused_alike(tmp_path: Path) -> None:
    hour = [datetime.now(UTC)]
    keys = Keys.open(tmp_path / "identity.db")
    keys._now = lambda: hour[0] - timedelta(hours=2)
    keys.ensure_tenant(Tenant("default"))
    expired = keys.create("default", KeyWish(expires=hour[0] - timedelta(hours=1))).secret
    revoked = keys.create("default", KeyWish())
    keys.revoke("default", revoked.record.id)
    odd = "sk-selat-" + "\ud800" * 43
    refusals = set()
    for secret in ("", "sk-selat-", new_secret(), new_secret()[:-1], odd, expired, revoked.secret, "x" * 100_000):
        with pytest.raises(Unauthenticated) as caught:
            keys.identify(secret)
        refusals.add(str(caught.value))
    assert refusals == {NOT_ACCEPTED}


def test_a_secret_that_is_presented_again_is_looked_at_again(keys: Keys) -> None:
    made = keys.create("default", KeyWish())
    held = Presented(made.secret)
    assert keys.identify(held) == keys.identify(made.secret) == keys.identify(held)
    assert held.digest == digest(made.secret)
    keys.revoke("default", made.record.id)
    assert refused(keys, held)
    with pytest.raises(Unauthenticated):
        keys.identify(Presented("\ud800"))


def test_a_key_expires_while_it_is_remembered(keys: Keys) -> None:
    made = keys.create("default", KeyWish(expires=datetime.now(UTC) + timedelta(hours=1)))
    assert keys.identify(made.secret)
    real = time.time
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "time", lambda: real() + 3601)
        with pytest.raises(Unauthenticated):
            keys.identify(made.secret)
    assert keys.identify(made.secret)


def refused(keys: Keys, secret: str) -> bool:
    try:
        keys.identify(secret)
    except Unauthenticated:
        return True
    return False


REVOKE = """
import sys
from selat.identity import Keys
keys = Keys.open(sys.argv[1])
keys.revoke("default", sys.argv[2])
keys.close()
"""


def test_revocation_by_another_process_is_seen_within_a_second(keys: Keys, database: str) -> None:
    made = keys.create("default", KeyWish())
    other = keys.create("default", KeyWish())
    keys.identify(made.secret)
    subprocess.run([sys.executable, "-c", REVOKE, database, made.record.id], check=True)
    time.sleep(0.3)
    assert WATCH_EVERY_S < 0.3
    assert refused(keys, made.secret)
    assert keys.identify(other.secret)


def test_what_another_worker_changed_is_followed(keys: Keys, database: str) -> None:
    second = Keys.open(database)
    made = second.create("default", KeyWish())
    assert keys.identify(made.secret)
    second.register_purpose("default", Purpose("loan-triage", "Saringan pinjaman", "Loan triage"))
    time.sleep(0.3)
    assert "loan-triage" in keys.identify(made.secret).purposes
    second.close()


def test_another_tenants_key_is_as_missing(keys: Keys) -> None:
    keys.ensure_tenant(Tenant("other"))
    made = keys.create("other", KeyWish())
    said = set()
    for key in (made.record.id, "key_nothing"):
        for change in (keys.revoke, keys.rotate):
            with pytest.raises(NotFound) as caught:
                change("default", key)
            said.add(str(caught.value))
    assert len(said) == 1
    assert keys.list("default") == []
    assert keys.identify(made.secret).tenant == "other"


def test_rotation_keeps_everything_but_the_secret(keys: Keys) -> None:
    wish = KeyWish("ci", frozenset({"builder"}), parse_label("sulit"), frozenset({"docs"}))
    old = keys.create("default", wish)
    new = keys.rotate("default", old.record.id)
    assert new.secret != old.secret
    assert keys.identify(new.secret).roles == frozenset({"builder"})
    assert keys.identify(new.secret).purposes == {"docs"}
    assert keys.identify(old.secret)
    keys.revoke("default", old.record.id)
    with pytest.raises(Misused):
        keys.rotate("default", old.record.id)
    revoked, fresh = sorted(keys.list("default"), key=lambda record: record.revoked is None)
    assert (revoked.id, fresh.id) == (old.record.id, new.record.id)


def test_last_use_is_written_later_and_does_not_disturb(keys: Keys) -> None:
    made = keys.create("default", KeyWish())
    assert keys.list("default")[0].last_used is None
    keys.identify(made.secret)
    assert keys.list("default")[0].last_used is not None


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        (KeyWish(roles=frozenset({"king"})), "known: operator"),
        (KeyWish(roles=frozenset()), "known: operator"),
        (KeyWish(scopes=frozenset({"gossip"})), "registered: chat, docs, eval"),
        (KeyWish(expires=datetime(2020, 1, 1, tzinfo=UTC)), "lies in the past"),
    ],
)
def test_a_wrong_wish_is_refused_with_what_is_known(keys: Keys, wish: KeyWish, said: str) -> None:
    with pytest.raises(Misused, match=said):
        keys.create("default", wish)


def test_a_tenant_is_made_once_and_read_back(keys: Keys) -> None:
    assert not keys.ensure_tenant(Tenant("default", highest_label=LOWEST))
    tenant = keys.tenant("default")
    assert str(tenant.highest_label) == "terhad/restricted/personal/MY"
    assert tenant == Tenant("default")
    assert [one.id for one in keys.tenants()] == ["default"]
    for name in ("", "Default", "a b", "../x", "x" * 64):
        with pytest.raises(Misused):
            keys.ensure_tenant(Tenant(name))
    with pytest.raises(NotFound):
        keys.create("nobody", KeyWish())


@pytest.mark.parametrize("damage", [b"not a database at all" * 500, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_damaged_file_is_named_with_the_next_step(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "identity.db"
    path.write_bytes(damage)
    with pytest.raises(HomeBroken, match=r"identity\.db is not a sound database.*restore it"):
        Keys.open(path)


def test_many_threads_may_make_and_identify_at_once(keys: Keys) -> None:
    failures: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(5):
                made = keys.create("default", KeyWish())
                assert keys.identify(made.secret).key == made.record.id
        except (SelatError, AssertionError) as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert len(keys.list("default")) == 40


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=60))
def test_no_text_but_a_key_is_accepted(keys: Keys, text: str) -> None:
    for secret in (text, "sk-selat-" + text, ("sk-selat-" + text).ljust(52, "0")[:52]):
        with pytest.raises(Unauthenticated):
            keys.identify(secret)


FIRST_SCHEMA = (Path(__file__).parent / "schema-1.sql").read_text()


def test_a_database_of_the_first_schema_is_brought_up_to_date(database: str) -> None:
    engine = open_engine(database)
    blob = "BYTEA" if engine.dialect.name == "postgresql" else "BLOB"
    with engine.begin() as connection:
        for statement in FIRST_SCHEMA.replace("BLOB", blob).split(";\n"):
            if statement.strip():
                connection.exec_driver_sql(statement)
    engine.dispose()
    keys = Keys.open(database)
    (old,) = keys.list("default")
    assert (old.id, old.name, old.rotated_from) == ("key_old", "from before", None)
    assert keys.rotate("default", "key_old").record.rotated_from == "key_old"
    keys.close()
    again = Keys.open(database)
    assert len(again.list("default")) == 2
    again.close()


def test_a_database_of_a_newer_selat_is_refused(database: str) -> None:
    keys = Keys.open(database)
    with keys.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE identity_state SET schema_version = 99")
    with pytest.raises(HomeBroken, match="schema 99"):
        Keys(keys.database)
    keys.close()


def test_workers_may_prepare_one_database_at_once(database: str) -> None:
    made: list[Keys] = []
    threads = [threading.Thread(target=lambda: made.append(Keys.open(database))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 4
    for keys in made:
        keys.close()
