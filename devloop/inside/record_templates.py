"""PYTEST_DONT_REWRITE: what libraries keep of the templates that they have loaded.

Who is given a kept one opens no file, asks no loader and runs no tag's parser. So what is done
to load it belongs to all who are given it, as what a fixture does.
"""

from __future__ import annotations

import functools
import sys
import weakref

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from devloop.inside.post_import import when_imported
    from devloop.inside.record_contexts import Context, Recorder
    from devloop.inside.record_holders import identity
else:
    when_imported = sys.modules["_devloop_post_import"].when_imported
    Context = sys.modules["_devloop_record_contexts"].Context
    identity = sys.modules["_devloop_record_holders"].identity


def _in_django(loader: Any, *arguments: Any, **options: Any) -> bool:
    return loader.cache_key(*arguments, **options) in loader.get_template_cache


def _in_jinja(environment: Any, name: Any, *_: Any) -> bool:
    return (weakref.ref(environment.loader), name) in (environment.cache or ())


class Loaded(Context):
    """What is done to load a template."""

    __slots__ = ()


KEEPING: dict[str, tuple[str, str, Callable[..., bool]]] = {
    "django.template.loaders.cached": ("Loader", "get_template", _in_django),
    "jinja2.environment": ("Environment", "_load_template", _in_jinja),
}
"""By the module: the class, its method that is given the name of a template, and what tells whether
that one is kept already."""


def wrap(recorder: Recorder) -> None:
    """Hear of templates that are asked for.

    Args:
        recorder: takes what is done to load them.
    """

    def act(module: Any) -> None:
        kind, method, is_kept = KEEPING[module.__name__]
        owner = getattr(module, kind)
        setattr(owner, method, _noting(getattr(owner, method), is_kept, recorder))

    for name in KEEPING:
        when_imported(name, act)


def _noting(real: Any, is_kept: Callable[..., bool], recorder: Recorder) -> Any:
    loaded: dict[tuple[int, Any], Context] = {}

    @functools.wraps(real)
    def load(holder: Any, name: Any, *arguments: Any, **options: Any) -> Any:
        __tracebackhide__ = True
        try:
            key = identity(holder), name
            context = loaded.get(key)
            if context is None:
                told = f"{recorder.process.name} {real.__module__} {len(loaded)}"
                context = loaded[key] = Loaded("fixture", told)
            open_already = recorder.is_open(context)
            if recorder.top is not context:
                recorder.top.uses.add(context)
            known = open_already or is_kept(holder, name, *arguments, **options)
        except Exception:
            known = True  # it is another version's, and keeps nothing that we know of
        if known or context is None:
            return real(holder, name, *arguments, **options)
        recorder.enter(context)
        try:
            return real(holder, name, *arguments, **options)
        finally:
            recorder.leave(context)
            recorder.finish(context)

    return load
