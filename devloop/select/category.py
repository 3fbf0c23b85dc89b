"""What a file is to selection, told from its path alone.

Without records nobody knows who reads a file that is not Python. So a *data* file reaches
every test; *documents* and what tools write as they run do not (DESIGN §6, *Selection*).
"""

from __future__ import annotations

import enum
from collections.abc import Collection

SOURCES = (".py", ".pyw")
EXTENSIONS = (".so", ".pyd", ".dylib")

_DOCUMENTS = (".md", ".rst", ".adoc", ".markdown", ".pdf")
_PLAIN = ("", ".txt")
_DOCUMENT_STEMS = (
    "license",
    "licence",
    "copying",
    "notice",
    "authors",
    "contributors",
    "changelog",
    "changes",
    "history",
    "news",
    "readme",
    "codeowners",
)
_DOCUMENT_PLACES = ("", "doc", "docs", "documentation")
_DOCUMENT_FOLDERS = (".github", ".gitlab", ".vscode", ".idea", ".zed", ".fleet", ".circleci")
_DOCUMENT_NAMES = (
    ".editorconfig",
    ".gitattributes",
    ".gitignore",
    ".gitmodules",
    ".git-blame-ignore-revs",
    ".ignore",
    ".mailmap",
    ".pre-commit-config.yaml",
    ".readthedocs.yaml",
    ".readthedocs.yml",
    "devloop.toml",
    "py.typed",
)
# Written by running programs. One that git tracks is data all the same.
_BYPRODUCTS = (
    ".log",
    ".pid",
    ".sock",
    ".lock",
    ".tmp",
    ".bak",
    ".orig",
    ".rej",
    ".pyc",
    ".prof",
    ".db",
    ".sqlite",
    ".sqlite3",
    "-journal",
    "-wal",
    "-shm",
)
_BYPRODUCT_NAMES = (".coverage", "coverage.xml", "coverage.json", "junit.xml", "nohup.out")


class Category(enum.Enum):
    """What a file is to selection."""

    SOURCE = "source"
    EXTENSION = "extension"
    CONFIGURATION = "configuration"
    DATA = "data"
    DOCUMENT = "document"
    BYPRODUCT = "byproduct"
    FACT = "fact"


def fact(name: str) -> str:
    """The key under which something that is not a file stands among the contents.

    Args:
        name: what it is, as ``installed distributions``.

    Returns:
        A key that no path can be.
    """
    return f"<{name}>"


TEXT, VARIABLE, DISTRIBUTION, LISTING = "text of ", "variable ", "distribution ", "listing of "
"""What the facts are named that matter to those alone who were seen to look at them; a
distribution also to those of whom nothing was seen."""


OBSERVED = (TEXT, VARIABLE, LISTING)
ENVIRONMENT = fact(f"{VARIABLE}*")
"""All variables as one: for those who copied the environment, or went through it."""


def called(path: str) -> str:
    """What a file or a fact is called before a person.

    Args:
        path: relative to the root, or a key made by `fact`.
    """
    return "the environment" if path == ENVIRONMENT else path.strip("<>")


def about(key: str, kind: str) -> str | None:
    """What a fact of some kind is about.

    Args:
        key: made by `fact`, or a path.
        kind: `TEXT`, `VARIABLE`, `DISTRIBUTION` or `LISTING`.

    Returns:
        What follows the kind; None for another fact, and for a path.
    """
    start = f"<{kind}"
    return key[len(start) : -1] if key.startswith(start) else None


def category(
    path: str, *, configuration: Collection[str] = (), tracked: Collection[str] | None = None
) -> Category:
    """Tell what a file is to selection.

    Args:
        path: relative to the root, or a key made by `fact`.
        configuration: the files that configure pytest.
        tracked: the files that git tracks; None outside git.

    Returns:
        Its category.
    """
    if path.startswith("<"):
        return Category.FACT
    if path.endswith(SOURCES):
        return Category.SOURCE
    if path.endswith(EXTENSIONS):
        return Category.EXTENSION
    if path in configuration:
        return Category.CONFIGURATION
    name = path.rpartition("/")[2].lower()
    top = path.partition("/")[0] if "/" in path else ""
    if (
        name in _DOCUMENT_NAMES
        or top in _DOCUMENT_FOLDERS
        or _is_text(name, at_documents=top in _DOCUMENT_PLACES)
    ):
        return Category.DOCUMENT
    if (
        name.endswith(_BYPRODUCTS) or name in _BYPRODUCT_NAMES or name.startswith(".coverage.")
    ) and (tracked is None or path not in tracked):
        return Category.BYPRODUCT
    return Category.DATA


def _is_text(name: str, *, at_documents: bool) -> bool:
    """Whether a file is written for people to read, and for no program.

    Args:
        name: in lower case.
        at_documents: it lies at the top or below a folder of documents. Elsewhere, a Markdown
            file may as well be a test's case, or what a page is made of.
    """
    stem, dot, suffix = name.partition(".")
    known = stem in _DOCUMENT_STEMS
    if name.endswith(_DOCUMENTS):
        return known or at_documents
    return known and dot + suffix in _PLAIN
