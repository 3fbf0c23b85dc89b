"""The page of `graph --format html`: what imports what, and what an edit of a file reaches."""

from __future__ import annotations

import html
from collections.abc import Collection, Mapping
from typing import Any

from devloop.events import printable
from devloop.report.pages import layout
from devloop.report.pages.shell import page

_BODY = """\
<header>
  <h1><span class="path">@NAME@</span> <small>imports</small></h1>
  <div class="search">
    <input id="search" type="search" placeholder="Find a file ( / )" autocomplete="off"
      spellcheck="false" aria-label="Find a file" aria-controls="found">
    <ul id="found" hidden></ul>
  </div>
  <div class="zoom" role="group" aria-label="Zoom">
    <button id="out" type="button" aria-label="Smaller" title="Smaller ( - )">&minus;</button>
    <button id="in" type="button" aria-label="Larger" title="Larger ( + )">+</button>
    <button id="fit" type="button" title="All of it ( 0 )">fit</button>
  </div>
</header>
<main>
  <canvas id="canvas" tabindex="0" role="img"
    aria-label="The import graph; the search finds each file"></canvas>
  <aside id="panel" aria-live="polite"></aside>
</main>
<noscript><p>This page draws with JavaScript, all of which is in it.</p></noscript>
"""


def render(
    files: Mapping[str, str],
    edges: Collection[tuple[str, str, str]],
    name: str,
    focus: str | None = None,
) -> str:
    """The page.

    Args:
        files: each path with what it is: ``test``, ``conftest``, ``source`` or ``broken``.
        edges: importer, imported and kind, both ends of `files`.
        name: of the project.
        focus: the file that is looked at first.

    Returns:
        An HTML document.
    """
    paths = sorted(files)
    index = {path: number for number, path in enumerate(paths)}
    # What never runs reaches nothing, and shall not push its importer to the left.
    places = layout.place(paths, [(a, b) for a, b, kind in edges if kind != "typing"])
    kinds = sorted({kind for _, _, kind in edges})
    data: dict[str, Any] = {
        "box": [layout.WIDTH, layout.HEIGHT],
        "files": [[printable(path), *places[path], files[path]] for path in paths],
        "kinds": kinds,
        "edges": [[index[a], index[b], kinds.index(kind)] for a, b, kind in sorted(edges)],
        "focus": None if focus is None else index[focus],
    }
    body = _BODY.replace("@NAME@", html.escape(printable(name)))
    return page("imports", f"{printable(name)}: imports", body, data)
