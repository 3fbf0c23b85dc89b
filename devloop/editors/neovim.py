"""Neovim: `:make`, and a `watch` in the background that keeps the quickfix list current.

`.nvim.lua` in the project's folder is read by ``:set exrc`` (0.9 and later), after having asked
(``:help exrc``). `errorformat` is that of ``:help errorformat``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial

from devloop.editors import block
from devloop.editors.place import File, Place

ERRORFORMAT = "%f:%l:%c: %trror: %m,%f:%l:%c: %tarning: %m,%-G%.%#"
"""The problem lines of the plain reporter; every other line is left out."""

_LUA = r"""
-- `:make` runs the tests that are due. `:Devloop` watches: the quickfix list holds what stands
-- after each save, and is empty when all is well; `:Devloop!` ends it. `:DevloopLocations` reads
-- what a `devloop watch` in a terminal has found.
do
  -- What exrc runs has no name of its own; it was found from the working directory.
  local source = debug.getinfo(1, "S").source
  local file = source:sub(1, 1) == "@" and source:sub(2) or vim.fn.findfile(".nvim.lua", ".;")
  local root = vim.fn.fnamemodify(file, ":p:h")
  local program = @PROGRAM@
  local errorformat = @ERRORFORMAT@
  local job, lines, rest, errors = nil, {}, "", ""

  vim.o.makeprg = table.concat({ vim.fn.shellescape(program), "-C", vim.fn.shellescape(root),
    "test", "--reporter", "plain", "--absolute-paths" }, " ")
  vim.o.errorformat = errorformat

  local function show(found, format)
    local was = vim.fn.getqflist({ title = 0 }).title
    -- The list of ours is replaced, that of anybody else is kept below it.
    vim.fn.setqflist({}, was == "devloop" and "r" or " ",
      { title = "devloop", lines = found, efm = format })
    vim.cmd("silent doautocmd QuickFixCmdPost devloop")
  end

  local function take(line)
    if line == "devloop: cycle started" then
      lines = {}
    elseif line == "devloop: cycle finished" then
      show(lines, errorformat)
    else
      lines[#lines + 1] = line
    end
  end

  local function stop()
    if job then vim.fn.jobstop(job) end
    job = nil
  end

  vim.api.nvim_create_user_command("Devloop", function(options)
    stop()
    if options.bang then return end
    rest, errors = "", ""
    job = vim.fn.jobstart({ program, "watch", "--reporter", "plain", "--absolute-paths" }, {
      cwd = root,
      on_stdout = function(_, data)
        -- The first piece continues the last line, and the last one has not ended.
        data[1] = rest .. data[1]
        rest = table.remove(data)
        for _, line in ipairs(data) do take(line) end
      end,
      on_stderr = function(_, data) errors = errors .. table.concat(data, "\n") end,
      on_exit = function(id, code)
        if id ~= job then return end
        job = nil
        if code ~= 0 then vim.api.nvim_err_writeln("devloop has ended: " .. errors) end
      end,
    })
    if job <= 0 then
      job = nil
      vim.api.nvim_err_writeln("devloop cannot be started: " .. program)
    end
  end, { bang = true, desc = "Watch with devloop; with ! end it" })

  vim.api.nvim_create_user_command("DevloopLocations", function()
    local kept = root .. "/.devloop/locations"
    local found = vim.fn.filereadable(kept) == 1 and vim.fn.readfile(kept) or {}
    for index, line in ipairs(found) do
      found[index] = line:gsub("^(%S+) ([^/])", "%1 " .. root:gsub("%%", "%%%%") .. "/%2")
    end
    show(found, "%tarning %f:%l:%c %m,%trror %f:%l:%c %m,%test %f:%l:%c %m")
  end, { desc = "Put what stands into the quickfix list" })

  vim.api.nvim_create_autocmd("VimLeavePre", { callback = stop })
end
"""


def files(place: Place) -> Iterator[File]:
    """The file that Neovim reads.

    Args:
        place: whom it is set up for.
    """
    # JSON's strings are Lua's, for all that a path holds.
    inside = "/" in place.program and not place.program.startswith("/")
    program = json.dumps(place.program, ensure_ascii=False)
    lua = _LUA.lstrip().replace("@PROGRAM@", f'root .. "/" .. {program}' if inside else program)
    lua = lua.replace("@ERRORFORMAT@", json.dumps(ERRORFORMAT))
    yield File(place.root / ".nvim.lua", partial(block.merged, lines=lua, comment="--"))
