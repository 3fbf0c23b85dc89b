"""Links that open a file at a line in the editor of whoever reads the page."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import PurePath

SCHEMES = {
    "vscode": "vscode://file{path}:{line}",
    "vscode-insiders": "vscode-insiders://file{path}:{line}",
    "vscodium": "vscodium://file{path}:{line}",
    "cursor": "cursor://file{path}:{line}",
    "windsurf": "windsurf://file{path}:{line}",
    "zed": "zed://file{path}:{line}",
    "pycharm": "pycharm://open?file={path}&line={line}",
    "idea": "idea://open?file={path}&line={line}",
    "sublime": "subl://open?url=file://{path}&line={line}",
    "textmate": "txmt://open?url=file://{path}&line={line}",
    "macvim": "mvim://open?url=file://{path}&line={line}",
}
"""What each editor follows, some with an extension, as its own documentation has it."""

_PROGRAMS = {
    "code": "vscode",
    "code-insiders": "vscode-insiders",
    "codium": "vscodium",
    "cursor": "cursor",
    "windsurf": "windsurf",
    "zed": "zed",
    "zeditor": "zed",
    "charm": "pycharm",
    "pycharm": "pycharm",
    "idea": "idea",
    "subl": "sublime",
    "mate": "textmate",
    "mvim": "macvim",
}
_VARIABLE = "DEVLOOP_EDITOR_URL"


def template(environ: Mapping[str, str]) -> str:
    """Which links the editor of this environment follows.

    Args:
        environ: of the terminal that devloop runs in. Its ``DEVLOOP_EDITOR_URL`` decides, an
            editor's name or a template; else the terminal that belongs to an editor, else
            ``VISUAL`` or ``EDITOR``.

    Returns:
        A URL with ``{path}`` and ``{line}``; that of VS Code where nothing tells.
    """
    if wanted := environ.get(_VARIABLE):
        return SCHEMES.get(wanted, wanted)
    if environ.get("CURSOR_TRACE_ID"):
        return SCHEMES["cursor"]
    if environ.get("TERM_PROGRAM") == "zed" or environ.get("ZED_TERM"):
        return SCHEMES["zed"]
    if environ.get("TERMINAL_EMULATOR", "").startswith("JetBrains"):
        return SCHEMES["pycharm"]
    if environ.get("TERM_PROGRAM") != "vscode":
        for variable in ("VISUAL", "EDITOR"):
            if editor := _PROGRAMS.get(_program(environ.get(variable, ""))):
                return SCHEMES[editor]
    return SCHEMES["vscode"]


def link(template: str, path: str, line: int) -> str:
    """The link to a place.

    Args:
        template: of `template`.
        path: of the file, absolute.
        line: counted from 1.

    Returns:
        A URL.
    """
    from urllib.parse import quote

    slashes = path.replace("\\", "/")
    if not slashes.startswith("/"):
        slashes = "/" + slashes  # a drive's letter
    return template.replace("{path}", quote(slashes, safe="/:")).replace("{line}", str(line))


def _program(command: str) -> str:
    try:
        words = shlex.split(command)
    except ValueError:
        return ""
    return PurePath(words[0]).stem if words else ""
