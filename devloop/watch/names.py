"""Names that are never watched, whatever a project's ignore rules say."""

from __future__ import annotations

import re

FOLDERS = frozenset(
    {
        ".devloop",
        # version control
        ".git",
        ".hg",
        ".svn",
        ".jj",
        # environments and other people's code
        ".venv",
        "node_modules",
        "__pypackages__",
        ".tox",
        ".nox",
        ".eggs",
        ".pixi",
        # what tools keep for themselves
        "__pycache__",
        ".pytest_cache",
        ".mypy_cache",
        ".ruff_cache",
        ".hypothesis",
        ".pytype",
        ".pyre",
        ".import_linter_cache",
        ".ipynb_checkpoints",
        ".cache",
        ".parcel-cache",
        ".turbo",
        ".sass-cache",
        # editors
        ".idea",
        ".vscode",
        ".vs",
        ".fleet",
        ".zed",
        ".history",
        ".Trash",
        ".Spotlight-V100",
        ".fseventsd",
    }
)

MARKS = frozenset({"pyvenv.cfg", "CACHEDIR.TAG"})
"""A folder that holds one of these is a virtual environment or a cache (bford.info/cachedir)."""

_TEMPORARY = re.compile(
    r"""
      .*~                             # vim, emacs and many others: a backup
    | \#.*\#                          # emacs: auto-save
    | \.\#.*                          # emacs: lock, a dangling link
    | 4913 | 49\d\d                   # vim: may a file be made in this folder?
    | \..*\.sw[a-px-z]                # vim: swap
    | \.netrwhist
    | .*___jb_(?:tmp|old|bak)___      # JetBrains: safe write
    | \.goutputstream-.*              # GLib: atomic write
    | sed[A-Za-z0-9]{6}               # sed -i
    | .*\.kate-swp | \.directory
    | .*\.sublime-workspace
    | \.coverage | \.coverage\..*     # coverage's data
    | \.DS_Store | Icon\r | Thumbs\.db | desktop\.ini | \.nfs[0-9a-f]{16,}
    | .*\.py[co]                      # bytecode
    | .*\.(?:tmp|temp)\.[0-9a-f.]+    # node's write-file-atomic, and its like
    | \.~lock\..*\#                   # LibreOffice
    | \.bacon-locations              # what bacon's editor plugins read; it may lead to ours
    """,
    re.VERBOSE | re.DOTALL,
)


def is_ignored_folder(name: str) -> bool:
    """Whether a folder of this name is never watched.

    Args:
        name: the last part of its path.
    """
    return name in FOLDERS


def is_temporary(name: str) -> bool:
    """Whether a file of this name is an editor's or a tool's own business.

    Args:
        name: the last part of its path.
    """
    return name in FOLDERS or _TEMPORARY.fullmatch(name) is not None


def is_ignore_file(name: str) -> bool:
    """Whether a file of this name holds ignore rules.

    Args:
        name: the last part of its path.
    """
    return name in (".gitignore", ".ignore")
