"""Modules whose own code, in C and its like, may read files, of which nothing in Python tells."""

from __future__ import annotations

from devloop.graph.graph import Graph
from devloop.select.category import EXTENSIONS

IN_C = frozenset(
    "apsw cairo catboost cffi cv2 duckdb fasttext fiona fitz h5py itk lightgbm lmdb lxml magic"
    " netCDF4 onnxruntime osgeo pikepdf plyvel polars pyarrow pygit2 pymupdf pyogrio pypdfium2"
    " pyreadstat pysam rasterio rdkit sentencepiece SimpleITK soundfile tables tensorflow"
    " tokenizers torch vtk xgboost xmlsec".split()
)
"""The top-level modules of libraries that are given names of files. Others, as Pillow and numpy,
have Python open them, which is heard."""


def readers(path: str, graph: Graph) -> frozenset[str]:
    """Those of them that a source uses: such libraries, and extension modules of the project.

    Args:
        path: of the source.
        graph: which holds it, or not.
    """
    facts = graph.files.get(path)
    if facts is None:
        return frozenset()
    libraries = (one.module.partition(".")[0] for one in facts.imports if not one.level)
    own = (edge.imported for edge in graph.imports(path) if edge.kind != "typing")
    found = IN_C.intersection(libraries).union(one for one in own if one.endswith(EXTENSIONS))
    # Of a database that is opened in the usual way Python tells.
    return found | {"sqlite3"} if facts.attaches else found
