"""A long table as Parquet and CSV at once, written row by row without holding it in memory."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from ..output.files import whole_file

_ROWS_AT_ONCE = 20_000


class TableWriter:
    """Takes rows; see `written_table`."""

    def __init__(self, schema: Any, writers: Sequence[Any]) -> None:
        self._schema, self._writers = schema, writers
        self._rows: list[Sequence[Any]] = []

    def add(self, rows: Iterable[Sequence[Any]]) -> None:
        """Take rows with a value per column; None where there is none."""
        self._rows.extend(rows)
        if len(self._rows) >= _ROWS_AT_ONCE:
            self.flush()

    def flush(self) -> None:
        """Write what was taken."""
        import pyarrow

        if not self._rows:
            return
        columns = zip(*self._rows, strict=True)
        arrays = [pyarrow.array(column, field.type) for column, field in zip(columns, self._schema, strict=True)]
        for writer in self._writers:
            writer.write_table(pyarrow.Table.from_arrays(arrays, schema=self._schema))
        self._rows.clear()


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
            writer = TableWriter(schema, (first, second))
            yield writer
            writer.flush()
