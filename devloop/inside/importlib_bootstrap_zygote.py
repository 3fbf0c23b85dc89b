"""A process that waits for one order, and then becomes the command that it names.

Run by the project's interpreter, with the command's own options, from this file's path; its one
argument is the descriptor of its control socket. Until it becomes a command it can import
modules, and fork others like it, which find them imported (`blank.py`). The command runs in the
last frame of this file, with nothing else of ours below it; then the interpreter ends as ever.

`warnings` and `logging` pass over frames of files in whose name ``importlib`` and ``_bootstrap``
are (``is_internal_filename`` in _warnings.c): so what a script says of its caller is, as in a
cold start, said of nobody. Hence the name of this file.
"""

# Without ``from __future__``: that module would look as if it had been there before.
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from devloop.inside.entry import Entry

PACKAGE = "_devloop"
"""The name under which the files beside this one are modules that only they know."""


def main() -> "Entry":
    """Wait for orders, in this process and in those that it forks.

    Returns:
        The command that this process has become in the end.
    """
    before = frozenset(sys.modules)
    package: Any = type(sys)(PACKAGE)
    package.__path__ = [__file__.rpartition("/")[0]]
    sys.modules[PACKAGE] = package
    sys.modules[PACKAGE + ".importlib_bootstrap_zygote"] = sys.modules["__main__"]
    waiting: Any = __import__(PACKAGE + ".blank", fromlist=["*"])
    blank = waiting.Blank.born(int(sys.argv[1]), __file__)
    # The first line of each of our files has left a name that a command does not expect.
    for name in set(sys.modules) - before:
        if not name.startswith(PACKAGE):
            del sys.modules[name]
    command: Entry = blank.serve()
    return command


if __name__ == "__main__":
    _command = main()
    try:
        _command.function(*_command.arguments)
    except SystemExit:
        _command.exits()
        raise
    except BaseException as _error:
        _command.failed(_error)
        raise
    else:
        _command.ended()
