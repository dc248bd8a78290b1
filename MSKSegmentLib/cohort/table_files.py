"""A long table as Parquet and CSV at once, written part by part without holding it in memory."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from ..output.files import whole_file


class TableWriter:
    """Takes tables; see `written_table`."""

    def __init__(self, schema: Any, writers: Sequence[Any]) -> None:
        self._schema, self._writers = schema, writers

    def add(self, table: Any) -> None:
        """Write the rows of a table of Arrow with these columns, in any order."""
        ordered = table.select(self._schema.names).cast(self._schema)
        for writer in self._writers:
            writer.write_table(ordered)


@contextmanager
def written_table(stem: Path, columns: Sequence[str], texts: Collection[str]) -> Iterator[TableWriter]:
    """A writer for ``<stem>.parquet`` and ``<stem>.csv``, which appear whole at the end; columns are numbers but for `texts`.

    Raises:
        InputError: a file cannot be written.
    """
    import pyarrow
    from pyarrow import csv, parquet

    schema = pyarrow.schema([(name, pyarrow.string() if name in texts else pyarrow.float64()) for name in columns])
    with ExitStack() as stack:
        paths = [stack.enter_context(whole_file(stem.with_name(stem.name + suffix), suffix)) for suffix in (".parquet", ".csv")]
        # Closed before the files take their places.
        with parquet.ParquetWriter(paths[0], schema) as first, csv.CSVWriter(paths[1], schema) as second:
            yield TableWriter(schema, (first, second))
