"""Loading sets: errors name file, line and policy; a bad set never replaces a good one."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from selat.core.errors import PolicyBroken
from selat.policy import DEFAULT, PolicySet, Reload, lay_out
from selat.policy.text import statements


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(DEFAULT, tmp_path / "policy")
    return tmp_path / "policy"


def test_shipped_set_loads_with_both_languages_for_every_policy() -> None:
    policies = PolicySet.load(DEFAULT)
    assert len(policies.policies) >= 12
    for policy in policies.policies.values():
        assert policy.reasons.keys() >= {"ms", "en"}, policy.id


def test_semicolons_in_strings_and_comments_do_not_cut_a_policy() -> None:
    text = '//;\n@id("x;y")\npermit(principal, action, resource); //;\n\nforbid (principal,\n action, resource);'
    found = list(statements(text))
    assert [(one.line, one.id) for one in found] == [(2, "x;y"), (5, "")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('@id("a")\npermit(principal, action, resource) when { context. };', "90-x.cedar:1: policy 'a'"),
        ('\n\n@id("b")\npermit(principal, action, resource) when { context.wrong };', "90-x.cedar:3: policy 'b'"),
        ("permit(principal, action, resource);", "policy 'without @id'"),
        ('@id("c")\npermit(principal == ?principal, action, resource);', "is a template"),
        ('@id("scan-must-succeed")\npermit(principal, action, resource);', "is taken by 20-always.cedar:"),
        ('@id("d")\npermit(principal, action == Action::"fly", resource);', "90-x.cedar:1: policy 'd'"),
        ('@id("e")\nforbid(principal, action, resource) when { context.official > "x" };', "policy 'e'"),
        ('@id("f")\nforbid(principal, action, resource', "policy 'f'"),
    ],
)
def test_broken_policy_is_named_with_file_and_line(folder: Path, text: str, said: str) -> None:
    (folder / "policies" / "90-x.cedar").write_text(text)
    with pytest.raises(PolicyBroken) as caught:
        PolicySet.load(folder)
    assert said in str(caught.value)


def test_empty_or_missing_folder_and_odd_bytes_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(PolicyBroken, match="is missing"):
        PolicySet.load(tmp_path / "nowhere")
    (folder / "policies" / "90-x.cedar").write_bytes(b"\xff\xfe")
    with pytest.raises(PolicyBroken, match="UTF-8"):
        PolicySet.load(folder)
    shutil.rmtree(folder / "policies")
    with pytest.raises(PolicyBroken, match=r"holds no \.cedar file"):
        PolicySet.load(folder)


def test_schema_that_does_not_fit_the_requests_is_refused(folder: Path) -> None:
    schema = folder / "schema.cedarschema"
    schema.write_text(schema.read_text().replace("ground: String,", "ground: String, mood: String,"))
    with pytest.raises(PolicyBroken, match="does not fit"):
        PolicySet.load(folder)


def test_hash_follows_the_text_and_not_the_place(folder: Path) -> None:
    assert PolicySet.load(folder).basis == PolicySet.load(DEFAULT).basis
    (folder / "policies" / "90-x.cedar").write_text('@id("n")\nforbid(principal, action, resource);')
    assert PolicySet.load(folder).basis.set_hash != PolicySet.load(DEFAULT).basis.set_hash


def test_a_bad_set_never_replaces_a_good_one(folder: Path) -> None:
    reload = Reload(folder)
    decider = reload.decider
    good = decider.policies
    assert not reload.check()
    extra = folder / "policies" / "90-x.cedar"
    extra.write_text("permit(")
    assert not reload.check()
    assert decider.policies is good
    assert "90-x.cedar:1" in reload.error
    extra.write_text('@id("n")\n@reason_en("no")\nforbid(principal, action, resource);')
    os.utime(extra, ns=(1, 1))
    assert reload.check()
    assert "n" in decider.policies.policies
    assert not reload.error
    assert not reload.check()


def test_an_unchanged_set_is_loaded_once_and_one_that_changed_while_it_was_loaded_again(folder: Path) -> None:
    loaded: list[Path] = []

    def load(place: Path) -> PolicySet:
        loaded.append(place)
        found = PolicySet.load(place)
        if len(loaded) == 1:
            (place / "policies" / "90-x.cedar").write_text('@id("n")\nforbid(principal, action, resource);')
        return found

    reload = Reload(folder, load)
    assert "n" not in reload.decider.policies.policies
    assert reload.check()
    assert "n" in reload.decider.policies.policies
    assert not reload.check()
    assert len(loaded) == 2


def test_laying_out_keeps_what_is_there(tmp_path: Path) -> None:
    assert lay_out(tmp_path)
    mine = tmp_path / "policies" / "10-permits.cedar"
    mine.write_text("// mine")
    (tmp_path / "schema.cedarschema").unlink()
    assert lay_out(tmp_path) == [tmp_path / "schema.cedarschema"]
    assert mine.read_text() == "// mine"
