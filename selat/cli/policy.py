"""`selat policy`: what policy decides and why, its tests and proofs, and how two sets differ."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from selat.cli.frame import HomeOption, JsonOption, LanguageOption, say, show, show_json
from selat.core.decision import Decision
from selat.core.errors import BadRequest, Misused, NotFound
from selat.home import find_home, open_home
from selat.policy import (
    DEFAULT,
    AuthorizationRequest,
    PolicySet,
    lay_out,
    read_invariants,
    read_request,
    run_cases,
)
from selat.policy.explain import explain
from selat.policy.sets import POLICIES, SCHEMA

WANTED = 'give a JSON object, as in {"purpose": "chat"}: docs/formats/policy.md'
app = typer.Typer(help="Check what policy decides, and why.", no_args_is_help=True)

PoliciesOption = Annotated[
    Path | None,
    typer.Option("--policies", metavar="DIR", help="A folder of policies. Else the home's, else the shipped."),
]
RequestArgument = Annotated[
    Path, typer.Argument(metavar="REQUEST.json", help="The request as a JSON object; - reads stdin.")
]


def _folder(home: Path | None, policies: Path | None) -> Path:
    """The folder asked for; else that of the home named, or found; else the shipped one, saying so."""
    if policies is not None:
        return _there(policies)
    found = find_home(home)
    if home is not None or found.exists():
        return open_home(found).policy
    say("no home yet: using the policies that Selat ships")
    return DEFAULT


def _there(folder: Path) -> Path:
    """A folder of policies that somebody named. Raises: Misused."""
    if not folder.is_dir():
        raise Misused(f"{folder} is no folder; name one that holds {SCHEMA} and {POLICIES}/*.cedar")
    return folder


def _request(path: Path) -> AuthorizationRequest:
    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text("utf-8")
        value = json.loads(text)
    except FileNotFoundError:
        raise NotFound(f"{path}: there is no such file; {WANTED}") from None
    except OSError as error:
        raise Misused(f"{path}: cannot be read: {error.strerror}; {WANTED}") from error
    except ValueError as error:
        raise BadRequest(f"{path}: is not JSON: {error}; {WANTED}") from error
    if not isinstance(value, dict):
        raise BadRequest(f"{path}: must hold a JSON object; {WANTED}")
    return read_request(value)


def decision_json(decision: Decision) -> dict[str, object]:
    return {
        "effect": decision.effect,
        "rules": list(decision.rules),
        "reason": decision.reason,
        "policy": {"set": decision.basis.set_hash, "schema": decision.basis.schema_hash},
    }


@app.command()
def check(
    request: RequestArgument,
    home: HomeOption = None,
    policies: PoliciesOption = None,
    json_: JsonOption = False,
) -> None:
    """What policy decides of a request. Exit code 1 for a denial."""
    found = explain(PolicySet.load(_folder(home, policies)), _request(request))
    decision = found.decision
    if json_:
        show_json(decision_json(decision))
    else:
        show(f"{decision.effect}: {decision.reason}")
        for rule in decision.rules:
            show(f"  {rule}")
    if decision.effect == "deny":
        raise typer.Exit(1)


@app.command("explain")
def explain_(
    request: RequestArgument,
    home: HomeOption = None,
    policies: PoliciesOption = None,
    lang: LanguageOption = "",
    json_: JsonOption = False,
) -> None:
    """Why a request is permitted, redacted or denied, in Malay and English, and what would change it."""
    found = explain(PolicySet.load(_folder(home, policies)), _request(request))
    if json_:
        show_json(found.to_json())
        return
    show("\n\n".join(found.text(one) for one in ([lang] if lang else ["ms", "en"])))


@app.command("test")
def run_tests(home: HomeOption = None, policies: PoliciesOption = None, json_: JsonOption = False) -> None:
    """Run the table tests beside the policies (tests/*.toml). Exit code 1 if one fails."""
    folder = _folder(home, policies)
    outcomes = run_cases(PolicySet.load(folder), folder)
    failed = [one for one in outcomes if not one.passed]
    if json_:
        show_json([one.to_json() for one in outcomes])
    else:
        for one in failed:
            wanted = f"{one.case.expect} {one.case.rule}".strip()
            got = f"{one.decision.effect} {' '.join(one.decision.rules)}".strip()
            show(f"FAILED {one.case.name}: expected {wanted}, got {got}")
        show(f"{len(outcomes) - len(failed)} of {len(outcomes)} hold")
    if failed or not outcomes:
        raise typer.Exit(1)


@app.command()
def prove(
    home: HomeOption = None,
    policies: PoliciesOption = None,
    lang: LanguageOption = "en",
    json_: JsonOption = False,
) -> None:
    """Prove that no request the policies permit meets an invariant. Exit code 1 if one is broken."""
    from selat.policy import prove as prover  # Z3 takes a fifth of a second to import: only where it is used

    folder = _folder(home, policies)
    loaded = PolicySet.load(folder)
    invariants = read_invariants(folder, loaded.cedar.schema)
    proofs = prover.prove(loaded, invariants)
    idle = prover.idle(loaded)
    if json_:
        show_json({"invariants": invariants.hash, "proofs": [one.to_json() for one in proofs], "idle": idle})
    else:
        for one in proofs:
            text = one.invariant.ms if lang == "ms" else one.invariant.en
            show(f"{'BROKEN' if one.broken else 'proved'} {one.invariant.id} ({one.milliseconds:.1f} ms): {text}")
            if one.broken:
                show(f"  {one.broken.words(lang)}")
                show(f"  {', '.join(one.permitted_by)}")
                show(f"  {json.dumps(one.broken.values, ensure_ascii=False)}")
        for rule in idle:
            say(f"note: policy '{rule}' changes no decision: what it says, others say already")
    if any(one.broken for one in proofs) or not proofs:
        raise typer.Exit(1)


@app.command()
def diff(
    old: Annotated[Path, typer.Argument(metavar="OLD", help="A folder of policies.")],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="A folder of policies.")],
    lang: LanguageOption = "en",
    json_: JsonOption = False,
) -> None:
    """Which requests two sets decide differently, found by the prover. Exit code 1 if any."""
    from selat.policy import prove as prover

    found = prover.differences(PolicySet.load(_there(old)), PolicySet.load(_there(new)))
    if json_:
        show_json([one.to_json() for one in found])
    for one in found if not json_ else ():
        show(f"{'now permitted' if one.now_permitted else 'now denied'}: {one.example.words(lang)}")
        show(f"  {', '.join(one.old_rules) or '-'} -> {', '.join(one.new_rules) or '-'}")
    if not found:
        say("the sets permit exactly the same requests")
        return
    raise typer.Exit(1)


@app.command("list")
def list_(home: HomeOption = None, policies: PoliciesOption = None, json_: JsonOption = False) -> None:
    """The policies in force: id, effect, place and reason."""
    loaded = PolicySet.load(_folder(home, policies))
    if json_:
        rows = [
            {"id": one.id, "effect": one.effect, "file": one.file, "line": one.line, **one.reasons}
            for one in loaded.policies.values()
        ]
        show_json({"set": loaded.basis.set_hash, "schema": loaded.basis.schema_hash, "policies": rows})
        return
    for one in loaded.policies.values():
        show(f"{one.effect:6} {one.id} ({one.file}:{one.line}): {one.reason()}")


@app.command()
def restore(home: HomeOption = None, json_: JsonOption = False) -> None:
    """Put back shipped policy files that are missing; files that are there stay as they are."""
    written = lay_out(open_home(find_home(home)).policy)
    if json_:
        show_json([str(path) for path in written])
    for path in written if not json_ else ():
        show(str(path))
    if not written:
        say("nothing was missing")
