"""Templates become pages: Jinja2 with everything escaped, our words, and the few values that every page shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from selat.console import assets, names
from selat.console.said import SAID
from selat.console.words import LANGUAGES, _, _n, speaking

if TYPE_CHECKING:
    from selat.console.page import Page
    from selat.console.view import View


def environment() -> Environment:
    made = Environment(
        loader=PackageLoader("selat.console"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.globals |= {
        "_": _,
        "_n": _n,
        "asset": assets.url,
        "languages": LANGUAGES,
        "names": names,
    }
    for name in (
        "number",
        "fine",
        "short",
        "percent",
        "money",
        "size",
        "day",
        "moment",
        "clock",
        "ago",
        "country",
    ):
        made.filters[name] = _spoken(name)
    made.filters["sentence"] = sentence
    return made


def _spoken(name: str) -> Any:
    """A filter that writes a value as the language of the request does."""

    def write(value: Any) -> str:
        return str(getattr(speaking.get(), name)(value))

    return write


def sentence(text: str) -> str:
    """A rule's words as a sentence: a capital and a full stop, in scripts that have them."""
    end = "" if text.endswith((".", "。")) else "。" if speaking.get().code == "zh" else "."
    return text[:1].upper() + text[1:] + end


class Renderer:
    """Renders a template for a view. `menu` gives the pages that the person may open, by heading."""

    def __init__(self, pages: tuple[Page, ...]) -> None:
        self._pages = pages
        self._templates = environment()

    def __call__(self, template: str, view: View, values: dict[str, object]) -> str:
        return self._templates.get_template(template).render(
            view=view,
            tongue=view.tongue,
            menu=self._menu(view),
            token=view.house.seals.form_token(view.cookie),
            said=SAID.get(view.query("said"), ""),
            **values,
        )

    def _menu(self, view: View) -> list[tuple[str, list[Page]]]:
        if view.session is None:
            return []
        groups: dict[str, list[Page]] = {}
        for page in self._pages:
            if page.in_menu(view.session.caller):
                groups.setdefault(page.group, []).append(page)
        return list(groups.items())
