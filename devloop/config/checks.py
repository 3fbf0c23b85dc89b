"""What is wrong with the meaning of a configuration: names, circles, patterns, programs."""

from __future__ import annotations

import re
import shlex
import signal
from collections.abc import Iterator
from pathlib import PurePosixPath

from devloop.config import limits
from devloop.config.document import KeyPath
from devloop.config.fault import Fault, nearest
from devloop.config.types import DIAGNOSTIC_TOOLS, App, Command, Config, Ready, Step

_SHELL = {"&&", "||", "|", ";", "&", ">", ">>", "<", "2>", "2>&1", "&>"}


def find(config: Config) -> Fault | None:
    """The first fault of meaning.

    Args:
        config: has the right shape.

    Returns:
        The fault; None where there is none.
    """
    return next(_faults(config), None)


def _faults(config: Config) -> Iterator[Fault]:
    for name, app in config.apps.items():
        yield from _command_faults(("apps", name), app.command)
        yield from _app_faults(("apps", name), app)
    for name, step in config.steps.items():
        yield from _command_faults(("steps", name), step.command)
        yield from _diagnostics_faults(("steps", name), step)
    for table, needs in (
        *((("apps", name), app.needs) for name, app in config.apps.items()),
        (("tests",), config.tests.needs),
        *((("steps", name), step.needs) for name, step in config.steps.items()),
    ):
        yield from _needs_faults(table, needs, config)
    yield from _circle_faults(config)
    yield from limits.faults(config)
    yield from _overlap_faults(config)


def _command_faults(table: KeyPath, command: Command) -> Iterator[Fault]:
    key = (*table, "command")
    if not isinstance(command, str):
        if not command or not command[0].strip():
            yield Fault(key, "names no program to run")
        return
    try:
        words = shlex.split(command, posix=False)
        program = shlex.split(command)
    except ValueError as error:
        yield Fault(key, f"cannot be split into words: {_words(error)}", f"It says: {command}")
        return
    if not program or not program[0]:
        yield Fault(key, "names no program to run")
    elif shell := next((word for word in words if word in _SHELL), None):
        quoted = command.replace("\\", "\\\\").replace('"', '\\"')
        yield Fault(
            key,
            f"{shell} is for a shell, and commands run without one",
            f'Write ["sh", "-c", "{quoted}"], or make it two steps.',
        )
    elif re.fullmatch(r"[A-Za-z_]\w*=.*", program[0], re.DOTALL):
        name, _, value = program[0].partition("=")
        yield Fault(
            key,
            f"{program[0]} is no program: a command begins with the program to run",
            f'Set variables with env = {{ {name} = "{value}" }}.',
        )


def _words(error: ValueError) -> str:
    text = str(error)
    return {"No closing quotation": "a quotation is not closed"}.get(text, text.lower())


def _app_faults(table: KeyPath, app: App) -> Iterator[Fault]:
    if app.ready is not None:
        yield from _ready_faults((*table, "ready"), app.ready)
    yield from _listen_faults((*table, "listen"), app.listen)
    known = [item.name for item in signal.Signals]
    if app.stop_signal not in known:
        meant = nearest(app.stop_signal, known) or nearest(f"SIG{app.stop_signal}", known)
        suggestion = f"; did you mean {meant}?" if meant else ""
        yield Fault(
            (*table, "stop-signal"),
            f'expected the name of a signal, got "{app.stop_signal}"{suggestion}',
            None if meant else "Signals are named as in SIGTERM, SIGINT or SIGQUIT.",
        )


def _listen_faults(key: KeyPath, listen: tuple[str, ...]) -> Iterator[Fault]:
    for index, address in enumerate(listen):
        host, _, port = address.rpartition(":")
        if address.startswith("unix:"):
            fits = len(address) > len("unix:")
        else:
            fits = bool(host) and port.isascii() and port.isdigit() and 1 <= int(port) <= 65535
        if not fits:
            yield Fault(
                (*key, index),
                f'expected an address, got "{address}"',
                'An address looks like "127.0.0.1:3000", "[::1]:3000" or "unix:run/app.sock".',
            )


def _ready_faults(key: KeyPath, ready: Ready) -> Iterator[Fault]:
    given = [name for name in ("http", "port", "log") if getattr(ready, name) is not None]
    if len(given) != 1:
        got = f"got {' and '.join(given)}" if given else "got none"
        yield Fault(key, f"expected just one of http, port and log, {got}")
    if ready.http is not None and not re.match(r"https?://[^/]", ready.http):
        yield Fault(
            (*key, "http"),
            f'expected a URL, got "{ready.http}"',
            'A URL looks like "http://127.0.0.1:8000/".',
        )
    if ready.log is not None:
        try:
            re.compile(ready.log)
        except re.error as error:
            at = "" if error.pos is None else f" at character {error.pos + 1}"
            yield Fault((*key, "log"), f"not a regular expression: {error.msg}{at}")


def _diagnostics_faults(table: KeyPath, step: Step) -> Iterator[Fault]:
    form = step.diagnostics
    if form is None or form in DIAGNOSTIC_TOOLS:
        return
    key = (*table, "diagnostics")
    if "%f" in form and "%m" in form:
        yield from _format_faults(key, form)
        return
    tools = ", ".join(DIAGNOSTIC_TOOLS)
    meant = nearest(form, DIAGNOSTIC_TOOLS)
    yield Fault(
        key,
        f'expected a known tool or a format with %f and %m, got "{form}"'
        + (f'; did you mean "{meant}"?' if meant else ""),
        f"Known tools: {tools}. A format looks like %f:%l:%c: %m",
    )


def _format_faults(key: KeyPath, form: str) -> Iterator[Fault]:
    hint = "%f is the file, %l the line, %c the column, %m the message, %% a percent sign."
    fields = [f"%{letter}" for letter in re.findall(r"%(.?)", form, re.DOTALL)]
    for index, field in enumerate(fields):
        if field not in ("%f", "%l", "%c", "%m", "%%"):
            yield Fault(key, f'nothing is called {field} in a format, got "{form}"', hint)
        elif field != "%%" and field in fields[:index]:
            yield Fault(key, f'{field} stands twice in the format "{form}"', hint)


def _needs_faults(table: KeyPath, needs: tuple[str, ...], config: Config) -> Iterator[Fault]:
    for index, need in enumerate(needs):
        if need not in config.steps:
            meant = nearest(need, config.steps)
            known = ", ".join(config.steps)
            yield Fault(
                (*table, "needs", index),
                f'"{need}" is not a step' + (f'; did you mean "{meant}"?' if meant else ""),
                f"Steps: {known}." if known else "No steps are configured.",
            )


def _circle_faults(config: Config) -> Iterator[Fault]:
    done: set[str] = set()
    for start in config.steps:
        chain: list[str] = []
        waiting = [iter((start,))]
        while waiting:
            name = next(waiting[-1], None)
            if name is None:
                waiting.pop()
                if chain:
                    done.add(chain.pop())
            elif name in chain:
                circle = [*chain[chain.index(name) :], name]
                yield Fault(
                    ("steps", circle[-2], "needs"),
                    f"steps need each other in a circle: {' → '.join(circle)}",
                )
                return
            elif name not in done:
                chain.append(name)
                waiting.append(iter(config.steps[name].needs))


def _overlap_faults(config: Config) -> Iterator[Fault]:
    outputs = [
        (name, index, output)
        for name, step in config.steps.items()
        for index, output in enumerate(step.outputs)
    ]
    for position, (name, index, output) in enumerate(outputs):
        for other, _, earlier in outputs[:position]:
            if other != name and _overlap(earlier, output):
                said = f'"{output}"' if output == earlier else f'"{output}" and "{earlier}"'
                yield Fault(
                    ("steps", name, "outputs", index),
                    f"the steps {other} and {name} both write {said}; "
                    "an output belongs to one step",
                )
                return


def _overlap(one: str, other: str) -> bool:
    """Whether two outputs can name the same file: equal, one within the other, or by pattern."""
    import pathspec

    a, b = PurePosixPath(one), PurePosixPath(other)
    if a == b or a in b.parents or b in a.parents:
        return True
    return any(
        pathspec.GitIgnoreSpec.from_lines([f"/{pattern}"]).match_file(str(path))
        for pattern, path in ((a, b), (b, a))
        if any(mark in str(pattern) for mark in "*?[")
    )
