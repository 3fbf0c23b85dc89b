"""Found by the Python programs that recorded tests start, through their environment.

It takes itself out of the environment and of `sys.path`, imports the ``sitecustomize`` that there
would be without it, and begins to record. It must compile on whatever Python it meets.
"""

# It knows nothing of types, `pathlib` or `contextlib`, for the same reason.
# mypy: ignore-errors
# ruff: noqa: PTH100, PTH118, PTH120, SIM105, F401

import os
import sys


def _begin():
    here = os.path.dirname(os.path.abspath(__file__))
    told = os.environ.pop("DEVLOOP_RECORD", None)
    _take_out(here)
    mine = sys.modules.pop(__name__)
    try:
        import sitecustomize
    except ImportError as error:
        if getattr(error, "name", None) != "sitecustomize":
            raise
        sys.modules[__name__] = mine
    if told is not None and sys.version_info >= (3, 10):
        try:
            _record(os.path.dirname(here), told)
        except Exception:
            pass  # it is not heard of, and so the test is known to be opaque


def _take_out(here):
    sys.path[:] = [folder for folder in sys.path if folder != here]
    sys.path_importer_cache.pop(here, None)
    rest = [f for f in os.environ.get("PYTHONPATH", "").split(os.pathsep) if f != here]
    if any(rest):
        os.environ["PYTHONPATH"] = os.pathsep.join(rest)
    else:
        os.environ.pop("PYTHONPATH", None)


def _record(inside, told):
    import importlib.util

    def load(name):
        known = "_devloop_" + name
        spec = importlib.util.spec_from_file_location(known, os.path.join(inside, name + ".py"))
        module = importlib.util.module_from_spec(spec)
        sys.modules[known] = module
        spec.loader.exec_module(module)
        return module

    names = load("record_names").MODULES
    for name in names:
        load(name)
    file, _, ident = told.rpartition(":")
    sys.modules["_devloop_record"].begin_in_program(file, ident)


_begin()
