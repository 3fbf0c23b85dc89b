"""PYTEST_DONT_REWRITE: the files that record, in the order in which they are loaded."""

MODULES = (
    "naming", "record_ground", "record_contexts", "record_askers", "record_bodies", "syntax",
    "places", "memos", "record_holders", "record_lent", "record_calls", "looks", "databases",
    "record_files", "post_import", "record_tls", "record_templates", "volatile", "record_environ",
    "record_imports", "record_commands", "record_programs", "record",
)  # fmt: skip
