"""Libraries whose own code, in C and its like, may read files, of which nothing in Python tells."""

from __future__ import annotations

from devloop.graph.facts import Facts

IN_C = frozenset(
    "apsw cairo catboost cffi cv2 duckdb fasttext fiona fitz h5py itk lightgbm lmdb lxml magic"
    " netCDF4 onnxruntime osgeo pikepdf plyvel polars pyarrow pygit2 pymupdf pyogrio pypdfium2"
    " pyreadstat pysam rasterio rdkit sentencepiece SimpleITK soundfile tables tensorflow"
    " tokenizers torch vtk xgboost xmlsec".split()
)
"""The top-level modules of those that are given names of files. Others, as Pillow and numpy, have
Python open them, which is heard."""


def readers(facts: Facts) -> frozenset[str]:
    """Those of these libraries that a source imports.

    Args:
        facts: of the source.
    """
    return IN_C.intersection(one.module.partition(".")[0] for one in facts.imports if not one.level)
