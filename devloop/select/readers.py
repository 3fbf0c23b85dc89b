"""Libraries whose own code, in C and its like, may read files, of which nothing in Python tells."""

from __future__ import annotations

from collections.abc import Mapping

from devloop.graph.facts import Facts

IN_C = frozenset(
    "apsw cairo catboost cffi cv2 duckdb fasttext fiona fitz h5py itk lightgbm lmdb lxml magic"
    " netCDF4 onnxruntime osgeo pikepdf plyvel polars pyarrow pygit2 pymupdf pyogrio pypdfium2"
    " pyreadstat pysam rasterio rdkit sentencepiece SimpleITK soundfile tables tensorflow"
    " tokenizers torch vtk xgboost xmlsec".split()
)
"""The top-level modules of those that are given names of files. Others, as Pillow and numpy, have
Python open them, which is heard."""


def readers(files: Mapping[str, Facts]) -> dict[str, frozenset[str]]:
    """The sources that import such libraries.

    Args:
        files: the facts of all sources.

    Returns:
        For each of them the libraries.
    """
    found = {}
    for path, facts in files.items():
        named = frozenset(one.module.partition(".")[0] for one in facts.imports if not one.level)
        if not named.isdisjoint(IN_C):
            found[path] = named & IN_C
    return found
