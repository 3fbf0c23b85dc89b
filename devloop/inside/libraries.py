"""What is known of other distributions: what only makes a value, only wraps, or only is a base.

Only what is common in module-level statements. The bases were looked at for metaclasses and for
`__init_subclass__` (werkzeug's converters set an attribute of the derived class there, nothing
else). What is not named here counts as having any effect; so does `Markup` of markupsafe, which
calls `__html__` of what it is given.
"""

from __future__ import annotations

from collections.abc import Mapping


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_CLICK = "argument option confirmation_option password_option version_option help_option"

VALUES: Mapping[str, frozenset[str]] = {
    "attr": _words("ib attrib field Factory"),
    "attrs": _words("field Factory"),
    "blinker": _words("Namespace Signal"),
    "click": _words(
        "Choice IntRange FloatRange DateTime Path File Tuple Option Argument Command Group"
    ),
    "jinja2": _words("Undefined"),
    "werkzeug": _words(
        "ImmutableDict ImmutableMultiDict ImmutableList MultiDict Headers LocalProxy LocalStack"
        " Local"
    ),
}
"""By the top-level package: what makes a value of its arguments, and does nothing else."""

DECORATORS: Mapping[str, frozenset[str]] = {
    "attr": _words("s attrs define frozen mutable dataclass"),
    "attrs": _words("define frozen mutable"),
    "click": _words(f"{_CLICK} command group pass_context pass_obj make_pass_decorator"),
    "jinja2": _words("pass_context pass_eval_context pass_environment"),
    "werkzeug": _words("cached_property"),
}
"""What makes another function, or object, of one, or notes something on it."""

BASES: Mapping[str, frozenset[str]] = {
    "click": _words("ParamType Path File Command Group Option Argument Parameter Choice"),
    "jinja2": _words("Environment BaseLoader Undefined"),
    "werkzeug": _words(
        "Request Response HTTPException BaseConverter ImmutableDict MultiDict Client EnvironBuilder"
    ),
}
"""Classes to be derived from which has no effect elsewhere."""

CALLERS = _words("invoke ensure_sync")
"""Methods that have called what they are given first: of a click `Context`, of a Flask app."""

METHODS: Mapping[str, frozenset[str]] = {"blinker.Namespace": _words("signal")}
"""By the class of an object: methods that give a value by what they are given."""
