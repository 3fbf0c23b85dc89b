"""What all pages share: one HTML document that asks the network for nothing."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any

from devloop.events import encode

_DOCUMENT = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:">
<link rel="icon" href="data:,">
<title>@TITLE@</title>
<style>
@STYLE@</style>
</head>
<body class="@NAME@">
@BODY@@SCRIPT@</body>
</html>
"""


def page(name: str, title: str, body: str, data: Any = None) -> str:
    """A whole page.

    Args:
        name: of the page; its style sheet and its script beside this file are named so.
        title: plain text.
        body: HTML.
        data: plain values that the script finds in the element ``data``; None for a page without
            a script.

    Returns:
        The document. It works from a file and from standard output alike.
    """
    script = ""
    if data is not None:
        # In a script element only this character can begin its end.
        values = encode(data).decode().replace("<", "\\u003c")
        script = (
            f'<script type="application/json" id="data">{values}</script>\n'
            f"<script>\n{_resource(f'{name}.js')}</script>\n"
        )
    parts = {
        "TITLE": html.escape(title),
        "STYLE": _resource("page.css") + _resource(f"{name}.css"),
        "NAME": name,
        "BODY": body,
        "SCRIPT": script,
    }
    pieces = _DOCUMENT.split("@")
    return "".join(parts[piece] if index % 2 else piece for index, piece in enumerate(pieces))


def _resource(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")
