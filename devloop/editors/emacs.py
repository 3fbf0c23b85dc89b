"""Emacs: `M-x compile` with `devloop watch`, in `.dir-locals.el`.

Its values are taken where a file of the project is opened, after Emacs has asked
(`(info "(emacs) Directory Variables")`). A compilation buffer takes none of its own accord; so what
it is to know is set when it starts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from devloop.editors.place import Fault, File, Place

_LISP = r"""
 (nil
  . ((compile-command . @COMMAND@)
     (eval
      . (progn
          ;; A cycle tells of all that stands: what an earlier one told of is taken away.
          (defun devloop-forget-earlier-cycles ()
            (let ((news (save-excursion (goto-char compilation-filter-start)
                                        (line-beginning-position))))
              (goto-char (point-max))
              (when (re-search-backward "^devloop: cycle started$" news t)
                (compilation-forget-errors)
                (delete-region (point-min) (point)))
              (goto-char (point-max))))
          ;; Only problem lines lead anywhere; tracebacks are told of by them.
          (defun devloop-compile (_process)
            (when (string-match-p "devloop.* --reporter plain" (car compilation-arguments))
              (setq-local
               compilation-error-regexp-alist
               '((@REGEXP@
                  1 2 3 (4))))
              (add-hook 'compilation-filter-hook #'devloop-forget-earlier-cycles nil t)))
          (add-hook 'compilation-start-hook #'devloop-compile)))))
"""
_REGEXP = (
    r'"^\\([^ \t\n:|][^:|\n]*\\):\\([0-9]+\\):\\([0-9]+\\): '
    r'\\(?:error\\|\\(warning\\)\\): "'
)
_BEGIN, _END = (f" ;; devloop: {word}\n" for word in ("begin", "end"))
_TOKEN = re.compile(
    r"""(?:\s+|;[^\n]*)+ | "(?:[^"\\]|\\.)*" | \?(?:\\.|.) | [()\[\]] | [^\s;"()\[\]]+""",
    re.VERBOSE | re.DOTALL,
)


def files(place: Place) -> Iterator[File]:
    """The file that Emacs reads.

    Args:
        place: whom it is set up for.
    """
    program = place.command(f"{place.root}/")
    command = f"{_shell(program)} watch --reporter plain --absolute-paths"
    lisp = _LISP.replace("@COMMAND@", _quoted(command)).replace("@REGEXP@", _REGEXP)
    yield File(place.root / ".dir-locals.el", partial(merged, lisp=lisp))


def merged(text: str, *, lisp: str) -> str:
    """The text of a `.dir-locals.el` with our entries in it.

    They come first in its list, because of two values the later one counts: what a project has
    chosen itself stays in force.

    Args:
        text: of the file; may be empty.
        lisp: our entries.

    Returns:
        The text; unchanged where they are there.

    Raises:
        Fault: the text is not one list.
    """
    ours = f"{_BEGIN}{lisp[1:]}{_END}"
    start = text.find(_BEGIN)
    stop = text.find(_END, start)
    if start >= 0 and stop >= 0:
        return text[:start] + ours + text[stop + len(_END) :]
    opening = _opening(text)
    if opening is None:
        head = text if not text or text.endswith("\n") else f"{text}\n"
        return f"{head}(\n{ours})\n"
    return f"{text[: opening + 1]}\n{ours}{text[opening + 1 :]}"


def _opening(text: str) -> int | None:
    """Where the list begins; None in a text of comments."""
    found, depth, at = None, 0, 0
    while at < len(text):
        token = _TOKEN.match(text, at)
        if token is None:
            raise Fault.at("a string has no end", text, at)
        word = token[0]
        blank = word[0].isspace() or word[0] == ";"
        if depth == 0 and not blank and (word != "(" or found is not None):
            raise Fault.at("one list was expected", text, at)
        if word in ("(", "["):
            found = at if found is None else found
            depth += 1
        elif word in (")", "]"):
            depth -= 1
        at = token.end()
    if depth:
        raise Fault.at("a list has no end", text, at)
    return found


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _shell(word: str) -> str:
    import shlex

    return shlex.quote(word)
