"""Our lines in a file of somebody else's, between two lines that mark them."""

from __future__ import annotations


def merged(text: str, lines: str, *, comment: str) -> str:
    """The text with our lines in it.

    Args:
        text: of a file; may be empty.
        lines: ours, with the end of the last one.
        comment: what a comment begins with in that language.

    Returns:
        The text with the lines in the place of those that stood between our marks; at the end
        where there were none.
    """
    begin, end = (f"{comment} devloop: {word}\n" for word in ("begin", "end"))
    ours = f"{begin}{lines}{end}"
    start = text.find(begin)
    stop = text.find(end, start)
    if start >= 0 and stop >= 0:
        return text[:start] + ours + text[stop + len(end) :]
    if text and not text.endswith("\n"):
        text += "\n"
    return f"{text}\n{ours}" if text else ours
