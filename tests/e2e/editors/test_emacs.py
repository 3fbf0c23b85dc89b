"""What `init --editor emacs` writes does in Emacs: `M-x compile` finds what stands, and no more."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from devloop.editors.place import Place
from devloop.editors.setup import changes, write

if TYPE_CHECKING:
    from tests.e2e.editors.conftest import Recording

LISP = """\
(setq enable-local-variables :all enable-local-eval t compilation-read-command nil
      vc-handled-backends nil)
(find-file "tests/test_here.py")
(call-interactively 'compile)
(with-current-buffer "*compilation*"
  (let ((process (get-buffer-process (current-buffer))) (limit (+ (float-time) 40)))
    (while (and (< (float-time) limit) (process-live-p process))
      (accept-process-output process 0.1))
    (accept-process-output process 0.1))
  (let ((found nil))
    (goto-char (point-min))
    (compilation--ensure-parse (point-max))
    (while (< (point) (point-max))
      (let ((message (get-text-property (point) 'compilation-message)))
        (when message
          (let* ((loc (compilation--message->loc message))
                 (file (caar (compilation--loc->file-struct loc))))
            (push (list (expand-file-name file)
                        (compilation--loc->line loc)
                        (compilation--message->type message))
                  found))))
      (forward-line 1))
    (with-temp-file "kept"
      (insert (json-encode (mapcar #'vconcat found))))))
"""


def emacs(program: str, folder: Path) -> str:
    """Compile in a folder, to the end; what was printed."""
    (folder / "test.el").write_text(LISP)
    (folder / "tests").mkdir()
    (folder / "tests/test_here.py").touch()
    done = subprocess.run(
        [program, "--batch", "-Q", "-l", "test.el"],
        cwd=folder,
        env={**os.environ, "HOME": str(folder)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize("cycle", [0, 2, 4, 7])
def test_compiling_finds_what_stands(
    recording: Recording, tmp_path: Path, program: Callable[[str], str], cycle: int
) -> None:
    """Of all cycles the last one counts; tracebacks and what programs print are no problems."""
    script = tmp_path / "devloop"
    (tmp_path / "printed").write_text("".join(f"{one}\n" for one in recording.absolute(cycle)))
    # In pieces, as a process prints; each is a call of the filter.
    script.write_text(
        '#!/bin/sh\nwhile IFS= read -r line; do printf "%s\\n" "$line"; '
        'case $line in *finished) sleep 0.1;; esac; done < "$(dirname "$0")/printed"\n'
    )
    script.chmod(0o755)
    for change in changes(["emacs"], Place(tmp_path, str(script))):
        write(change)
    said = emacs(program("emacs"), tmp_path)
    kept = tmp_path / "tests/kept"
    assert kept.exists(), said
    found = {
        (os.path.relpath(path, recording.root), line, {2: "error", 1: "warning"}[kind])
        for path, line, kind in json.loads(kept.read_text()) or []
    }
    assert found == recording.expected[cycle]
