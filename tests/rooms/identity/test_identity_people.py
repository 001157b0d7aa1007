"""People and their sessions: made, signed in, limited, closed; the same on SQLite and PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pyotp
import pytest
import sqlalchemy as sa

from selat.core.errors import Misused, NotFound, TooMany, Unauthenticated
from selat.core.label import HIGHEST, LOWEST
from selat.identity import Keys, Tenant, attempts, password
from selat.identity.database import metadata
from selat.identity.database import sessions as sessions_table
from selat.identity.password import STEP_S, new_totp
from selat.identity.people import People, PersonWish, Rights, Try
from selat.identity.sessions import Sessions
from selat.tables import open_engine

PASSWORD = "kucing biru lompat pagar"
SEAL = bytes(range(32))


@pytest.fixture
def people(database: str) -> Iterator[People]:
    keys = Keys.open(database)
    keys.ensure_tenant(Tenant("default"))
    keys.ensure_tenant(Tenant("lain"))
    yield People(keys.engine, SEAL)
    keys.close()


def aminah(people: People, tenant: str = "default") -> str:
    made = people.add(tenant, PersonWish("Aminah@Example.my", "Aminah", frozenset({"builder", "member"}), HIGHEST))
    people.set_password(tenant, made.id, PASSWORD)
    return made.id


def test_a_person_signs_in_with_the_password_and_nothing_else(people: People) -> None:
    person = aminah(people)
    assert people.check(Try("aminah@example.MY ", PASSWORD)).id == person
    for attempt in (
        Try("aminah@example.my", "salah"),
        Try("tiada", PASSWORD),
        Try("lain/aminah@example.my", PASSWORD),
    ):
        with pytest.raises(Unauthenticated) as refused:
            people.check(attempt)
        assert str(refused.value) == "the name, the password or the code is not right"
    assert people.get("default", person).last_seen


def test_one_login_may_be_in_two_tenants_and_they_stay_apart(people: People) -> None:
    here, there = aminah(people), aminah(people, "lain")
    assert people.check(Try("aminah@example.my", PASSWORD)).id == here
    assert people.check(Try("lain/aminah@example.my", PASSWORD)).id == there
    with pytest.raises(NotFound):
        people.get("default", there)
    with pytest.raises(Misused, match="somebody has this name"):
        people.add("lain", PersonWish("AMINAH@example.my"))
    assert [one.id for one in people.list("lain")] == [there]


def test_a_password_is_kept_as_argon2id(people: People) -> None:
    aminah(people)
    with people.engine.connect() as connection:
        kept = connection.execute(sa.text("SELECT password FROM people")).scalar_one()
    assert kept.startswith("$argon2id$")
    assert PASSWORD not in kept


@pytest.mark.parametrize("password", ["pendek", "a" * 40, "x" * 201, "aminah@example.my"])
def test_a_password_that_is_easily_guessed_is_refused(people: People, password: str) -> None:
    person = aminah(people)
    with pytest.raises(Misused, match="password"):
        people.set_password("default", person, password)


def test_five_wrong_tries_from_one_place_close_the_door_there_and_only_there(people: People) -> None:
    aminah(people)
    for _ in range(attempts.PER_PAIR):
        with pytest.raises(Unauthenticated):
            people.check(Try("aminah@example.my", "salah", "10.0.0.1"))
    with pytest.raises(TooMany) as full:
        people.check(Try("aminah@example.my", PASSWORD, "10.0.0.1"))
    assert 0 < full.value.retry_after_s <= attempts.WINDOW_S + 1
    assert people.check(Try("aminah@example.my", PASSWORD, "10.0.0.2")).name == "Aminah"


def test_one_place_cannot_try_many_names(people: People) -> None:
    for number in range(attempts.PER_ADDRESS):
        with pytest.raises(Unauthenticated):
            people.check(Try(f"orang{number}", "salah", "10.0.0.1"))
    with pytest.raises(TooMany):
        people.check(Try("orang-lain", "salah", "10.0.0.1"))


def test_tries_at_the_same_moment_are_all_counted(people: People) -> None:
    aminah(people)
    refused: list[type[Exception]] = []

    def guess() -> None:
        try:
            people.check(Try("aminah@example.my", "salah", "10.0.0.1"))
        except (Unauthenticated, TooMany) as error:
            refused.append(type(error))

    threads = [threading.Thread(target=guess) for _ in range(attempts.PER_PAIR + 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert refused.count(Unauthenticated) == attempts.PER_PAIR
    assert refused.count(TooMany) == 3


def test_a_second_factor_is_asked_for_and_each_code_is_good_once(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(password, "time", SimpleNamespace(time=lambda: 1_795_000_000.0))
    person, secret = aminah(people), new_totp()
    clock = pyotp.TOTP(secret)
    step = 1_795_000_000 // STEP_S
    right = {clock.generate_otp(step + by) for by in (-1, 0, 1)}
    with pytest.raises(Misused, match="code"):
        people.set_totp("default", person, secret, min({"000000", "111111", "222222", "333333"} - right))
    people.set_totp("default", person, secret, clock.generate_otp(step - 1))
    assert people.check(Try("aminah@example.my", PASSWORD)).has_totp
    with pytest.raises(Unauthenticated):
        people.second("default", person, clock.generate_otp(step - 1), "")
    code = clock.generate_otp(step)
    assert people.second("default", person, f"{code[:3]} {code[3:]}", "").id == person
    with pytest.raises(Unauthenticated):
        people.second("default", person, code, "")
    with people.engine.connect() as connection:
        assert secret not in connection.execute(sa.text("SELECT totp FROM people")).scalar_one()
    people.clear_totp("default", person)
    with pytest.raises(Unauthenticated):
        people.second("default", person, clock.generate_otp(step + 1), "")


def test_a_link_lets_in_once_and_a_new_one_ends_the_old(people: People) -> None:
    person = aminah(people)
    old, new = people.link("default", person), people.link("default", person)
    assert people.look(new) == ("default", person)
    with pytest.raises(NotFound):
        people.look(old)
    assert people.redeem(new) == ("default", person)
    with pytest.raises(NotFound):
        people.redeem(new)
    stale = people.link("default", person, life_s=-1)
    with pytest.raises(NotFound):
        people.look(stale)
    with pytest.raises(NotFound):
        people.link("lain", person)


def test_a_session_ends_by_idleness_by_age_and_by_signing_out(people: People) -> None:
    person = aminah(people)
    sessions = Sessions(people, idle_s=600, life_s=3600)
    caller = people.caller("default", person)
    session = sessions.begin(caller, "Aminah")
    found = sessions.find(session.token)
    assert found is not None
    assert (found.caller, found.name, found.local) == (caller, "Aminah", True)
    assert sessions.find("lain") is None
    for column, back in (("seen", 601), ("begun", 3601)):
        other = sessions.begin(caller, "Aminah")
        _move(people, column, -back)
        assert sessions.find(other.token) is None
    again = sessions.begin(caller, "Aminah")
    sessions.end(again.token)
    assert sessions.find(again.token) is None


def test_a_renewed_session_has_another_secret_and_the_old_one_is_dead(people: People) -> None:
    sessions = Sessions(people, 600, 3600)
    old = sessions.begin(people.caller("default", aminah(people)), "Aminah")
    new = sessions.renew(old)
    assert new.token != old.token
    assert sessions.find(old.token) is None
    assert sessions.find(new.token) is not None
    with people.engine.connect() as connection:
        kept = connection.execute(sa.select(sessions_table.c.hash)).scalars().all()
    assert new.token not in kept


def test_other_rights_a_closed_account_and_a_new_password_end_every_session(people: People) -> None:
    person = aminah(people)
    sessions = Sessions(people, 600, 3600)

    def begun() -> str:
        return sessions.begin(people.caller("default", person), "Aminah").token

    token = begun()
    people.change("default", person, Rights(frozenset({"member"}), LOWEST, frozenset({"hr"})))
    assert sessions.find(token) is None
    assert people.caller("default", person).roles == {"member"}
    assert people.caller("default", person).groups == {"hr"}
    token = begun()
    people.set_password("default", person, PASSWORD + " lagi")
    assert sessions.find(token) is None
    token = begun()
    people.disable("default", person)
    assert sessions.find(token) is None
    with pytest.raises(Unauthenticated):
        people.check(Try("aminah@example.my", PASSWORD + " lagi"))
    people.enable("default", person)
    assert people.check(Try("aminah@example.my", PASSWORD + " lagi")).id == person


def test_language_and_theme_follow_the_person(people: People) -> None:
    person = aminah(people)
    assert people.preferences(person) == ("", "")
    people.prefer(person, "ta", "dark")
    people.prefer(person, "zh", "")
    assert people.preferences(person) == ("zh", "")


def test_a_database_of_the_first_schema_gets_the_tables_of_today(database: str) -> None:
    engine = open_engine(database)
    blob = "BYTEA" if engine.dialect.name == "postgresql" else "BLOB"
    with engine.begin() as connection:
        for statement in (Path(__file__).parent / "schema-1.sql").read_text().replace("BLOB", blob).split(";\n"):
            if statement.strip():
                connection.exec_driver_sql(statement)
    keys = Keys.open(database)
    found = sa.inspect(engine)
    for table in metadata.sorted_tables:
        columns = {column["name"]: column["nullable"] for column in found.get_columns(table.name)}
        assert columns == {column.name: column.nullable for column in table.columns}, table.name
    people = People(engine, SEAL)
    person = aminah(people)
    assert people.check(Try("aminah@example.my", PASSWORD)).id == person
    keys.close()
    engine.dispose()


def _move(people: People, column: str, seconds: int) -> None:
    with people.engine.begin() as connection:
        moved = {column: sessions_table.c[column] + seconds}
        connection.execute(sessions_table.update().values(**moved))
