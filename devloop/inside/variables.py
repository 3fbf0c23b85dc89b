"""The environment variables that are read in C, which nobody can observe: how their names begin."""

from __future__ import annotations

AT_START = (
    "DYLD_", "GLIBC_", "LANG", "LC_", "LD_", "MALLOC_", "OPENSSL_", "PYTHON", "SSL_",
)  # fmt: skip
"""Read by the interpreter and its libraries when it starts."""

WHEN_LOADED = (
    "BLIS_", "GOMP_", "GOTO_", "HWLOC_", "KMP_", "MKL_", "NUMEXPR_", "OMP_", "OPENBLAS_", "VECLIB_",
)  # fmt: skip
"""Read by compiled modules when they are loaded: how many threads compute, and where."""

KEPT = (*AT_START, *WHEN_LOADED)
"""What was read of them stays so for as long as the process lives."""

LATER = ("TMPDIR", "TZ")
"""Read again by whoever asks for that; a module that did so on import has kept it."""
