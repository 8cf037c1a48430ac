"""The format of prepared films: shards of raw pixels, and an Arrow table that says where each film lies.

A folder of prepared films holds

* ``shard-00000.u8`` ...: films of ``size x size`` bytes one after the other, without header;
* ``index-<digits>.arrow``: one row a film (:data:`INDEX_SCHEMA`), sorted by key; the digits begin its sha256;
* ``shard-00000.arrow`` ...: the same rows of shards that are not in the index yet (preparing was interrupted);
* ``manifest.json`` (size, fit, sha256 of the index) and ``COMPLETE``.

Shards are never written again; a film that was prepared anew has its place in a newer shard.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from llmrg.artefacts import file_hash
from llmrg.errors import UserError

__all__ = [
    "INDEX_SCHEMA",
    "KIND",
    "film_key",
    "index_name",
    "merge_tables",
    "read_table",
    "shard_name",
    "table_bytes",
]

KIND = "prepared_films"

INDEX_SCHEMA = pa.schema(
    [
        ("key", pa.large_string()),  # path of the film, see film_key
        ("bytes", pa.int64()),  # of the film's file, as the next two
        ("modified", pa.int64()),  # nanoseconds since 1970
        ("sha256", pa.binary(32)),
        ("shard", pa.int32()),
        ("slot", pa.int32()),  # which film of the shard; -1: the file could not be used
        ("pixels_sha256", pa.binary(32)),  # null for such a file
        ("reason", pa.string()),  # why it could not be used, null for a sound one
    ]
)


def film_key(path: Path, root: Path) -> str:
    """Return the name of a film in the index: its path below the dataset's resolved root, else its whole path."""
    text, base = path.as_posix(), root.as_posix().rstrip("/") + "/"
    return text.removeprefix(base)


def shard_name(number: int, *, suffix: str = ".u8") -> str:
    """Return the file name of a shard."""
    return f"shard-{number:05d}{suffix}"


def index_name(digest: str) -> str:
    """Return the file name of an index with this sha256."""
    return f"index-{digest[:16]}.arrow"


def table_bytes(table: pa.Table) -> bytes:
    """Return a table as the bytes of an Arrow file."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, INDEX_SCHEMA) as writer:
        writer.write_table(table)
    return bytes(memoryview(sink.getvalue()))


def read_table(path: Path, *, sha256: str | None = None) -> pa.Table:
    """Map an index into memory.

    Args:
        path: the Arrow file.
        sha256: what its bytes must hash to, if given.

    Raises:
        UserError: it is missing, broken, of another shape or of another hash.
    """
    try:
        if sha256 is not None and file_hash(path) != sha256:
            raise pa.ArrowInvalid("hash")
        table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
        if not table.schema.equals(INDEX_SCHEMA):
            raise pa.ArrowInvalid("schema")
    except (OSError, pa.ArrowException) as error:
        what = "does not exist" if isinstance(error, FileNotFoundError) else "is damaged"
        raise UserError(
            f"The index of the prepared films {what}",
            where=str(path),
            next_step="remove the folder and prepare again (llmrg data prepare)",
        ) from None
    return table


def merge_tables(tables: list[pa.Table]) -> pa.Table:
    """Join tables to one, sorted by key; of several rows of a key the one in the newest shard is kept."""
    joined = pa.concat_tables(tables or [INDEX_SCHEMA.empty_table()])
    joined = joined.sort_by([("key", "ascending"), ("shard", "descending")]).combine_chunks()
    if joined.num_rows < 2:
        return joined
    keys = joined.column("key").combine_chunks()
    same = np.asarray(pc.equal(keys[1:], keys[:-1]).to_numpy(zero_copy_only=False))
    return joined.filter(pa.array(np.concatenate([[True], ~same]))).combine_chunks()
