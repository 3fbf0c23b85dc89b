"""Run pytest as `python -m pytest` does, and stream what happens to devloop.

Run by the project's interpreter from this file's path. Nothing of devloop stays on
`sys.path`, in the environment or in a descriptor that a test's subprocess could inherit:
our plugin is put into `sys.modules` and named by ``-p``.
"""

from __future__ import annotations

import importlib.util
import os
import runpy
import signal
import sys
from pathlib import Path
from types import ModuleType

PREFIX = "_devloop_"
PLUGIN = PREFIX + "pytest_stream"
FIRST_DESCRIPTOR = 64
"""Tests of socket activation and the like use the lowest descriptors; ours is above them."""


def load(name: str) -> ModuleType:
    """Load one of the files beside this one as a module that only we know.

    Args:
        name: the file's, without its suffix.

    Returns:
        The module, in `sys.modules` under a private name.
    """
    for held in (PREFIX + name, f"_devloop.{name}"):  # by the zygote that we were forked from
        if held in sys.modules:
            return sys.modules.setdefault(PREFIX + name, sys.modules[held])
    path = Path(__file__).with_name(name + ".py")
    spec = importlib.util.spec_from_file_location(PREFIX + name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a module")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


MODULES = (
    "messages", "pytest_places", "pytest_narrow", "pytest_choice", "pytest_workers", "pytest_warm",
    "pytest_foresight", "pytest_codes",
    *load("record_names").MODULES, "pytest_record", "pytest_stream",
)  # fmt: skip


def take_channel(variable: str) -> int:
    """Take over the channel's descriptor, so that no subprocess ever holds it.

    Args:
        variable: the environment variable that names it.

    Returns:
        The descriptor, not inheritable, and closed in a forked child.
    """
    given = int(os.environ.pop(variable))
    try:
        import fcntl
    except ImportError:
        os.set_inheritable(given, False)
        return given
    channel = fcntl.fcntl(given, fcntl.F_DUPFD_CLOEXEC, FIRST_DESCRIPTOR)
    os.close(given)
    os.register_at_fork(after_in_child=lambda: os.close(channel))
    return channel


def main() -> None:
    """Say hello, then become `python -m pytest`."""
    if not getattr(sys.flags, "safe_path", False):
        sys.path[0] = os.getcwd()  # noqa: PTH109 - a str, as `python -m` puts it
    # A shell starts what it puts into the background with SIGINT ignored, and Python then
    # leaves it so: nothing could interrupt a test.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    modules = {name: load(name) for name in MODULES}
    messages, stream = modules["messages"], modules["pytest_stream"]
    orders, ahead = (sys.modules.get(f"_devloop.{name}") for name in ("orders", "ahead"))

    def connect() -> None:
        channel = take_channel(messages.CHANNEL)
        if orders is not None:
            orders.leave()  # a test run hears orders through its channel
        messages.write(channel, {"m": "hello", "v": messages.VERSION, "pid": os.getpid()})
        stream.begin(channel)

    if ahead is not None and ahead.unwanted():
        ahead.then(modules["pytest_warm"].note_reads())
        ahead.then(connect)
    else:
        if count := int(os.environ.pop(messages.WORKERS, "0")):
            nursery = load("pytest_nursery")
            if (order := nursery.settle(count)) is not None:
                nursery.work(order)
                return
        connect()
    stream.prepare(tuple(PREFIX + name for name in MODULES))
    sys.argv[1:1] = ["-p", PLUGIN]
    try:
        runpy.run_module("pytest", run_name="__main__", alter_sys=True)
    except BaseException as end:
        if ahead is not None:
            ahead.meet()
        if orders is not None and isinstance(end, SystemExit) and isinstance(end.code, int):
            load("quick_exit").leave(end.code)
        raise


if __name__ == "__main__":
    main()
