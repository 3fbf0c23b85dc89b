"""What an interpreter is, and what is installed for it: printed as one line of JSON.

Run by the project's interpreter from this file's path, without ``-I`` or ``-S``, because what
counts is what the project's own processes will see: user site, ``.pth`` files, PYTHONPATH.
Written so that older Pythons than devloop supports can at least say how old they are.
Distributions are read from the names of their folders: `importlib.metadata` alone would take
as long as all of this.
"""

# pathlib would take half as long again, and an old Python answers too.
# ruff: noqa: PTH100, PTH112, PTH116, PTH118, PTH119, PTH120, PTH123, UP036

from __future__ import annotations

import json
import os
import sys
from typing import Any

METADATA = (".dist-info", ".egg-info")


def main() -> None:
    """Print it."""
    # The folder of this file is there for us alone.
    here = os.path.dirname(os.path.abspath(__file__))
    path = [os.path.abspath(entry) for entry in sys.path if os.path.abspath(entry) != here]
    found = {
        "version": list(sys.version_info[:3]),
        "cache_tag": getattr(getattr(sys, "implementation", None), "cache_tag", None),
        "executable": sys.executable,
        "prefix": sys.prefix,
        "base_prefix": getattr(sys, "base_prefix", sys.prefix),
        "path": path,
    }
    if sys.version_info >= (3, 10):
        found.update(installed(path))
        found["library"] = sorted(sys.stdlib_module_names)
    sys.stdout.write(json.dumps(found) + "\n")


def installed(path: list[str]) -> dict[str, Any]:
    """What is installed on `path`."""
    sites = [
        entry
        for entry in path
        if os.path.basename(entry) in ("site-packages", "dist-packages") and os.path.isdir(entry)
    ]
    distributions: dict[str, list[Any]] = {}
    roots: list[str] = []
    names: list[str] = []
    editables: list[str] = []
    acting: list[str] = []
    for site in sites:
        for name in listing(site):
            full = os.path.join(site, name)
            if name.endswith(METADATA):
                project, _, version = name.rpartition(".")[0].partition("-")
                version = version.partition("-py")[0]
                distributions.setdefault(canonical(project), [version, mtime(full)])
                if plugins(full):
                    acting.append(canonical(project))
                editable = editable_folder(full) if name.endswith(".dist-info") else None
                if editable:
                    editables.append(editable)
                    names += plugins(full)
            elif name.endswith(".pth"):
                distributions[name] = ["", mtime(full)]
                roots += pth_roots(full, site)
            elif name.startswith("__editable__") and name.endswith(".py"):
                roots += finder_roots(full)
            elif name.endswith(".egg-link"):
                names += linked_plugins(full)
    for folder in editables:
        roots += below(folder, roots)
    # A line of a .pth file may just as well name a folder of the environment.
    own = tuple(os.path.realpath(site) + os.sep for site in sites)
    roots = [
        root
        for root in dict.fromkeys(os.path.abspath(root) for root in roots)
        if os.path.isdir(root) and not (os.path.realpath(root) + os.sep).startswith(own)
    ]
    return {
        "distributions": distributions,
        "acting": sorted({*acting, *(n for n in distributions if n.endswith(".pth"))}),
        "plugins": sorted(set(names)),
        "roots": roots,
        "sites": sites,
    }


def listing(folder: str) -> list[str]:
    """The names in a folder; none where it cannot be read."""
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


def canonical(name: str) -> str:
    """A project's name as package indexes compare it (PEP 503)."""
    return name.lower().replace("_", "-").replace(".", "-")


def mtime(path: str) -> int:
    """When it was written; 0 where that cannot be told."""
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return 0


def text(path: str) -> str:
    """The file's text; empty where it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except OSError:
        return ""


def editable_folder(metadata: str) -> str | None:
    """The project that was installed in place, from ``direct_url.json`` (PEP 610)."""
    source = text(os.path.join(metadata, "direct_url.json"))
    if '"editable"' not in source:
        return None
    from urllib.parse import unquote, urlsplit

    try:
        url = json.loads(source)
    except ValueError:
        return None
    if not url.get("dir_info", {}).get("editable"):
        return None
    parts = urlsplit(url.get("url", ""))
    return unquote(parts.path) if parts.scheme == "file" else None


def below(folder: str, known: list[str]) -> list[str]:
    """Where a project's modules probably are, if no ``.pth`` and no finder says it."""
    prefix = folder.rstrip(os.sep) + os.sep
    if any((root.rstrip(os.sep) + os.sep).startswith(prefix) for root in known):
        return []
    source = os.path.join(folder, "src")
    return [source if os.path.isdir(source) else folder]


def pth_roots(path: str, site: str) -> list[str]:
    """The folders that a ``.pth`` file adds to `sys.path`."""
    lines = [line.strip() for line in text(path).splitlines()]
    return [
        os.path.join(site, line)
        for line in lines
        if line and not line.startswith(("#", "import ", "import\t"))
    ]


def finder_roots(path: str) -> list[str]:
    """The folders that setuptools' finder for an editable install maps top-level names to."""
    import ast  # few environments have one, and it takes longer than all else here

    try:
        module = ast.parse(text(path))
    except SyntaxError:
        return []
    roots = []
    for node in module.body:
        target: ast.expr
        if isinstance(node, ast.AnnAssign) and node.value is not None:
            target, value = node.target, node.value
        elif isinstance(node, ast.Assign):
            target, value = node.targets[0], node.value
        else:
            continue
        if not isinstance(target, ast.Name) or target.id not in ("MAPPING", "NAMESPACES"):
            continue
        try:
            mapping = ast.literal_eval(value)
        except ValueError:
            continue
        for name, places in mapping.items():
            for place in [places] if isinstance(places, str) else places:
                # "a.b" at /src/a/b: the root is /src.
                root = place
                for _ in name.split("."):
                    root = os.path.dirname(root)
                roots.append(root)
    return roots


def plugins(metadata: str) -> list[str]:
    """The modules that a distribution names as pytest plugins."""
    names, inside = [], False
    for line in text(os.path.join(metadata, "entry_points.txt")).splitlines():
        line = line.strip()
        if line.startswith("["):
            inside = line == "[pytest11]"
        elif inside and "=" in line:
            names.append(line.partition("=")[2].partition(":")[0].partition("[")[0].strip())
    return names


def linked_plugins(path: str) -> list[str]:
    """The same for an install in place of the old kind (``setup.py develop``)."""
    folder = text(path).partition("\n")[0].strip()
    if not os.path.isdir(folder):
        return []
    found = []
    for name in os.listdir(folder):
        if name.endswith(".egg-info"):
            found += plugins(os.path.join(folder, name))
    return found


if __name__ == "__main__":
    main()
