"""What a source sets up for all before it imports a library that is held, as far as it says so."""

from __future__ import annotations

import textwrap

import pytest

from devloop.checkup.beforehand import set_up

HELD = ("warnings", "json", "pandas", "pandas.core", "yaml", "lxml", "lxml.etree")


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("warnings.filterwarnings('error')", "calls warnings.filterwarnings"),
        ("import warnings as w; w.simplefilter('ignore')", "calls warnings.simplefilter"),
        ("from warnings import simplefilter; simplefilter('x')", "calls warnings.simplefilter"),
        ("logging.basicConfig(level=10)", "calls logging.basicConfig"),
        ("from logging.config import dictConfig as d; d({})", "calls logging.config.dictConfig"),
        ("random.seed(1)", "calls random.seed"),
        ("decimal.getcontext().prec = 4", "sets decimal.getcontext().prec"),
        ("os.chdir('..')", "calls os.chdir"),
        ("socket.setdefaulttimeout(3)", "calls socket.setdefaulttimeout"),
        ("sys.setrecursionlimit(9999)", "calls sys.setrecursionlimit"),
        ("locale.setlocale(locale.LC_ALL, '')", "calls locale.setlocale"),
        ("gc.disable()", "calls gc.disable"),
        ("sys.argv = ['x']", "sets sys.argv"),
        ("sys.argv[1:] = []", "sets sys.argv"),
        ("sys.argv.remove('--x')", "calls sys.argv.remove"),
        ("socket.socket = None", "sets socket.socket"),
        ("if True:\n    random.seed(1)", "calls random.seed"),
        (
            "try:\n    pass\nexcept ValueError:\n    pass\nelse:\n    gc.disable()",
            "calls gc.disable",
        ),
        ("with open('x') as x:\n    logging.disable()", "calls logging.disable"),
        ("_ = locale.setlocale(locale.LC_ALL, '')", "calls locale.setlocale"),
        ("match 1:\n    case _: gc.disable()", "calls gc.disable"),
        ("logging.getLogger().setLevel(10)", "calls logging.getLogger().setLevel"),
        ("def start():\n    gc.disable(); start()\nstart()", "calls gc.disable"),
    ],
)
def test_it_is_said_with_line_and_library(line: str, what: str) -> None:
    """The first library that is imported after it, of those that are held."""
    start = "import decimal, gc, locale, logging, os, random, socket, sys, warnings\n"
    text = (
        f"{start}{line}\nimport json, excluded\nfrom lxml import etree\nimport pandas.core as pd\n"
    )
    ((number, found, library),) = set_up(text, HELD)
    assert number in range(2, 8)
    assert (found, library) == (what, "lxml")


@pytest.mark.parametrize(
    "text",
    [
        "import pandas, warnings\nwarnings.simplefilter('error')\n",
        "import random\nrandom.seed(1)\nimport json, other\nfrom . import pandas\n",
        "import random\nrandom.random()\nimport pandas\n",
        "import os\nos.environ['X'] = '1'\nimport pandas\n",
        """
        import random
        def later():
            random.seed(1)
        class Context:
            random.other = 1
        import pandas
        """,
        """
        import warnings
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
        import pandas
        """,
        """
        import random
        from typing import TYPE_CHECKING
        random.seed(1)
        if TYPE_CHECKING:
            import pandas
        """,
        "from shop import random\nrandom.seed(1)\nimport pandas\n",
        "random = 1\nimport pandas\n",
        "def broken(:\n",
        "import random, pandas\nrandom.seed(1)\nimport pandas\n",
    ],
)
def test_of_anything_else_nothing_is_said(text: str) -> None:
    """What comes after the import, what a function does, variables (which are known otherwise)."""
    assert set_up(textwrap.dedent(text), HELD) == []
