"""Plugins made for bacon: a link by which they find `.devloop/locations`.

They look for `.bacon-locations` in the folder they work in and above it
(https://github.com/Canop/nvim-bacon).
"""

from __future__ import annotations

from collections.abc import Iterator

from devloop.config import folder
from devloop.editors.place import File, Place


def files(place: Place) -> Iterator[File]:
    """The link.

    Args:
        place: whom it is set up for.
    """
    yield File(place.root / ".bacon-locations", link=f"{folder.NAME}/locations")
