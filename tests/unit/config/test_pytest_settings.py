"""What pytest is configured to do, read as pytest reads it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from devloop.config.pytest_settings import PytestSettings, config_files, option, read
from devloop.errors import ConfigError

INI = "addopts = -p one"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project two folders below where the search would end."""
    folder = tmp_path / "repository" / "project"
    folder.mkdir(parents=True)
    return folder


def write(root: Path, name: str, text: str) -> None:
    """Write a file of the project."""
    (root / name).write_text(text, encoding="utf-8")


def test_without_configuration_there_are_pytests_defaults(root: Path) -> None:
    """No file at all, and files that say nothing of pytest, are the same."""
    assert read(root) == PytestSettings()
    write(root, "tox.ini", "[tox]\nenvlist = py\n")
    write(root, "pyproject.toml", "[project]\nname = 'x'\n")
    write(root, "setup.cfg", "[metadata]\nname = x\n")
    assert read(root) == PytestSettings()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("pytest.toml", "[pytest]\naddopts = ['-p', 'one']\n"),
        (".pytest.toml", "[pytest]\naddopts = ['-p', 'one']\n"),
        ("pytest.ini", f"[pytest]\n{INI}\n"),
        (".pytest.ini", f"[pytest]\n{INI}\n"),
        ("pyproject.toml", "[tool.pytest.ini_options]\naddopts = '-p one'\n"),
        ("pyproject.toml", "[tool.pytest]\naddopts = ['-p', 'one']\n"),
        ("tox.ini", f"[pytest]\n{INI}\n"),
        ("setup.cfg", f"[tool:pytest]\n{INI}\n"),
    ],
)
def test_every_kind_of_file_is_read(root: Path, name: str, text: str) -> None:
    """All that pytest 7 to 9 read, the last one's own TOML included."""
    write(root, name, text)
    settings = read(root)
    assert settings.addopts == ("-p", "one")
    assert settings.plugins == ("one",)
    assert settings.file == name


def test_the_first_file_that_has_settings_is_the_only_one(root: Path) -> None:
    """An empty pytest.ini counts before a full pyproject.toml; nothing is merged."""
    write(root, "setup.cfg", "[tool:pytest]\naddopts = -v\n")
    assert read(root).file == "setup.cfg"
    write(root, "pyproject.toml", "[tool.pytest.ini_options]\naddopts = '-q'\n")
    assert read(root).addopts == ("-q",)
    write(root, "pytest.ini", "")
    assert read(root) == PytestSettings(file="pytest.ini")


def test_a_folder_above_is_looked_at_when_the_root_has_nothing(root: Path) -> None:
    """A project in a larger repository shares its settings; paths are told from the project."""
    write(root.parent, "pytest.ini", "[pytest]\ntestpaths = project/tests other\npythonpath = .\n")
    settings = read(root)
    assert settings.file == str(root.parent / "pytest.ini")
    assert settings.testpaths == ("tests", str(root.parent / "other"))
    assert settings.pythonpath == (str(root.parent),)
    assert config_files(root)[-1] == str(root.parent / "pytest.ini")


def test_all_settings_that_matter_are_read(root: Path) -> None:
    """Quotes, several lines and globs are as pytest takes them."""
    write(
        root,
        "pytest.ini",
        """[pytest]
python_files = test_*.py check_*.py "with space_*.py"
testpaths =
    tests
    parts/*/tests
pythonpath = src .
addopts = -q -pone -p two -p no:three --ds=site.settings
DJANGO_SETTINGS_MODULE = other.settings
""",
    )
    for part in ("b", "a"):
        (root / "parts" / part / "tests").mkdir(parents=True)
    settings = read(root, environ={"PYTEST_PLUGINS": "four,five", "PYTEST_ADDOPTS": "-x"})
    assert settings.python_files == ("test_*.py", "check_*.py", "with space_*.py")
    assert settings.testpaths == ("tests", "parts/a/tests", "parts/b/tests")
    assert settings.pythonpath == ("src", ".")
    assert settings.addopts[-1] == "-x"
    assert settings.plugins == ("one", "two", "four", "five")
    assert settings.django_settings == "site.settings"


def test_where_doctests_are_looked_for(root: Path) -> None:
    """Options of the file, of the environment and of the command line, as pytest takes them."""
    assert read(root).doctest_globs == ("test*.txt",)
    assert not read(root).doctest_modules
    write(root, "pytest.ini", "[pytest]\naddopts = --doctest-modules --doctest-glob=*.md\n")
    settings = read(root, ["--doctest-glob", "*.rst"], {"PYTEST_ADDOPTS": "--doctest-glob a/*.x"})
    assert settings.doctest_globs == ("*.md", "a/*.x", "*.rst")
    assert settings.doctest_modules
    settings = read(root, ["-p", "no:doctest"])
    assert settings.doctest_globs == ()
    assert not settings.doctest_modules
    write(root, "pytest.ini", "[pytest]\naddopts = -- --doctest-modules\n")
    assert not read(root).doctest_modules


def test_djangos_settings_come_from_the_environment_before_the_file(root: Path) -> None:
    """The order is that of pytest-django."""
    write(root, "pytest.ini", "[pytest]\nDJANGO_SETTINGS_MODULE = a.b\n")
    assert read(root).django_settings == "a.b"
    assert read(root, environ={"DJANGO_SETTINGS_MODULE": "c.d"}).django_settings == "c.d"


def test_a_file_named_on_the_command_line_counts_alone(root: Path) -> None:
    """`-c` in the user's arguments."""
    write(root, "pytest.ini", "[pytest]\naddopts = -v\n")
    write(root, "ci.ini", "[pytest]\naddopts = -q\n")
    write(root, "ci.toml", "[tool.pytest.ini_options]\naddopts = '-x'\n")
    assert read(root, ["-c", "ci.ini"]).addopts == ("-q",)
    assert read(root, ["-cci.toml"]).addopts == ("-x",)
    assert "ci.ini" in config_files(root, ["-c", "ci.ini"])


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("pytest.ini", "no section\n", "pytest.ini:1"),
        ("tox.ini", "[pytest]\n[pytest]\n", "tox.ini:2"),
        ("pyproject.toml", "[tool.pytest\n", "line 1"),
        ("pytest.ini", "[pytest]\naddopts = 'unclosed\n", "addopts"),
        ("pytest.ini", "[pytest]\naddopts = \udcff\n", "UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(root: Path, name: str, text: str, told: str) -> None:
    """With the line, where there is one; nothing is guessed."""
    (root / name).write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ConfigError) as raised:
        read(root)
    assert told in str(raised.value)
    assert name in str(raised.value)
    assert name in config_files(root)


def test_all_files_that_could_decide_are_told(root: Path) -> None:
    """Also those that are not there: that one comes is a change."""
    assert config_files(root) == (
        "pytest.toml", ".pytest.toml", "pytest.ini", ".pytest.ini", "pyproject.toml", "tox.ini",
        "setup.cfg",
    )  # fmt: skip


def test_an_option_is_found_in_all_its_forms() -> None:
    """Joined or apart, until `--`."""
    words = ["-p", "a", "-pb", "-p=c", "--ds", "d", "--ds=e", "--pdb", "--", "-p", "f"]
    assert option(words, "-p") == ["a", "b", "c"]
    assert option(words, "--ds") == ["d", "e"]
    assert option(["-p"], "-p") == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("pytest.ini", "[pytest]\npython_files = a_*.py\naddopts = -q -x\ntestpaths = t\n"),
        ("tox.ini", "[pytest]\naddopts =\n    -q\n    -p no:cacheprovider\n"),
        ("pyproject.toml", "[tool.pytest.ini_options]\naddopts = ['-q']\npythonpath = 'src'\n"),
    ],
)
def test_pytest_itself_reads_the_same(
    root: Path, name: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own parser is the oracle."""
    write(root, name, text)
    monkeypatch.chdir(root)
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    theirs: Callable[[str], list[str]] = pytest.Config.fromdictargs({}, []).getini
    settings = read(root)
    assert list(settings.addopts) == list(theirs("addopts"))
    assert list(settings.python_files) == theirs("python_files")
    assert list(settings.testpaths) == theirs("testpaths")
    assert [str(root / path) for path in settings.pythonpath] == [*map(str, theirs("pythonpath"))]
