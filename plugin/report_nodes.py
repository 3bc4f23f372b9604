"""A small tree of elements, from which a report is written twice: as HTML, and as data that a script builds.

A report of many runs holds most of them packed and shows one when somebody opens it; a report of one run shows it as
it is, without a script. Both come from the same tree, so a run looks the same in both. Whatever was recorded is a text
in the tree: cleaned here, escaped where it is written as HTML, and set as text by the script. Only the elements and
attributes that are named here can be in it.
"""

from __future__ import annotations

import base64
import gzip
import html
import json
import re
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from .cli.output import clean

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Node = list[Any]
"""An element: its tag, its attributes, and its children, which are elements and texts."""

TAGS = frozenset(
    """
    a article b bdi button caption code dd details div dl dt figcaption figure h1 h2 h3 h4 h5 h6 header
    i li mark nav ol p pre section small span strong summary table tbody td th thead time tr ul circle
    defs desc g line marker path polygon polyline rect svg text title tspan
    """.split()  # noqa: SIM905  a list of its own lines would be a page
)
"""Elements that a tree may have; the script has the same list from here."""

ATTRIBUTES = frozenset(
    """
    class id role href dir lang datetime scope colspan rowspan open tabindex hidden data-again data-act
    data-seq aria-label aria-labelledby aria-describedby aria-hidden aria-current cx cy d
    dominant-baseline dx dy fill fill-opacity font-size font-weight height letter-spacing marker-end
    markerHeight markerUnits markerWidth opacity orient points preserveAspectRatio r refX refY rx ry
    stroke stroke-dasharray stroke-linecap stroke-linejoin stroke-opacity stroke-width text-anchor
    textLength transform viewBox width x x1 x2 y y1 y2 style paint-order font-family stroke-miterlimit
    """.split()  # noqa: SIM905  a list of its own lines would be a page
)
"""Attributes that it may have: none that runs or loads anything. ``href`` leads to a place in the page only."""

_STYLE = re.compile(r"(?:(?:fill|stroke):var\(--seasoned-[a-z]+,#[0-9a-f]{6}\);?)+")
"""The only styles that a drawing may bring: colours that the page may set."""

_EMPTY = frozenset(("circle", "line", "path", "polygon", "polyline", "rect"))


def h(tag: str, *children: Any, **attributes: Any) -> Node:
    """An element. A trailing underscore of an attribute's name is dropped, others become hyphens; what is None is
    left out, of children as well; lists of children are laid flat. Texts are cleaned.

    Raises:
        ValueError: a tag or an attribute that a report does not have.
    """
    if tag not in TAGS:
        raise ValueError(f"a report has no element {tag!r}")
    given: dict[str, str] = {}
    for key, value in attributes.items():
        name = key.rstrip("_").replace("_", "-")
        if value is None or value is False:
            continue
        text = "" if value is True else clean(str(value))
        if name not in ATTRIBUTES or name == "style" or (name == "href" and not text.startswith("#")):
            raise ValueError(f"a report has no attribute {name}={text[:40]!r}")
        given[name] = text
    return [tag, given, *_flat(children)]


def _flat(children: Iterable[Any]) -> Iterator[Any]:
    for child in children:
        if child is None or child == "":
            continue
        if isinstance(child, str):
            yield clean(child)
        elif isinstance(child, list) and child and isinstance(child[0], str) and len(child) > 1 and _is_node(child):
            yield child
        elif isinstance(child, (list, tuple)):
            yield from _flat(child)
        else:
            yield clean(str(child))


def _is_node(child: list[Any]) -> bool:
    return isinstance(child[1], dict)


def name(text: str | None, tag: str = "bdi", **attributes: Any) -> Node:
    """A name that somebody else gave: whatever way it is written in, what stands around it stays where it is."""
    return h(tag, text or "", dir=None if tag == "bdi" else "auto", **attributes)


def picture(svg: str, label: str | None = None) -> Node:
    """A drawing, as a tree. What a report has no use for (styles, scripts, references) is left out.

    Args:
        svg: the drawing, as a whole SVG element.
        label: what it shows, in words, where the drawing does not say so itself.
    """
    node = _drawn(ET.fromstring(svg))  # noqa: S314  drawn by ourselves
    if node is None:
        raise ValueError("a drawing begins with <svg>")
    node[1].setdefault("role", "img")
    if label is not None and "aria-label" not in node[1] and "aria-labelledby" not in node[1]:
        node[1]["aria-label"] = clean(label)
    return node


def _drawn(element: ET.Element) -> Node | None:
    tag = element.tag.rsplit("}", 1)[-1]
    if tag not in TAGS:
        return None
    given = {key.rsplit("}", 1)[-1]: clean(value) for key, value in element.attrib.items()}
    if not _STYLE.fullmatch(given.get("style", "")):
        given.pop("style", None)
    node: Node = [tag, {key: value for key, value in given.items() if key in ATTRIBUTES and key != "href"}]
    if element.text and element.text.strip():
        node.append(clean(element.text))
    for child in element:
        made = _drawn(child)
        if made is not None:
            node.append(made)
        if child.tail and child.tail.strip():
            node.append(clean(child.tail))
    return node


def to_html(node: Node | str) -> str:
    """The tree as HTML."""
    out: list[str] = []
    _write(node, out)
    return "".join(out)


def _write(node: Any, out: list[str]) -> None:
    if isinstance(node, str):
        out.append(html.escape(node, quote=False))
        return
    tag, attributes, *children = node
    shown = "".join(f' {key}="{html.escape(value)}"' for key, value in attributes.items())
    if tag in _EMPTY and not children:
        out.append(f"<{tag}{shown}/>")
        return
    # the line break that a parser drops after <pre> must not be one of the text
    out.append(f"<{tag}{shown}>" + ("\n" if tag == "pre" else ""))
    for child in children:
        _write(child, out)
    out.append(f"</{tag}>")


def pack(value: Any) -> str:
    """Data as a script of the page unpacks it: JSON, compressed, in base64. The same for the same data."""
    data = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str).encode()
    return base64.b64encode(gzip.compress(data, 6, mtime=0)).decode("ascii")


_HARMFUL = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def json_for_page(value: Any) -> str:
    """JSON that can stand in a ``<script type="application/json">``: nothing in it can end that element."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
    for character, escape in _HARMFUL.items():
        text = text.replace(character, escape)
    return text
