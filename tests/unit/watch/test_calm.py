"""How long it has to be quiet: at once for a person's save, the debounce for a program's work."""

from __future__ import annotations

import pytest

from devloop.watch.calm import (
    BRIEF,
    CAUTION,
    DEFAULT,
    FEW,
    OPEN,
    REST,
    SETTLE,
    TRUSTED,
    Calm,
)


def save(calm: Calm, now: float, *paths: str, whole: bool | None = True) -> float:
    """Files are saved at once; gives the seconds for which more is waited for."""
    for path in paths:
        calm.hear(path, whole)
    calm.came(now, set(paths))
    return round(calm.until - now, 6)


def test_the_first_small_set_of_whole_files_waits_only_for_a_moment() -> None:
    """Up to a few files that were closed or moved; not what is gone, nor a folder's many files."""
    few = [f"m{number}.py" for number in range(FEW)]
    assert save(Calm(DEFAULT), 10.0, *few) == SETTLE
    assert save(Calm(DEFAULT), 10.0, *few, "one more.py") == DEFAULT
    assert save(Calm(DEFAULT), 10.0, "gone.py", whole=None) == DEFAULT
    calm = Calm(DEFAULT)
    calm.came(10.0, {"found by looking.py"})
    assert calm.until == 10.0 + DEFAULT


def test_a_file_that_is_being_written_is_waited_for() -> None:
    """Truncated, it is not handed on after the debounce; closed, it soon is."""
    calm = Calm(DEFAULT)
    assert save(calm, 10.0, "m.py", whole=False) == OPEN
    assert save(calm, 10.1, "m.py") == SETTLE
    noise = Calm(DEFAULT)
    noise.hear("ignored.log", False)
    assert save(noise, 10.0, "m.py") == SETTLE


def test_what_follows_the_first_set_waits_for_the_debounce() -> None:
    """Until there has been a rest: a program that goes through files makes few sets."""
    calm = Calm(DEFAULT)
    assert save(calm, 10.0, "a.py") == SETTLE
    calm.handed_on()
    assert save(calm, 10.1, "b.py") == DEFAULT
    calm.handed_on()
    assert save(calm, 10.2, "c.py") == DEFAULT
    calm.handed_on()
    assert save(calm, 10.2 + 2 * REST, "d.py") == SETTLE


def test_a_formatter_is_expected_again_until_it_stays_away() -> None:
    """Something followed within the debounce: the next saves wait for it, and are one set each."""
    calm = Calm(DEFAULT)
    assert save(calm, 10.0, "m.py") == SETTLE
    calm.handed_on()
    assert save(calm, 10.015, "m.py") == DEFAULT
    calm.handed_on()
    for number in range(11, 31):
        assert save(calm, float(number), "m.py") == DEFAULT
        assert save(calm, number + 0.015, "m.py") == DEFAULT
        calm.handed_on()
    waits = []
    for number in range(31, 33 + CAUTION):
        waits.append(save(calm, float(number), "m.py"))
        calm.handed_on()
    assert waits == [*[DEFAULT] * (CAUTION - 1), *[SETTLE] * 3]  # the formatter's own was the first


def waits_of_saves(calm: Calm, first: float, count: int) -> list[float]:
    """For how long more is waited for after each of some saves, a second apart."""
    waits = []
    for number in range(count):
        waits.append(save(calm, first + number, "m.py"))
        calm.handed_on()
    return waits


def test_where_nothing_ever_follows_a_save_hardly_anything_is_waited_for() -> None:
    """Until something does follow, be it within the moment: then it is as it was at first."""
    calm = Calm(DEFAULT)
    assert waits_of_saves(calm, 10.0, TRUSTED + 2) == [*[SETTLE] * TRUSTED, BRIEF, BRIEF]
    assert save(calm, 30.0, "m.py") == BRIEF
    assert save(calm, 30.0 + SETTLE / 2, "m.py") == SETTLE
    calm.handed_on()
    # What has followed was the last of its set, so that it counts as one that nothing followed.
    assert waits_of_saves(calm, 40.0, TRUSTED) == [*[SETTLE] * (TRUSTED - 1), BRIEF]
    assert save(calm, 60.0, "m.py") == BRIEF
    calm.handed_on()
    assert save(calm, 60.015, "m.py") == DEFAULT
    calm.handed_on()
    expected = [*[DEFAULT] * CAUTION, *[SETTLE] * TRUSTED, BRIEF]
    assert waits_of_saves(calm, 70.0, len(expected)) == expected


def test_a_save_is_known_as_one_while_more_is_waited_for() -> None:
    """Small and whole, after a rest: not while it is written, nor what a program goes on with."""
    calm = Calm(DEFAULT)
    early = []
    for now, whole in ((10.0, False), (10.001, True), (10.1, True)):
        save(calm, now, "m.py", whole=whole)
        early.append(calm.early)
        if whole:
            calm.handed_on()
    assert early == [False, True, False]


@pytest.mark.parametrize(("debounce", "wait"), [(0.15, 0.15), (0.002, 0.002), (0.01, SETTLE)])
def test_a_longer_debounce_than_the_default_is_a_wish(debounce: float, wait: float) -> None:
    """It holds for every save; a shorter one leaves the moment as it is, or shortens that too."""
    assert save(Calm(debounce), 10.0, "m.py") == wait


def test_git_at_work_means_the_whole_debounce() -> None:
    """However small the set is by then; and so does what is found by looking at all files."""
    calm = Calm(DEFAULT)
    save(calm, 10.0, "m.py")
    calm.extend(10.01)
    assert calm.until == 10.01 + DEFAULT
    calm.handed_on()
    assert save(calm, 11.0, "m.py") == SETTLE  # it was nothing that followed the save
