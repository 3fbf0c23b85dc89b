"""Messages come in pieces of any size, several at once or one bit by bit."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from devloop.inside import messages

MESSAGES = st.lists(st.dictionaries(st.text(max_size=5), st.integers() | st.text(), max_size=3))


@given(MESSAGES, st.lists(st.integers(1, 20)))
def test_an_inbox_gives_each_message_once_and_in_order(
    sent: list[dict[str, int | str]], sizes: list[int]
) -> None:
    """However the bytes are cut; each comes with the piece that makes it whole."""
    data = b"".join(map(messages.pack, sent))
    inbox = messages.Inbox()
    found = []
    for size in [*sizes, len(data)]:
        found += inbox.take(data[:size])
        data = data[size:]
    assert found == sent
    assert inbox.take(b"") == []
