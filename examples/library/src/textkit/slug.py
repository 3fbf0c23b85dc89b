"""Titles for use in addresses."""

import re
import unicodedata


def slug(title: str) -> str:
    """Lower case, without accents, words joined by hyphens."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode()
    return "-".join(re.findall(r"[a-z0-9]+", plain.lower()))
