"""styles/*.css → static/app.css: joined, without comments and needless space."""

import re
import sys
from pathlib import Path

HERE = Path(__file__).parent


def problems(name: str, text: str) -> list[str]:
    """Braces that do not match, as `file:line:column: message`."""
    found, depth = [], 0
    for number, line in enumerate(text.splitlines(), 1):
        for column, character in enumerate(line, 1):
            depth += {"{": 1, "}": -1}.get(character, 0)
            if depth < 0:
                found.append(f"{name}:{number}:{column}: error: nothing is open here")
                depth = 0
    if depth:
        found.append(f"{name}:{len(text.splitlines())}:1: error: a brace is not closed")
    return found


def squeeze(text: str) -> str:
    """The same rules in fewer characters."""
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    text = re.sub(r"\s+", " ", text)
    return re.sub(r"\s*([{};:,])\s*", r"\1", text).strip()


def main() -> int:
    sheets = {path: path.read_text(encoding="utf-8") for path in sorted(HERE.glob("styles/*.css"))}
    found = [
        problem
        for path, text in sheets.items()
        for problem in problems(f"styles/{path.name}", text)
    ]
    for problem in found:
        sys.stderr.write(f"{problem}\n")
    if found:
        return 1
    target = HERE / "static" / "app.css"
    target.parent.mkdir(exist_ok=True)
    target.write_text("\n".join(map(squeeze, sheets.values())) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
