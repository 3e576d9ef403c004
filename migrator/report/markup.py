"""Elements of a page as text. Whatever is not `Markup` is text from outside: cleaned and escaped here, once.

What comes out is well-formed XML as well as HTML.
"""

from __future__ import annotations

import html
from collections.abc import Iterable
from typing import TypeAlias

from migrator.sanitize import clean_line

VOID = frozenset({"br", "meta", "rect", "line", "path", "wbr"})


class Markup(str):
    """Text that this module made: it is put into a page as it is."""

    __slots__ = ()


Child: TypeAlias = "str | int | float | None | Iterable[Child]"


def escape(text: str) -> Markup:
    """One line of outside text, without control and direction characters, safe in content and in quotes."""
    tail = " " if text.endswith(" ") else ""
    return Markup(html.escape(clean_line(text) + tail, quote=True))


def breakable(path: str) -> list[Child]:
    """A path that a narrow column may break after each slash."""
    head, *tail = path.split("/")
    return [head, *(Markup(f"/<wbr/>{escape(part)}") for part in tail)]


def element(name: str, /, *children: Child, **attributes: str | float | bool | None) -> Markup:
    """One element. Attribute names: `_` stands for `-`, a trailing one is dropped; None and False are left out."""
    tag = name + "".join(_attribute(key, value) for key, value in attributes.items())
    inside = join(children)
    if not inside and name in VOID:
        return Markup(f"<{tag}/>")
    return Markup(f"<{tag}>{inside}</{name}>")


def join(children: Child) -> Markup:
    """Children one after another; None is nothing."""
    if children is None:
        return Markup("")
    if isinstance(children, Markup):
        return children
    if isinstance(children, str | int | float):
        return escape(str(children))
    return Markup("".join(join(child) for child in children))


def _attribute(key: str, value: str | float | bool | None) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    if name == "viewbox":
        name = "viewBox"
    if name == "preserveaspectratio":
        name = "preserveAspectRatio"
    if value is True:
        value = name
    text = Markup(f"{value:g}") if isinstance(value, float) else value
    return f' {name}="{join(text)}"'


def table(head: Iterable[Child], rows: Iterable[Iterable[Child]], class_: str = "") -> Markup:
    """A table; each cell carries its column's name, so that a narrow screen can show rows as cards."""
    names = list(head)
    body = [
        element(
            "tr",
            [
                element("td", cell, data_label=str(name) if isinstance(name, str) and name else None)
                for name, cell in zip(names, row, strict=True)
            ],
        )
        for row in rows
    ]
    heading = element("thead", element("tr", [element("th", name, scope="col") for name in names]))
    return element("table", heading, element("tbody", body), class_=class_ or None)
