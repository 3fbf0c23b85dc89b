"""What is said over the control socket: one JSON object a line, in both directions.

A client *asks*; the server *answers*, with the asker's own ``id`` if one was given. To one who
follows, the events of the session come as well, in the form in which `--reporter jsonl` has them
(DESIGN §4); an answer has the key ``answer`` where an event has ``event``.

::

    {"v":1,"ask":"status"}
    {"v":1,"ask":"tests","path":"tests/test_cart.py"}
    {"v":1,"ask":"follow","output":false}
    {"v":1,"ask":"act","action":{"action":"restart","app":"web"}}

    {"v":1,"answer":"status","status":{…}}
    {"v":1,"answer":"tests","tests":[{"nodeid":"…","outcome":"passed","seconds":0.1,"due":false}]}
    {"v":1,"answer":"following","events":12}       so many events follow that tell what stands
    {"v":1,"answer":"done","cycle":7}              that cycle carries it out
    {"v":1,"answer":"refused","message":"…","hint":"…"}   "elsewhere":true: do it without it
    {"v":1,"answer":"dropped","message":"…"}       the last line: what came was not read
"""

from __future__ import annotations

from typing import Any, TypeAlias

import msgspec

from devloop.events import VERSION, encode
from devloop.loop.actions import AnyAction

Id: TypeAlias = "int | str | None"
LONGEST = 1 << 20
"""Bytes of a line that a client may send."""


class Request(msgspec.Struct, frozen=True, kw_only=True, tag_field="ask"):
    """Something that a client asks.

    Args:
        id: comes back with the answer.
        v: the version of this form.
    """

    id: Id = None
    v: int = VERSION


class AskStatus(Request, frozen=True, tag="status"):
    """Say what stands."""


class Follow(Request, frozen=True, tag="follow"):
    """Send what stands, as events, and then every event.

    Args:
        output: what apps, steps and tests print too.
    """

    output: bool = True


class AskTests(Request, frozen=True, tag="tests"):
    """Say what is known of the tests of a file.

    Args:
        path: relative to the root.
    """

    path: str


class Act(Request, frozen=True, tag="act"):
    """Do something."""

    action: AnyAction


class BadRequest(Exception):
    """A line is not one of the requests.

    Args:
        message: why not, in one sentence.
        id: of the request, where it could be told.
    """

    def __init__(self, message: str, id: Id = None) -> None:  # noqa: A002
        super().__init__(message)
        self.message = message
        self.id = id


AnyRequest: TypeAlias = "AskStatus | AskTests | Follow | Act"
_decoder: msgspec.json.Decoder[AnyRequest] = msgspec.json.Decoder(
    AskStatus | AskTests | Follow | Act
)


def read(line: bytes) -> AnyRequest:
    """Read a request.

    Args:
        line: as it was sent.

    Raises:
        BadRequest: it is none.
    """
    try:
        request = _decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        if isinstance(error, msgspec.ValidationError):
            message = f"{error}; one can ask for status, tests, follow and act"
        else:
            message = f"this is not a line of JSON: {error}"
        raise BadRequest(message, _id(line)) from None
    if request.v != VERSION:
        raise BadRequest(
            f"version {request.v} of the control socket is not spoken here, but {VERSION}",
            request.id,
        )
    return request


def answer(kind: str, id: Id, **body: Any) -> bytes:  # noqa: A002
    """Write an answer.

    Args:
        kind: ``status``, ``following``, ``done``, ``refused`` or ``dropped``.
        id: of the request; None where it had none.
        **body: the rest; what is None is left out.

    Returns:
        A line with its end.
    """
    head: dict[str, Any] = {"v": VERSION, "answer": kind}
    if id is not None:
        head["id"] = id
    return encode(head | {key: value for key, value in body.items() if value is not None}) + b"\n"


def _id(line: bytes) -> Id:
    try:
        found = msgspec.json.decode(line).get("id")
    except (msgspec.DecodeError, UnicodeDecodeError, AttributeError):
        return None
    return found if isinstance(found, (int, str)) else None
