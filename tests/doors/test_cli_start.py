"""The command as it is started: tests see of one that was forked what a person sees of one that was not."""

from __future__ import annotations

import commands
import pytest


@pytest.mark.parametrize(
    ("words", "given", "code"),
    [
        (("guard", "redact", "-"), "IC saya 900101-14-5678\n", 0),
        (("key", "list"), "", 1),
        (("guard", "tiada"), "", 2),
        (("policy", "check", "tiada.json"), "", 1),
    ],
)
def test_a_forked_command_says_and_ends_as_one_started_anew(
    monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], given: str, code: int
) -> None:
    home = {"SELAT_HOME": "/nonexistent/selat"}
    forked = commands.selat(*words, given=given, **home)
    monkeypatch.setenv("SELAT_TEST_SPAWN", "1")
    started = commands.selat(*words, given=given, **home)
    assert (forked.returncode, started.returncode) == (code, code), forked.stderr
    assert forked.stdout == started.stdout
    assert forked.stderr == started.stderr.replace("python -m selat", "selat")
