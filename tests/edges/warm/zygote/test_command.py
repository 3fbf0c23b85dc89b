"""What a command line starts is read as the kernel and the interpreter read it."""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from devloop.execute.command import NotPython, Python, parse

Parse = Callable[..., Python | NotPython]


@pytest.fixture
def read(tmp_path: Path) -> Parse:
    """Read a command line in a folder with a script, a package and an interpreter on PATH."""
    (tmp_path / "bin").mkdir()
    for name in ("python", "python3.11"):
        (tmp_path / "bin" / name).symlink_to(sys.executable)
    (tmp_path / "app.py").write_text("")

    def call(*argv: str, **env: str) -> Python | NotPython:
        return parse(argv, {"PATH": f"{tmp_path}/bin:/usr/bin:/bin", **env}, str(tmp_path))

    return call


def script(root: Path, name: str, text: str) -> str:
    """Write a program; gives its path."""
    path = root / "bin" / name
    path.write_text(text)
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(
    ("line", "options", "kind", "target", "args"),
    [
        ("python app.py", (), "script", "app.py", ()),
        ("python3.11 ./app.py a -m b", (), "script", "./app.py", ("a", "-m", "b")),
        ("python -m web", (), "module", "web", ()),
        ("python -mweb -x", (), "module", "web", ("-x",)),
        ("python -um web", ("-u",), "module", "web", ()),
        ("python -uBm web", ("-uB",), "module", "web", ()),
        ("python -X dev -m web", ("-X", "dev"), "module", "web", ()),
        ("python -Xdev -W error app.py", ("-Xdev", "-W", "error"), "script", "app.py", ()),
        ("python -uW error app.py", ("-uW", "error"), "script", "app.py", ()),
        ("python -OO -I app.py -c x", ("-OO", "-I"), "script", "app.py", ("-c", "x")),
        (
            "python --check-hash-based-pycs never app.py",
            ("--check-hash-based-pycs", "never"),
            "script",
            "app.py",
            (),
        ),
    ],
)
def test_command_lines(
    read: Parse, line: str, options: tuple[str, ...], kind: str, target: str, args: tuple[str, ...]
) -> None:
    """Options, the program and its arguments are told apart."""
    found = read(*line.split())
    assert isinstance(found, Python)
    assert (found.options, found.kind, found.target, found.args) == (options, kind, target, args)
    assert found.argv == tuple(line.split())
    assert found.name == line.split()[0]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("python -c pass", "it runs code of its command line"),
        ("python -ic pass", "it asks for a prompt at its end"),
        ("python", "it asks for a prompt"),
        ("python -u", "it asks for a prompt"),
        ("python -", "it reads its program from standard input"),
        ("python -m", "the interpreter's option -m names no module"),
        ("python -V", "it only prints a version"),
        ("python -z app.py", "the interpreter has no option -z"),
        ("python --help", "the interpreter's option --help is not one of those known"),
        ("python -X importtime app.py", "its -X importtime shows how modules are imported"),
        ("python -v app.py", "it asks for a trace of imports"),
        ("python missing.py", "there is no script missing.py"),
        ("python bin", "bin is not a file"),
        ("python app.pyc", "app.pyc is not a source file"),
        ("python app.pyz", "app.pyz is not a source file"),
        ("sh -c true", "it is not a Python program"),
        ("nothing-there", "'nothing-there' is not found"),
        ("./app.py", "'./app.py' is not found"),
    ],
)
def test_what_only_the_interpreter_can_start(
    read: Parse, tmp_path: Path, line: str, reason: str
) -> None:
    """Each has its reason."""
    (tmp_path / "app.pyc").write_bytes(b"")
    with zipfile.ZipFile(tmp_path / "app.pyz", "w") as archive:
        archive.writestr("__main__.py", "")
    assert read(*line.split()) == NotPython(reason)


@pytest.mark.parametrize("variable", ["PYTHONINSPECT", "PYTHONVERBOSE", "PYTHONPROFILEIMPORTTIME"])
def test_what_the_environment_asks_for(read: Parse, variable: str) -> None:
    """Unless the interpreter is told not to look there, which the program's own words do not do."""
    for line in ("app.py", "app.py -E", "-m json -I", "-W -E app.py", "-XE app.py"):
        assert isinstance(read("python", *line.split(), **{variable: "1"}), NotPython), line
    for line in ("-E app.py", "-sE app.py", "-I -m json", "-Em json"):
        assert isinstance(read("python", *line.split(), **{variable: "1"}), Python), line


@pytest.mark.parametrize(
    ("head", "argv", "name", "shell"),
    [
        ("#!{python}", ("{python}", "{tool}"), "tool", False),
        ("#! {python}   -u  ", ("{python}", "-u", "{tool}"), "tool", False),
        ("#!/usr/bin/env python3.11", ("python3.11", "{tool}"), "python3.11", False),
        ("#!/usr/bin/env -S python -X dev", ("python", "-X", "dev", "{tool}"), "python", False),
        (
            "#!/bin/sh\n'''exec' \"{python}\" \"$0\" \"$@\"\n' '''",
            ("{python}", "{tool}"),
            "python",
            True,
        ),
        (
            "#!/bin/sh\n'''exec' '{python}' \"$0\" \"$@\"\n' '''",
            ("{python}", "{tool}"),
            "python",
            True,
        ),
    ],
)
def test_first_lines(
    read: Parse, tmp_path: Path, head: str, argv: tuple[str, ...], name: str, shell: bool
) -> None:
    """A console script's is followed to its interpreter, as installers write it."""
    python = str(tmp_path / "bin/python")
    tool = script(tmp_path, "tool", head.format(python=python) + "\nprint()\n")
    found = read("tool", "a", "-m")
    assert isinstance(found, Python)
    words = tuple(word.format(python=python, tool=tool) for word in argv)
    assert found.argv == (*words, "a", "-m")
    assert (found.name, found.shell) == (name, shell)
    assert (found.kind, found.target, found.args) == ("script", tool, ("a", "-m"))


@pytest.mark.parametrize(
    "head",
    [
        "#!/bin/sh\necho",
        "#!",
        "#!/usr/bin/env -i python",
        "#!/usr/bin/env A=1 python",
        "#!/bin/sh\n'''exec' \"$(dirname $0)/python\" \"$0\" \"$@\"\n' '''",
        "#!/bin/sh\n'''exec' \"{python}\" -u \"$0\"\n' '''",
        "",
    ],
)
def test_first_lines_that_say_something_else(read: Parse, tmp_path: Path, head: str) -> None:
    """Such a program is started as it is."""
    script(tmp_path, "tool", head.format(python=tmp_path / "bin/python") + "\n")
    assert isinstance(read("tool"), NotPython)


def test_an_interpreter_that_is_a_script(read: Parse, tmp_path: Path) -> None:
    """A version manager's shim is no interpreter."""
    script(tmp_path, "python3", "#!/bin/sh\nexec python\n")
    assert read("python3", "app.py") == NotPython("it is not a Python program")


def test_a_relative_entry_of_path(tmp_path: Path) -> None:
    """It counts from the working folder, as the kernel has it."""
    (tmp_path / "bin").mkdir()
    script(tmp_path, "tool", f"#!{sys.executable}\n")
    found = parse(["tool"], {"PATH": "bin"}, str(tmp_path))
    assert isinstance(found, Python)
    assert found.target == "bin/tool"
