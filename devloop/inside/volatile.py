"""The environment variables that say nothing of what a test may do: they count for nobody."""

from __future__ import annotations

NAMES = frozenset(
    {
        "_", "SHLVL", "PWD", "OLDPWD", "WINDOWID", "TERM_SESSION_ID", "SHELL_SESSION_ID",
        "SSH_CLIENT", "SSH_CONNECTION", "SSH_TTY", "TMUX", "TMUX_PANE", "STY", "GPG_TTY",
        "XDG_SESSION_ID",
        "DBUS_SESSION_BUS_ADDRESS", "INVOCATION_ID", "JOURNAL_STREAM", "PYTEST_CURRENT_TEST",
        "PYTEST_VERSION", "TMPDIR", "TEMP", "TMP", "CPR_TIMEOUT",
    }
)  # fmt: skip
"""What differs from one terminal to the next, or from one test to the next."""

PREFIXES = ("DEVLOOP_", "PYTEST_XDIST_", "COV_CORE_", "VSCODE_", "ITERM_", "KITTY_")
"""How the names of such variables begin."""


def is_volatile(name: str) -> bool:
    """Whether a variable says nothing of what a test may do.

    Args:
        name: of the variable.
    """
    return name in NAMES or name.startswith(PREFIXES)
