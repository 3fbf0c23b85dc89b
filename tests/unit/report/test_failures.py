"""Failures as the terminal shows them, read from pytest's texts."""

from __future__ import annotations

import textwrap

import pytest

from devloop.report.failures import BEFORE, CAPTURED, Failures, Frame, parse
from devloop.report.paint import Paint

FAILURES = Failures(Paint(), "/p")


def shown(text: str) -> str:
    """A failure without colours."""
    return "\n".join(FAILURES.traceback(textwrap.dedent(text))).strip("\n") + "\n"


def test_a_failed_assertion_shows_its_lines_numbered() -> None:
    """Line numbers follow from the place; a statement of many lines stays whole."""
    text = """\
            def test_total():
                items = [1, 2]

                print("hello")
        >       assert total(items) == 4, (
                    "a message"
                )
        E       AssertionError: a message
        E       assert 3 == 4
        E        +  where 3 = total([1, 2])

        tests/test_cart.py:17: AssertionError
        """
    assert shown(text) == textwrap.dedent(
        """\
        tests/test_cart.py:17
          13 │ def test_total():
          14 │     items = [1, 2]
          15 │
          16 │     print("hello")
        > 17 │     assert total(items) == 4, (
          18 │         "a message"
          19 │     )
        E AssertionError: a message
        E assert 3 == 4
        E  +  where 3 = total([1, 2])
        """
    )


def test_a_long_function_shows_only_what_is_near() -> None:
    """Some lines before the one that failed."""
    lines = "".join(f"        x{i} = {i}\n" for i in range(40))
    text = (
        f"    def test():\n{lines}>       assert x\nE       assert 0\n\nt.py:50: AssertionError\n"
    )
    assert shown(text).splitlines()[1] == f"  {50 - BEFORE} │ x{40 - BEFORE} = {40 - BEFORE}"


def test_frames_of_others_are_folded_and_their_message_stays() -> None:
    """A failure inside a library is shown at the project's last frame."""
    text = """\
            def test_json():
        >       parse("{")

        tests/test_cart.py:27: 
        _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ 
        /p/shop/cart.py:5: in parse
            return json.loads(text)
                   ^^^^^^^^^^^^^^^^
        .venv/lib/python3.12/site-packages/fastjson.py:337: in decode
            obj, end = raw_decode(s)
        _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ 

        s = '{', idx = 0

            def raw_decode(s, idx=0):
        >       obj, end = scan_once(s, idx)
        E       ValueError: Expecting: a.py:3: x

        /usr/lib/python3.12/json/decoder.py:353: ValueError
        """  # noqa: W291 - pytest writes them
    assert shown(text) == textwrap.dedent(
        """\
        tests/test_cart.py:27
          26 │ def test_json():
        > 27 │     parse("{")

        /p/shop/cart.py:5 in parse
        > 5 │ return json.loads(text)
            │        ^^^^^^^^^^^^^^^^

        … 2 frames outside the project, to json/decoder.py:353
        E ValueError: Expecting: a.py:3: x
        """
    )


def test_arguments_are_shown_below_the_line_that_failed() -> None:
    """Pytest's line of arguments helps; it is not source."""
    text = """\
        items = [{'cost': 1}]

            def total(items):
        >       return items[0]["price"]
        E       KeyError: 'price'

        shop/cart.py:11: KeyError
        """
    assert shown(text).splitlines() == [
        "shop/cart.py:11",
        "  10 │ def total(items):",
        '> 11 │     return items[0]["price"]',
        "       items = [{'cost': 1}]",
        "E KeyError: 'price'",
    ]


def test_chained_exceptions_keep_their_order() -> None:
    """The cause comes first, with the sentence that links the two."""
    text = """\
        t.py:3: in test
            parse()
        E   ValueError: no

        The above exception was the direct cause of the following exception:
        t.py:5: in test
            raise RuntimeError("bad") from error
        E   RuntimeError: bad
        """
    parts = parse(textwrap.dedent(text))
    assert [part.line if isinstance(part, Frame) else part[:9] for part in parts] == [
        3,
        "The above",
        5,
    ]
    assert "E ValueError: no" in shown(text)


@pytest.mark.parametrize(
    "text",
    [
        "worker 'gw0' crashed while running 't.py::test'\n",
        'Traceback (most recent call last):\n  File "/p/t.py", line 3, in f\n    g()\nNameError: g',
        "003 >>> f(1)\nExpected:\n    2\nGot:\n    3\n\n/p/mod.py:3: DocTestFailure\n",
    ],
)
def test_a_text_of_another_form_is_shown_whole(text: str) -> None:
    """Crashes, native tracebacks and doctests lose nothing."""
    found = shown(text)
    assert all(line.strip() in found for line in text.splitlines() if "DocTest" not in line)


def test_what_a_test_printed_is_folded_to_its_end() -> None:
    """The last lines are nearest to the failure; the title says how many there were."""
    lines = list(FAILURES.captured("Captured stdout call", "".join(f"{i}\n" for i in range(100))))
    assert lines[1] == f"Captured stdout call, the last {CAPTURED} of 100 lines"
    assert lines[2:] == [f"│ {i}" for i in range(100 - CAPTURED, 100)]
    assert list(FAILURES.captured("Captured stdout call", " \n")) == []


def test_a_place_outside_of_utf8_makes_a_link_that_opens_it() -> None:
    """Bytes that are no text are percent-encoded as they are on disk."""
    place = Failures(Paint(links=True), "/p").place("caf\udce9 x.py", 3)
    assert place == "\x1b]8;;file:///p/caf%E9%20x.py#3\x1b\\caf\\xe9 x.py:3\x1b]8;;\x1b\\"
