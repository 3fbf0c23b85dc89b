"""What `init --editor neovim` writes does in Neovim, and its `errorformat` in Vim, too."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from devloop.editors.neovim import ERRORFORMAT
from devloop.editors.place import Place
from devloop.editors.setup import changes, write

if TYPE_CHECKING:
    from tests.e2e.editors.conftest import Recording

QUICKFIX = """\
local function list(kept)
  local items = {}
  for _, item in ipairs(vim.fn.getqflist()) do
    items[#items + 1] = {
      name = item.bufnr > 0 and vim.fn.fnamemodify(vim.fn.bufname(item.bufnr), ":p") or "",
      lnum = item.lnum, col = item.col, type = item.type, text = item.text, valid = item.valid,
    }
  end
  vim.fn.writefile({ vim.json.encode({ items = items }) }, kept)
end
"""

TYPES = {"error": "e", "warning": "w"}


def run(command: list[str], folder: Path, home: Path, *, quiet: bool = True) -> None:
    """Run an editor to its end; where it is quiet, nothing has gone wrong."""
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "HOME": str(home), "XDG_CONFIG_HOME": str(home), "TERM": "dumb"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == "" or not quiet, done.stderr


def places(items: list[dict[str, Any]], root: Path) -> set[tuple[str, int, str]]:
    """File, line and type of a quickfix list; all of its entries are places."""
    assert all(item["valid"] for item in items), items
    return {(os.path.relpath(i["name"], root), i["lnum"], i["type"].lower()) for i in items}


def wanted(recording: Recording, cycle: int) -> set[tuple[str, int, str]]:
    """What stands, in the words of a quickfix list."""
    return {(path, line, TYPES[severity]) for path, line, severity in recording.expected[cycle]}


@pytest.fixture
def lua(tmp_path: Path, recording: Recording) -> Callable[[str], Path]:
    """Set Neovim up in a folder of its own, for a program; the file that it reads."""

    def make(program: str) -> Path:
        (change,) = changes(["neovim"], Place(tmp_path, program))
        write(change)
        return change.path

    return make


@pytest.mark.parametrize("cycle", [0, 2, 4, 7])
def test_vims_errorformat_finds_what_stands(
    recording: Recording, tmp_path: Path, program: Callable[[str], str], cycle: int
) -> None:
    """Vim reads the last cycle's lines: problems are entries, all other lines are left out."""
    lines = recording.until(cycle)
    last = lines[len(lines) - lines[::-1].index("devloop: cycle started") :]
    (tmp_path / "printed").write_text("".join(f"{line}\n" for line in last))
    kept = tmp_path / "kept"
    (tmp_path / "test.vim").write_text(
        f"let &errorformat = {json.dumps(ERRORFORMAT)}\n"
        "cgetfile printed\n"
        "let found = map(getqflist(), {_, i -> {'name': fnamemodify(bufname(i.bufnr), ':p'),"
        " 'lnum': i.lnum, 'type': i.type, 'valid': i.valid}})\n"
        f"call writefile([json_encode(found)], {json.dumps(str(kept))})\n"
        "qall!\n"
    )
    run([program("vim"), "-es", "-N", "-u", "NONE", "-S", "test.vim"], tmp_path, tmp_path)
    assert places(json.loads(kept.read_text()), tmp_path) == wanted(recording, cycle)


@pytest.mark.parametrize("cycle", [0, 2, 4, 7])
def test_watching_keeps_the_quickfix_list(
    recording: Recording,
    tmp_path: Path,
    program: Callable[[str], str],
    lua: Callable[[str], Path],
    cycle: int,
) -> None:
    """After each cycle `:Devloop` has put what stands into one list; another one stays below."""
    lines = recording.absolute(cycle)
    file = lua(recording.printer(tmp_path / "devloop", lines))
    kept, ends = tmp_path / "kept", lines.count("devloop: cycle finished")
    (tmp_path / "test.lua").write_text(
        f"{QUICKFIX}\n"
        "vim.fn.setqflist({}, ' ', { title = 'mine', lines = { 'x' } })\n"
        "local ends = 0\n"
        "vim.api.nvim_create_autocmd('QuickFixCmdPost', { callback = function()"
        " ends = ends + 1 end })\n"
        "vim.cmd('Devloop')\n"
        f"assert(vim.wait(40000, function() return ends == {ends} end, 10), 'no end')\n"
        f"list({json.dumps(str(kept))})\n"
        "assert(vim.fn.getqflist({ nr = '$' }).nr == 2, 'more than one list of ours')\n"
        "vim.cmd('Devloop!')\n"
    )
    run(
        [program("nvim"), "--headless", "-u", "NONE", "-S", str(file), "-S", "test.lua", "+qall!"],
        tmp_path,
        tmp_path,
    )
    assert places(json.loads(kept.read_text())["items"], recording.root) == wanted(recording, cycle)


def test_what_a_watch_elsewhere_has_found_is_read(
    recording: Recording, tmp_path: Path, program: Callable[[str], str], lua: Callable[[str], Path]
) -> None:
    """`:DevloopLocations` takes places from the file that each watch keeps, from any folder."""
    file = lua("devloop")
    (tmp_path / ".devloop").mkdir()
    (tmp_path / ".devloop/locations").write_text(
        "error a b.css:2:3 shouting: loud\ntest tests/test_a.py:6:1 no [tests/test_a.py::t]\n"
        "warning /elsewhere/c.py:1:1 hm\n"
    )
    kept = tmp_path / "kept"
    (tmp_path / "test.lua").write_text(
        f"{QUICKFIX}\nvim.cmd('DevloopLocations')\nlist({json.dumps(str(kept))})\n"
    )
    (tmp_path / "below").mkdir()
    run(
        [
            program("nvim"),
            "--headless",
            "-u",
            "NONE",
            "-S",
            str(file),
            "-S",
            "../test.lua",
            "+qall!",
        ],
        tmp_path / "below",
        tmp_path,
    )
    items = json.loads(kept.read_text())["items"]
    assert [(i["name"], i["lnum"], i["col"], i["type"], i["text"]) for i in items] == [
        (f"{tmp_path}/a b.css", 2, 3, "e", "shouting: loud"),
        (f"{tmp_path}/tests/test_a.py", 6, 1, "t", "no [tests/test_a.py::t]"),
        ("/elsewhere/c.py", 1, 1, "w", "hm"),
    ]


def test_make_runs_the_tests_that_are_due(
    recording: Recording, tmp_path: Path, program: Callable[[str], str], lua: Callable[[str], Path]
) -> None:
    """`:make` runs `devloop test` in the project, and takes its problems."""
    script = tmp_path / "dev loop"
    (tmp_path / "printed").write_text("".join(f"{one}\n" for one in recording.absolute(0)))
    script.write_text(
        f'#!/bin/sh\necho "$@" > "{tmp_path}/said"\ncat "{tmp_path}/printed"\nexit 1\n'
    )
    script.chmod(0o755)
    file, kept = lua(str(script)), tmp_path / "kept"
    (tmp_path / "test.lua").write_text(
        f"{QUICKFIX}\nvim.cmd('silent make!')\nlist({json.dumps(str(kept))})\n"
    )
    run(
        [program("nvim"), "--headless", "-u", "NONE", "-S", str(file), "-S", "test.lua", "+qall!"],
        tmp_path,
        tmp_path,
    )
    assert places(json.loads(kept.read_text())["items"], recording.root) == wanted(recording, 0)
    said = (tmp_path / "said").read_text()
    assert said == f"-C {tmp_path} test --reporter plain --absolute-paths\n"


def test_a_file_that_exrc_reads_knows_its_folder(
    tmp_path: Path, program: Callable[[str], str], lua: Callable[[str], Path]
) -> None:
    """What Neovim runs there has no name; the folder is found from the working directory."""
    text = lua("devloop").read_text()
    (tmp_path / "below").mkdir()
    (tmp_path / "test.lua").write_text(
        f"assert(loadstring({json.dumps(text)}, '<nvim>'))()\n"
        "vim.fn.writefile({ vim.o.makeprg }, '../kept')\n"
    )
    command = [program("nvim"), "--headless", "-u", "NONE", "-S", "../test.lua", "+qall!"]
    run(command, tmp_path / "below", tmp_path)
    assert f"-C '{tmp_path}' test" in (tmp_path / "kept").read_text()


def test_a_program_that_fails_is_told(
    tmp_path: Path, program: Callable[[str], str], lua: Callable[[str], Path]
) -> None:
    """What devloop has printed to standard error is shown."""
    script = tmp_path / "devloop"
    script.write_text("#!/bin/sh\necho 'another watch runs here' >&2\nexit 4\n")
    script.chmod(0o755)
    file = lua(str(script))
    (tmp_path / "test.lua").write_text(
        "vim.cmd('Devloop')\n"
        "local function said() return vim.fn.execute('messages') end\n"
        "vim.wait(40000, function() return said():find('another watch') end, 10)\n"
        "vim.fn.writefile(vim.split(said(), '\\n'), 'kept')\n"
    )
    run(
        [program("nvim"), "--headless", "-u", "NONE", "-S", str(file), "-S", "test.lua", "+qall!"],
        tmp_path,
        tmp_path,
        quiet=False,
    )
    assert "devloop has ended: another watch runs here" in (tmp_path / "kept").read_text()
