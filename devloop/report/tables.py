"""What one-shot commands answer, as text: `affected`, `why` and `graph`.

Each takes the command's JSON form, so that both forms say the same. Nothing of rich is imported
unless a name is not ASCII: these commands are to be quick.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from devloop.events import Explained
from devloop.report.clean import one_line
from devloop.report.paint import Paint, cells
from devloop.report.wording import ARROW, chain, plural

_LINKS = {
    "always": "what every test depends on",
    "conftest": "conftest",
    "ran": "ran",
    "mentions": "ran",
    "memo": "uses what it keeps",
    "read": "reads",
    "looked-for": "looked for",
    "distribution": "uses",
    "variable": "reads",
    "text": "looks at its text",
    "data": "data",
    "dynamic": "imports by a name made at run time",
    "env-file": "environment file",
    "input": "input",
    "listed": "lists",
    "needs": "needs",
    "package": "package",
    "plugin": "plugin",
    "string": "names",
    "typing": "for type checkers only",
    "watch": "watches",
}
"""Words for kinds of links; ``imports`` goes without saying."""

_WHY = {
    "all": "all tests are",
    "asked": "it was asked for",
    "edited": "it was edited",
    "failed": "it failed when it last ran",
    "new": "it has not run yet",
    "start": "it starts with devloop",
}

_NOTHING: Mapping[str, int] = {}
_COUNTED = {
    "ran": "ran what was edited",
    "mentions": "mention it",
    "read": "read it",
    "looked-for": "looked for it",
    "listed": "listed its folder",
    "memo": "use what was kept of it",
    "failed": "failed before",
    "imports": "import it",
    "variable": "read the environment",
    "distribution": "use the distribution",
    "text": "look at its text",
}
SHOWN = 8
"""How many functions are named in one line."""
_ALIGNED = 60


def affected(data: Mapping[str, Any], paint: Paint) -> str:
    """What a change set affects.

    Args:
        data: the form of ``affected --format json`` (DESIGN §2).
        paint: what the stream can show.

    Returns:
        Lines, with the end of the last one.
    """
    changes = [
        (one_line(change["path"]), "" if change["kind"] == "modified" else change["kind"])
        for change in data["changes"]
    ]
    tests = _grouped(data["tests"])
    targets = {
        word: [(one_line(item["name"]), _because(item["name"], item["reason"])) for item in items]
        for word, items in (("step", data["steps"]), ("app", data["apps"]))
    }
    lines = [*_section(plural(len(changes), "change"), changes, paint)]
    if data["all"]:
        # One reason stands for all, so the files go without theirs.
        title = f"all tests: {one_line(data.get('all_reason') or 'asked for')}"
        lines += _section(title, [(name, "") for name, _ in tests], paint) or [_title(title, paint)]
    else:
        single = sum("::" in test["nodeid"] for test in data["tests"])
        counts = {"test": single, "test file": len(data["tests"]) - single}
        title = " and ".join(plural(count, word) for word, count in counts.items() if count)
        lines += _section(title + _counts(data["tests"]), tests, paint)
    for word, rows in targets.items():
        lines += _section(plural(len(rows), word), rows, paint)
    if not (tests or data["all"] or targets["step"] or targets["app"]):
        lines.append("nothing is affected")
    return "\n".join(lines).strip("\n") + "\n"


def explained(event: Explained, paint: Paint) -> str:
    """Why the last cycle ran what it ran.

    Args:
        event: as the loop gives it.
        paint: what the stream can show.

    Returns:
        Lines, with the end of the last one.
    """
    data = msgspec.to_builtins(event)
    if event.target is None:
        return affected({**data, "all": event.all_reason is not None}, paint)
    found = [*data["tests"], *data["steps"], *data["apps"]]
    if not found:
        name = paint(one_line(event.target), "bold")
        return f"{name} was not selected by the last cycle: nothing that it depends on changed\n"
    return why(event.target, found[0]["reason"], paint)


def why(
    target: str, reason: Mapping[str, Any] | None, paint: Paint, seen: Mapping[str, int] = _NOTHING
) -> str:
    """Why something was selected, or was not.

    Args:
        target: a nodeid, or the name of a step or an app.
        reason: ``kind``, ``chain`` and perhaps ``detail``; None where it was not selected.
        paint: what the stream can show.
        seen: of what is not selected, how much it depends on, by what it is.

    Returns:
        A sentence, and the whole chain below it.
    """
    name = paint(one_line(target), "bold")
    if reason is None:
        found = ", ".join(plural(n, word.removesuffix("s")) for word, n in sorted(seen.items()))
        return f"{name} is not affected: nothing that it depends on has changed\n" + (
            f"  when it last ran it depended on {found}\n" if found else ""
        )
    links = [one_line(link) for link in reason.get("chain") or ()]
    detail = one_line(reason.get("detail") or "")
    if len(links) < 2:
        return f"{name} is selected: {detail or _WHY.get(reason['kind'], reason['kind'])}\n"
    lines = [f"{name} is selected: {detail or f'it depends on {links[-1]}'}", f"  {links[0]}"]
    for depth, link in enumerate(links[1:]):
        # A reason knows of what kind its first link is; the others are followed alike.
        kind = _LINKS.get(reason["kind"], "") if depth == 0 else ""
        last = depth == len(links) - 2
        text = paint(link, "cyan" if last else "")
        lines.append(f"  {'   ' * depth}{paint('└─', 'dim')} {text}{_aside(kind, paint)}")
    return "\n".join(lines) + "\n"


def would(target: str, file: str, data: Mapping[str, Any], paint: Paint) -> str:
    """Which edits of a file would select a test.

    Args:
        target: its nodeid.
        file: the one that would be edited.
        data: ``functions``, ``recorded``, ``statements`` and ``content`` (reasons, or None).
        paint: what the stream can show.

    Returns:
        A line for each way in which the file can be edited.
    """
    name, edited = paint(one_line(target), "bold"), one_line(file)
    functions, statements = data["functions"], data["statements"]
    if not functions and statements is None and data["content"] is None:
        return f"{name} would not be selected by an edit of {edited}\n"
    lines = [f"{name} would be selected by an edit of {edited}"]
    if data["recorded"] and statements is not None:
        names = ", ".join(one_line(key.partition("::")[2]) for key in functions[:SHOWN])
        more = f" and {len(functions) - SHOWN} more" if len(functions) > SHOWN else ""
        lines.append(f"  of the functions that it ran: {names or 'none'}{more}")
        lines.append("  of a statement outside of functions, if what it ran may depend on that:")
    for reason in (statements, data["content"]):
        if reason is not None:
            links = [one_line(link) for link in reason["chain"]]
            detail = reason.get("detail")
            lines.append(f"  {ARROW.join(links)}" + (f"  ({one_line(detail)})" if detail else ""))
    return "\n".join(lines) + "\n"


def graph(data: Mapping[str, Any], paint: Paint) -> str:
    """What a file imports, and what imports it.

    Args:
        data: ``path``, and the lists ``imports`` and ``importers`` of nodes; a node has ``path``,
            ``kind``, ``children`` (nodes) and ``repeated`` (its children were shown above).
        paint: what the stream can show.

    Returns:
        Two trees.
    """
    lines = [paint(one_line(data["path"]), "bold")]
    for key, title in (("imports", "imports"), ("importers", "is imported by")):
        nodes = data.get(key) or ()
        lines.append(f"{title}{'' if nodes else ' nothing' if key == 'imports' else ' nobody'}")
        lines += branches(nodes, paint)
    return "\n".join(lines) + "\n"


def branches(nodes: Sequence[Mapping[str, Any]], paint: Paint, indent: str = "") -> Iterator[str]:
    """The lines of a tree, without its root.

    Args:
        nodes: as for `graph`.
        paint: what the stream can show.
        indent: what stands before each line.
    """
    for index, node in enumerate(nodes):
        last = index == len(nodes) - 1
        aside = _LINKS.get(node.get("kind", ""), "")
        if node.get("repeated"):
            aside = f"{aside}, above" if aside else "above"
        line = f"{indent}{'└─' if last else '├─'} "
        yield f"{paint(line, 'dim')}{one_line(node['path'])}{_aside(aside, paint)}"
        yield from branches(
            node.get("children") or (), paint, f"{indent}{'   ' if last else '│  '}"
        )


def _because(subject: str, reason: Mapping[str, Any]) -> str:
    """A reason beside its subject, which the chain begins with."""
    links = list(reason.get("chain") or ())
    if links and links[0] in (subject, subject.partition("::")[0]):
        links = links[1:]
    if links:
        return f"{ARROW.lstrip()}{chain(links)}"
    return one_line(reason.get("detail") or _WHY.get(reason["kind"], reason["kind"]))


def _grouped(tests: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Tests of one file with one reason are one row."""
    groups: dict[tuple[str, str], list[str]] = {}
    for test in tests:
        path = test["nodeid"].partition("::")[0]
        groups.setdefault((path, _because(test["nodeid"], test["reason"])), []).append(
            test["nodeid"]
        )
    return [
        (
            one_line(nodeids[0] if len(nodeids) == 1 else f"{path} ({len(nodeids)} tests)"),
            because,
        )
        for (path, because), nodeids in groups.items()
    ]


def _counts(tests: Sequence[Mapping[str, Any]]) -> str:
    """How many tests are selected for each kind of reason, where there are several."""
    kinds: dict[str, int] = {}
    for test in tests:
        kind = test["reason"]["kind"]
        kinds[kind] = kinds.get(kind, 0) + 1
    if len(kinds) < 2:
        return ""
    ordered = sorted(kinds.items(), key=lambda pair: (-pair[1], pair[0]))
    return f" ({', '.join(f'{n:,} {_COUNTED.get(kind, kind)}' for kind, n in ordered)})"


def _title(title: str, paint: Paint) -> str:
    return f"\n{paint(title, 'bold')}"


def _section(title: str, rows: Sequence[tuple[str, str]], paint: Paint) -> list[str]:
    """A title and its rows in two columns; nothing where there are no rows."""
    if not rows:
        return []
    column = max((cells(name) for name, about in rows if about), default=0)
    column = min(column, _ALIGNED)
    lines = [_title(title, paint)]
    for name, about in rows:
        padding = " " * max(column - cells(name), 0) if about else ""
        lines.append(f"  {name}{padding}{_aside(about, paint)}")
    return lines


def _aside(text: str, paint: Paint) -> str:
    return paint(f"  {text}", "dim") if text else ""


def dot(nodes: Sequence[str], edges: Sequence[Mapping[str, Any]]) -> str:
    """A graph in the language of Graphviz.

    Args:
        nodes: paths, those without an edge too.
        edges: each with ``importer``, ``imported`` and ``kind``.

    Returns:
        Lines, with the end of the last one.
    """
    lines = ["digraph imports {", "  rankdir=LR;", '  node [shape=box, fontname="sans-serif"];']
    linked = {end for edge in edges for end in (edge["importer"], edge["imported"])}
    lines += [f"  {_quoted(path)};" for path in nodes if path not in linked]
    for edge in edges:
        style = _EDGES.get(edge["kind"], f' [style=dashed, label="{edge["kind"]}"]')
        lines.append(f"  {_quoted(edge['importer'])} -> {_quoted(edge['imported'])}{style};")
    return "\n".join([*lines, "}", ""])


_EDGES = {"imports": "", "package": " [color=gray]", "typing": " [style=dotted]"}


def _quoted(path: str) -> str:
    return '"' + one_line(path).replace("\\", "\\\\").replace('"', '\\"') + '"'
