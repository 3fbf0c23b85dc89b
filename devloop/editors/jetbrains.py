"""PyCharm and its relatives: an external tool whose output leads to the source.

External tools are a user's, not a project's; the file lies among the settings of each program
(https://www.jetbrains.com/help/pycharm/configuring-third-party-tools.html). ``$FILE_PATH$`` of an
output filter stands for an absolute path.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from xml.parsers import expat
from xml.sax.saxutils import quoteattr

from devloop.editors.place import Fault, File, Place
from devloop.errors import UsageError

FILTER = "^$FILE_PATH$:$LINE$:$COLUMN$: (?:error|warning): "
_PROGRAMS = ("PyCharm", "PyCharmCE", "IntelliJIdea", "IdeaIC", "DataSpell")
_TOOL = "devloop {command}"


def settings_folders(home: Path, platform: str) -> tuple[Path, ...]:
    """The folders in which JetBrains' programs keep this user's settings.

    Args:
        home: of the user.
        platform: as `sys.platform`.

    Returns:
        One for each program that runs Python and has been started, the newest version of each.
    """
    base = "Library/Application Support" if platform == "darwin" else ".config"
    newest: dict[str, Path] = {}
    for folder in sorted((home / base / "JetBrains").glob("*[0-9].[0-9]*"), key=_version):
        name = folder.name.rstrip("0123456789.")
        if name in _PROGRAMS and folder.is_dir():
            newest[name] = folder
    return tuple(newest.values())


def files(place: Place) -> Iterator[File]:
    """The files that those programs read.

    Args:
        place: whom they are set up for.

    Raises:
        UsageError: no such program has been started by this user.
    """
    if not place.ides:
        raise UsageError(
            "no settings of PyCharm or another program of JetBrains were found",
            hint="Start it once, so that it makes its folder of settings; then try again.",
        )
    program = place.command("$ProjectFileDir$/")
    for folder in place.ides:
        path = folder / "tools/External Tools.xml"
        yield File(
            path, partial(merged, tools=[_tool(program, word) for word in ("watch", "test")])
        )


def _version(folder: Path) -> tuple[int, ...]:
    digits = folder.name.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
    return tuple(int(part) for part in digits.split(".") if part.isdigit())


def _tool(program: str, command: str) -> tuple[str, str]:
    """The name of a tool, and its element."""
    name = _TOOL.format(command=command)
    parameters = f"{command} --reporter plain --absolute-paths"
    return name, (
        f'  <tool name="{name}" showInMainMenu="true" showInEditor="false" showInProject="false" '
        'showInSearchPopup="true" disabled="false" useConsole="true" showConsoleOnStdOut="true" '
        'showConsoleOnStdErr="false" synchronizeAfterRun="true">\n'
        "    <exec>\n"
        f'      <option name="COMMAND" value={quoteattr(program)} />\n'
        f'      <option name="PARAMETERS" value="{parameters}" />\n'
        '      <option name="WORKING_DIRECTORY" value="$ProjectFileDir$" />\n'
        "    </exec>\n"
        "    <filter>\n"
        '      <option name="NAME" value="devloop" />\n'
        '      <option name="DESCRIPTION" value="Problems" />\n'
        f'      <option name="REGEXP" value="{FILTER}" />\n'
        "    </filter>\n"
        "  </tool>"
    )


def merged(text: str, *, tools: list[tuple[str, str]]) -> str:
    """The text of an `External Tools.xml` with our tools in it.

    Args:
        text: of the file; may be empty.
        tools: the name and the element of each.

    Returns:
        The text; a tool of ours that is there is replaced, the others come last.

    Raises:
        Fault: the text is not a set of tools.
    """
    if not text.strip():
        text = '<toolSet name="External Tools">\n</toolSet>\n'
    _, close = _find(text, "")
    if text.startswith("/>", close):
        text = f"{text[:close].rstrip()}>\n</toolSet>{text[close + 2 :]}"
    for name, element in tools:
        span, close = _find(text, name)
        if span is not None:
            text = text[: span[0]] + element.lstrip() + text[span[1] :]
        else:
            head = text[:close].rstrip()
            text = f"{head}\n{element}\n{text[close:]}"
    return text


def _find(text: str, name: str) -> tuple[tuple[int, int] | None, int]:
    """Where a tool stands, and where the end of the set begins: its end tag, if it has one."""
    data = text.encode()
    parser = expat.ParserCreate("utf-8")
    depth, began, close = 0, -1, -1
    span: tuple[int, int] | None = None

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth, began
        if depth == 0 and tag != "toolSet":
            raise Fault("an element toolSet was expected", parser.CurrentLineNumber, 1)
        if depth == 1 and tag == "tool" and attributes.get("name") == name:
            began = parser.CurrentByteIndex
        depth += 1

    def end(tag: str) -> None:
        nonlocal depth, began, close, span
        depth -= 1
        at = parser.CurrentByteIndex
        if not data.startswith(b"</", at):
            # An empty element: what has been read is behind it, or still before it.
            at = at - 2 if data[at - 2 : at] == b"/>" else data.index(b"/>", at)
        if depth == 1 and began >= 0 and span is None:
            span = (began, data.index(b">", at) + 1)
        if depth == 0:
            close = at

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        message = expat.ErrorString(error.code)
        raise Fault(message, error.lineno, error.offset + 1) from None

    def index(at: int) -> int:
        return len(data[:at].decode())

    return (None if span is None else (index(span[0]), index(span[1]))), index(close)
