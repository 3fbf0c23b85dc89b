"""The terminal reporter, read from the screen of an emulated terminal."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping

import msgspec
import pyte
import pytest

from devloop import events as ev
from devloop.report.paint import Paint
from devloop.report.screen import WAITING, Screen
from devloop.report.sink import Sink
from devloop.report.terminal import DETAILED, TerminalReporter

COLOR = re.compile(r"\x1b\[[0-9;]*m")
TERM = {"TERM": "xterm-256color"}


def written(
    events: list[ev.Event],
    stream: io.StringIO,
    environ: Mapping[str, str] = TERM,
    columns: int = 100,
    *,
    clear: bool = False,
    once: bool = False,
    close: bool = True,
) -> str:
    """What the reporter writes."""
    reporter = TerminalReporter(
        stream, environ=environ, columns=lambda: columns, clear=clear, once=once
    )
    show(reporter, events)
    if close:
        reporter.close()
    return stream.getvalue()


def show(reporter: TerminalReporter, events: list[ev.Event]) -> None:
    """Give it events, and ticks between them."""
    for event in events:
        reporter.handle(event)
        reporter.tick(event.t + 0.005)


def seen(text: str, columns: int = 100, rows: int = 400) -> str:
    """What a person sees of it, the lines that scrolled away included."""
    screen = pyte.HistoryScreen(columns, rows, history=10_000, ratio=1)
    screen.set_mode(pyte.modes.LNM)
    pyte.Stream(screen).feed(text)
    above = ["".join(line[column].data for column in range(columns)) for line in screen.history.top]
    return "\n".join(line.rstrip() for line in [*above, *screen.display]).rstrip("\n") + "\n"


@pytest.mark.parametrize("columns", [40, 80, 200, 400])
def test_a_whole_session_reads_as_recorded(
    recorded: list[ev.Event],
    terminal: io.StringIO,
    golden: Callable[[str, str], None],
    columns: int,
) -> None:
    """The golden text is what stays on the screen, at every width."""
    text = written(recorded, terminal, columns=columns)
    golden(f"terminal-{columns}.txt", seen(text, columns))


def test_one_shot_ends_with_its_result(
    one_shot: list[ev.Event], terminal: io.StringIO, golden: Callable[[str, str], None]
) -> None:
    """`devloop test`: header, failures, one final line, and no footer after it."""
    text = seen(written(one_shot, terminal, once=True, close=False))
    golden("terminal-once.txt", text)
    assert text.splitlines()[-1].startswith(" FAIL  2 failed · 3 passed · 1 skipped")


@pytest.mark.parametrize("rows", [3, 10, 24])
def test_a_short_screen_repeats_and_loses_no_line(
    recorded: list[ev.Event], terminal: io.StringIO, rows: int
) -> None:
    """The footer is drawn and erased at the bottom of any screen (rich#3263)."""
    text = written(recorded, terminal)
    assert seen(text, rows=rows) == seen(text)


def test_the_footer_shows_a_run_while_it_goes_on(
    recorded: list[ev.Event], terminal: io.StringIO
) -> None:
    """Progress, failures so far, apps, time taken and predicted, and the test that runs."""
    at = next(
        i
        for i, event in enumerate(recorded)
        if isinstance(event, ev.TestStarted) and "test_currency" in event.nodeid
    )
    lines = seen(written(recorded[: at + 1], terminal, close=False)).splitlines()
    assert lines[-3] == ""
    assert re.fullmatch(
        r". 2/6 tests · 1 failed · web ready :8000 · 1.60s of about 4.05s", lines[-2]
    )
    assert lines[-1] == "  tests/test_cart.py::test_currency[€]"


def test_the_footer_shows_how_far_a_cold_start_is(
    recorded: list[ev.Event], terminal: io.StringIO
) -> None:
    """A long build of the graph has a bar."""
    at = next(i for i, e in enumerate(recorded) if isinstance(e, ev.Progress) and e.done == 500)
    last = seen(written(recorded[: at + 1], terminal, close=False)).splitlines()[-1]
    assert "━━━━━━━━━━━━━━━━━━━━━━━━ reading the project 500/1,000 · " in last


def test_the_footer_tells_how_things_stand_while_idle(
    recorded: list[ev.Event], terminal: io.StringIO
) -> None:
    """Between two saves: tests known, failing, apps, and how to leave."""
    at = next(i for i, event in enumerate(recorded) if isinstance(event, ev.CycleFinished))
    last = seen(written(recorded[: at + 1], terminal, close=False)).splitlines()[-1]
    assert last == "watching · 6 tests, 2 failing · web ready :8000 · Ctrl-C quits"


@pytest.mark.parametrize(
    ("last", "word"),
    [
        (ev.AppStopping(name="web", pid=1), "ready"),
        (ev.AppExited(name="web", pid=1, code=0, expected=True), "ready"),
        (ev.AppStopping(name="web", pid=2), "stopping"),
        (ev.AppExited(name="web", pid=2, code=0), "ended"),
        (ev.AppExited(name="web", pid=2, code=1), "failed"),
        (ev.AppStarted(name="web", pid=3), "starting"),
    ],
)
def test_the_footer_tells_of_the_newest_process_of_an_app(
    last: ev.Event, word: str, terminal: io.StringIO
) -> None:
    """The one from before ends beside it, where sockets are handed over."""
    events: list[ev.Event] = [
        ev.AppStarted(name="web", pid=1),
        ev.AppStarted(name="web", pid=2),
        ev.AppReady(name="web", pid=2, seconds=0.1),
        last,
    ]
    shown = seen(written(events, terminal, close=False)).splitlines()[-1]
    assert shown == f"watching · web {word} · Ctrl-C quits"


@pytest.mark.parametrize("postponed", [False, True])
def test_the_footer_does_not_say_watching_too_early(terminal: io.StringIO, postponed: bool) -> None:
    """A save before the first cycle begins is part of what that one runs, and no change."""
    started = ev.SessionStarted(root="/p", command="watch", version="1", pid=1, postponed=postponed)
    events: list[ev.Event] = [started, ev.Notice(message="polling")]
    assert ("watching" in written(events, terminal, close=False)) is postponed
    events += [ev.CycleStarted(trigger="start"), ev.CycleFinished(outcome="passed", seconds=1)]
    assert "watching" in written(events, terminal, close=False)


def test_the_footer_counts_what_a_run_has_found(terminal: io.StringIO) -> None:
    """A plan made before all was collected knows of fewer tests than its run finds."""
    events: list[ev.Event] = [
        ev.CycleStarted(trigger="change"),
        ev.PlanMade(total=2),
        ev.RunFinished(outcome="passed", seconds=0.1, passed=1),
        ev.CycleFinished(outcome="passed", seconds=1, verified=1, assumed=4),
    ]
    last = seen(written(events, terminal, close=False)).splitlines()[-1]
    assert last.startswith("watching · 5 tests")


def test_a_narrow_footer_leaves_out_the_least(
    recorded: list[ev.Event], terminal: io.StringIO
) -> None:
    """What does not fit goes as a whole; the footer never wraps."""
    at = next(i for i, event in enumerate(recorded) if isinstance(event, ev.CycleFinished))
    text = written(recorded[: at + 1], terminal, columns=40, close=False)
    assert seen(text, 40).splitlines()[-1] == "watching · 6 tests, 2 failing"


def test_a_window_made_narrower_is_cleaned_of_the_wrapped_footer(terminal: io.StringIO) -> None:
    """The footer's rows are counted anew: terminals wrap what no longer fits."""
    size = 80
    reporter = TerminalReporter(terminal, environ=TERM, columns=lambda: size)
    reporter.handle(ev.CycleStarted(trigger="start"))
    reporter.handle(ev.PlanMade(total=120))
    reporter.handle(ev.CycleFinished(outcome="passed", seconds=1))
    terminal.truncate(0)
    size = 20
    reporter.close()
    # `watching · 120 tests · Ctrl-C quits` takes two rows of twenty, the empty line one.
    assert terminal.getvalue().strip("\0").startswith("\x1b[?2026h\r\x1b[2A\x1b[J")


def test_nothing_of_the_terminal_is_changed_for_good(
    recorded: list[ev.Event], terminal: io.StringIO
) -> None:
    """No scrollback or screen is erased, no cursor hidden, no other screen entered."""
    text = written(recorded, terminal)
    modes = set(re.findall(r"\x1b\[\?[0-9;]*[hl]", text))
    assert modes == {"\x1b[?2026h", "\x1b[?2026l"}
    assert text.count("\x1b[?2026h") == text.count("\x1b[?2026l")
    assert not re.search(r"\x1b\[[0-9;]*[23]J", text)
    assert not seen(text).splitlines()[-1].startswith("watching")


def test_the_screen_is_emptied_only_where_asked(
    recorded: list[ev.Event], terminal: io.StringIO
) -> None:
    """With `--clear` each cycle begins on an empty screen; the scrollback stays even then."""
    text = written(recorded, terminal, clear=True)
    cycles = sum(isinstance(event, ev.CycleStarted) for event in recorded)
    assert text.count("\x1b[2J") == cycles
    assert "\x1b[3J" not in text


def test_the_last_result_stays_readable_until_there_is_a_new_one(
    recorded: list[ev.Event], terminal: io.StringIO
) -> None:
    """With `--clear` too: what a cycle begins with is shown with the first thing that it finds."""
    begin = next(i for i, event in enumerate(recorded) if event.cycle == 3)
    found = next(i for i, e in enumerate(recorded) if i > begin and isinstance(e, ev.Diagnostic))
    before = seen(written(recorded[:found], terminal, clear=True, close=False), rows=30)
    assert "still failing tests/test_load.py::test_load" in before
    assert "2 of 6 tests" not in before
    terminal.truncate(0)
    after = seen(written(recorded[: found + 1], terminal, clear=True, close=False), rows=30)
    shown = after[after.index("● tests/test_cart.py") :]
    assert "not collected" in shown
    assert "PASS" not in shown


def test_the_same_file_again_is_counted(terminal: io.StringIO, recorded: list[ev.Event]) -> None:
    """How often it was saved in a row; another file, or a key, begins anew."""
    events: list[ev.Event] = [
        event
        for path in ("a.py", "a.py", "a.py", "b.py", "a.py")
        for event in (
            ev.CycleStarted(trigger="change", changes=(ev.Change(path),)),
            ev.PlanMade(),
            ev.CycleFinished(outcome="passed", seconds=0.1),
        )
    ]
    heads = re.findall(r"^● (.+?)  ", seen(written(events, terminal)), re.M)
    assert heads == ["a.py", "a.py ×2", "a.py ×3", "b.py", "a.py"]  # noqa: RUF001


@pytest.mark.parametrize(
    ("environ", "tty", "allowed"),
    [
        ({}, False, ""),
        ({"TERM": "xterm"}, False, ""),
        ({"TERM": "dumb"}, True, ""),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, False, ""),
        ({"FORCE_COLOR": "0"}, False, ""),
        ({"FORCE_COLOR": "1"}, False, "color"),
        ({"FORCE_COLOR": "1", "TERM": "dumb"}, True, "color"),
        ({"NO_COLOR": "1", "TERM": "xterm"}, True, "cursor"),
        ({"TERM": "xterm"}, True, "all"),
    ],
)
def test_control_codes_are_written_only_where_they_belong(
    recorded: list[ev.Event], environ: dict[str, str], tty: bool, allowed: str
) -> None:
    """No terminal, a dumb one, NO_COLOR and FORCE_COLOR each get what they ask for."""
    stream = io.StringIO()
    if tty:
        stream.isatty = lambda: True  # type: ignore[method-assign]
    text = written(recorded, stream, environ)
    colors, rest = COLOR.findall(text), COLOR.sub("", text)
    assert bool(colors) == (allowed in ("color", "all"))
    assert ("\x1b" in rest) == (allowed in ("cursor", "all"))
    assert ("\x1b]8;" in rest) == (allowed == "all")
    assert all(char.isprintable() or char in "\n\r\x1b" for char in rest)
    assert ("\r" in rest) == (allowed in ("cursor", "all"))


def test_without_a_footer_the_same_lines_are_written(
    recorded: list[ev.Event], terminal: io.StringIO
) -> None:
    """A log of the terminal reporter reads as the terminal did."""
    log = written(recorded, io.StringIO(), {}, columns=400).replace("FAIL ", " FAIL  ")
    log = log.replace("PASS ", " PASS  ").replace("CANCELLED ", " CANCELLED  ")
    assert log == seen(written(recorded, terminal, columns=400), 400)


def test_an_app_keeps_its_colours_and_cannot_move_the_cursor(terminal: io.StringIO) -> None:
    """Its lines are whole, begin with its name, and end with their colours reset."""
    output = ev.Output(source="app", name="web", text="\x1b[31mred\x1b[2J\x1b[5A\nplain\a\n\x1b[1m")
    lines = written([output], terminal, {"TERM": "xterm"}).split("\n")
    prefix = "\x1b[36mweb\x1b[0m \x1b[2m│\x1b[0m "
    assert lines == [
        f"{prefix}\x1b[31mred\x1b[0m",
        f"{prefix}plain",
        f"{prefix}\x1b[1m\x1b[0m",
        "",
    ]


def test_a_line_that_has_not_ended_is_live(terminal: io.StringIO) -> None:
    """What is typed at an app's prompt is seen at once, and stays as one line."""
    events: list[ev.Event] = [
        ev.Output(source="app", name="web", text=text, partial=True)
        for text in ("name? ", "name? a", "name? ab")
    ]
    other = ev.Output(source="app", name="db", text="42 rows")
    reporter = TerminalReporter(terminal, environ=TERM, columns=lambda: 40)
    show(reporter, [*events, other])
    assert (
        seen(terminal.getvalue(), 40) == "db  │ 42 rows\nweb │ name? ab\nwatching · Ctrl-C quits\n"
    )
    show(reporter, [ev.Output(source="app", name="web", text="name? abc\nhello abc")])
    said = "db  │ 42 rows\nweb │ name? abc\nweb │ hello abc\n"
    assert seen(terminal.getvalue(), 40) == f"{said}\nwatching · Ctrl-C quits\n"
    show(reporter, [ev.Output(source="app", name="web", text="é" * 50 + "> ", partial=True)])
    assert seen(terminal.getvalue(), 40).splitlines()[-2] == "web │ " + "é" * 31 + ">"
    reporter.close()
    assert seen(terminal.getvalue(), 40) == said


def test_passing_tests_cost_no_lines_and_few_drawings(terminal: io.StringIO) -> None:
    """Of 2,000 tests in two seconds no name stays, and the footer is drawn ten times a second."""
    events: list[ev.Event] = [
        ev.CycleStarted(trigger="start", t=1000),
        ev.RunStarted(selected=1, t=1000),
        ev.RunCollected(total=2000, t=1000),
    ]
    for number in range(2000):
        t = 1000 + number / 1000
        events.append(ev.TestStarted(nodeid=f"t.py::t{number}", t=t))
        events.append(
            ev.TestFinished(nodeid=f"t.py::t{number}", outcome="passed", seconds=0.001, t=t)
        )
    reporter = TerminalReporter(terminal, environ=TERM, columns=lambda: 100)
    for event in events:
        reporter.handle(event)
    assert 15 <= terminal.getvalue().count("\x1b[?2026h") <= 30
    reporter.handle(ev.RunFinished(outcome="passed", passed=2000, t=1002))
    reporter.handle(ev.CycleFinished(outcome="passed", seconds=2, t=1002))
    reporter.close()
    assert "t.py" not in seen(terminal.getvalue())


def test_nothing_is_written_while_idle(recorded: list[ev.Event], terminal: io.StringIO) -> None:
    """A tick outside of a cycle draws nothing."""
    reporter = TerminalReporter(terminal, environ=TERM, columns=lambda: 100)
    at = next(i for i, event in enumerate(recorded) if isinstance(event, ev.CycleFinished))
    for event in recorded[: at + 1]:
        reporter.handle(event)
    before = terminal.getvalue()
    reporter.tick(recorded[at].t + 60)
    assert terminal.getvalue() == before


def test_many_failures_are_shown_in_one_line_each_in_the_end(terminal: io.StringIO) -> None:
    """After the first ones only names and messages are said."""
    events: list[ev.Event] = [ev.CycleStarted(trigger="start"), ev.RunStarted(selected=1)]
    events += [
        ev.TestFinished(
            nodeid=f"t.py::t{i}", outcome="failed", seconds=0, traceback=f"E   assert {i}"
        )
        for i in range(DETAILED + 2)
    ]
    lines = seen(written(events, terminal)).splitlines()
    assert lines[-2:] == [
        f"  ✗ t.py::t{DETAILED}  0ms  assert {DETAILED}",
        f"  ✗ t.py::t{DETAILED + 1}  0ms  assert {DETAILED + 1}",
    ]
    assert "    E assert 24" in lines


def test_what_still_fails_is_listed_and_then_counted(terminal: io.StringIO) -> None:
    """A long list of old failures does not push the result off the screen."""
    events: list[ev.Event] = [ev.CycleStarted(trigger="start"), ev.RunStarted(selected=1)]
    events += [
        ev.TestFinished(nodeid=f"t.py::t{i:02}", outcome="failed", seconds=0) for i in range(13)
    ]
    events += [
        ev.RunFinished(outcome="failed", failed=13),
        ev.CycleFinished(outcome="failed", seconds=0, failing=13),
        ev.CycleStarted(trigger="change"),
        ev.CycleFinished(outcome="failed", seconds=0, failing=13),
    ]
    lines = seen(written(events, terminal)).splitlines()
    assert sum(line.startswith("  ✗ still failing t.py::t") for line in lines) == 10
    assert "  … and 3 more still fail" in lines
    assert lines[-1] == " FAIL  13 still failing in 0ms"


def test_a_path_leads_to_its_line(recorded: list[ev.Event], terminal: io.StringIO) -> None:
    """Places are OSC 8 links to files of the project."""
    text = written(recorded, terminal)
    assert "\x1b]8;;file:///home/me/shop/tests/test_cart.py#12\x1b\\" in text


def test_a_stream_that_is_not_utf8_gets_ascii(recorded: list[ev.Event]) -> None:
    """In a C locale nothing fails on a character, and the signs stay readable."""
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    show(TerminalReporter(stream, environ={}), recorded)
    text = raw.getvalue().decode("ascii")
    assert "  ok fixed tests/test_cart.py::test_total" in text
    assert "tests/test_cart.py <- shop/cart.py" in text
    assert "test_currency[\\u20ac]" in text


def test_a_clock_set_back_does_not_stop_the_footer(terminal: io.StringIO) -> None:
    """The footer is drawn by the events' time, whichever way it goes."""
    reporter = TerminalReporter(terminal, environ=TERM, columns=lambda: 100)
    reporter.handle(ev.CycleStarted(trigger="start", t=1000))
    reporter.handle(ev.RunStarted(selected=1, t=1000))
    reporter.handle(ev.RunCollected(total=2, t=1000))
    passed = ev.TestFinished(nodeid="t.py::a", outcome="passed", seconds=0, t=10)
    reporter.handle(passed)
    assert seen(terminal.getvalue()).splitlines()[-1].split(" · ")[0].endswith("1/2 tests")
    reporter.handle(msgspec.structs.replace(passed, nodeid="t.py::b", t=11))
    assert seen(terminal.getvalue()).splitlines()[-1].split(" · ")[0].endswith("2/2 tests")


def lent(*shown: bytes | str | None) -> str:
    """What a screen shows: bytes of somebody who has it, text of ours, None gives it back."""
    stream = io.StringIO()
    screen = Screen(Sink(stream), Paint(animated=True), lambda: 80)
    for one in shown:
        if isinstance(one, str):
            screen.print(f"{one}\n")
        else:
            screen.lend(one)
    return stream.getvalue()


def test_a_prompt_of_somebody_else_is_not_written_into() -> None:
    """What is printed waits for the end of the line, be the next prompt there already."""
    assert lent(b"(Pdb) ", "ours", b"p 1\r\n1\r\n(Pdb) ") == "(Pdb) p 1\r\n1\r\nours\n(Pdb) "
    assert lent(b"a line\r\n", "ours") == "a line\r\nours\n"
    assert lent(b"", "ours", b"(Pdb) ") == "ours\n(Pdb) "
    assert lent(b"(Pdb) ", "ours", None, "more") == "(Pdb) \r\nours\nmore\n"
    # Keys do not end a line, nor does what readline writes around them.
    assert "ours" not in lent(b"x\r\n\x1b[?2004h(Pdb) ", "ours", b"p", b"\x1b[K", b"\r")


def test_what_somebody_has_switched_on_is_switched_off_again() -> None:
    """Pasting, the mouse, the other screen, a hidden cursor; what is off already is left alone."""
    given = lent(b"\x1b[?2004h(Pdb) ", b"\x1b[?1049h\x1b[?25l\x1b[?10", b"00;1006h", None)
    after = given.rpartition("\x1b[?1000;1006h")[2]
    for undone in ("\x1b[?2004l", "\x1b[?1049l", "\x1b[?25h", "\x1b[?1000l", "\x1b[?1006l"):
        assert undone in after
    assert "\x1b[?2004l" not in lent(b"\x1b[?25h> ", None)


def test_what_waits_is_bounded() -> None:
    """Of a flood the end is shown, and how much was left out."""
    text = lent(b"(Pdb) ", *(f"line {number}" for number in range(WAITING + 5)), None)
    assert "… 5 earlier writes are left out\nline 5\n" in text
    assert text.endswith(f"line {WAITING + 4}\n")


def test_a_failure_that_was_taken_back_stands_no_more(terminal: io.StringIO) -> None:
    """Its test has passed on what there is now: it is told once, and the verdict is good."""
    nodeid = "t.py::test"
    events: list[ev.Event] = [
        ev.CycleStarted(trigger="change", changes=(ev.Change("a.py"),)),
        ev.RunStarted(selected=1),
        ev.TestFinished(nodeid=nodeid, outcome="failed", seconds=0.1),
        ev.RunFinished(outcome="failed", failed=1),
        ev.CycleFinished(outcome="failed", seconds=1, failing=1),
    ]
    for _ in range(2):
        events += [
            ev.CycleStarted(trigger="change", changes=(ev.Change("a.py"),)),
            ev.PlanMade(total=1),
            ev.CycleFinished(outcome="passed", seconds=1, assumed=1, restored=(nodeid,)),
        ]
    text = seen(written(events, terminal))
    assert text.count("✓ assumed to pass again t.py::test") == 1
    assert "still failing" not in text
    assert text.count("PASS  1 assumed to pass") == 2


def test_what_a_broken_conftest_hinders_fails_later_cycles_too(terminal: io.StringIO) -> None:
    """The first one shows the error itself; those that run nothing say that it stands."""
    error = ev.Diagnostic(
        path="conftest.py",
        line=1,
        message="ImportError",
        severity="error",
        source="pytest",
        nodeid="conftest.py",
    )
    events: list[ev.Event] = [
        ev.CycleStarted(trigger="change", changes=(ev.Change("conftest.py"),)),
        ev.RunStarted(selected=1),
        error,
        ev.RunFinished(outcome="failed", errors=1),
        ev.CycleFinished(outcome="failed", seconds=1, hindered=2, due=2),
        ev.CycleStarted(trigger="change", changes=(ev.Change("a.py"),)),
        ev.PlanMade(total=2),
        ev.CycleFinished(outcome="failed", seconds=1, hindered=2, due=2),
    ]
    text = seen(written(events, terminal))
    assert "FAIL  1 error · 2 still due" in text
    assert "FAIL  1 still failing · 2 still due" in text
    assert "FAIL  2 test files not collected · 2 still due" in seen(written(events[-3:], terminal))
