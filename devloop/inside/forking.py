"""Fork, whatever the warnings filters say."""

from __future__ import annotations

import os
import sys


def fork() -> int:
    """Fork, without the warning that there are other threads.

    It comes after the fork, in the parent, which would not know its child where warnings are
    raised as errors (``warn_about_fork_with_threads`` in posixmodule.c, since Python 3.12).

    Returns:
        As `os.fork` does.

    Raises:
        OSError: it cannot be done.
    """
    if "warnings" not in sys.modules or _alone():
        return os.fork()
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return os.fork()


def _alone() -> bool:
    try:
        return len(os.listdir("/proc/self/task")) == 1
    except OSError:
        return False  # nobody knows
