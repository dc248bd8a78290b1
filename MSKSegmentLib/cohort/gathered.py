"""What was gathered of many cases, read as columns: half a million rows are never one Python object each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from .case_rows import SEGMENT_COLUMNS
from .cross_sections import LEVEL_COLUMNS
from .study import StudyFolder

TEXT_COLUMNS = frozenset({
    "abbreviation", "structure", "light", "likely_wrong", "not_confirmed", "paper_light", "truncated_by", "state", "reasons",
    "asks_for_a_look", "level", "level_side", "side",
})  # fmt: skip
CASE_COLUMN = "case"
_TABLES = {"segments": SEGMENT_COLUMNS, "levels": LEVEL_COLUMNS}
_CASES_AT_ONCE = 400
# A line of the reader's input, which is one case, must fit into a block.
_BLOCK_BYTES = 1 << 26


@dataclass(frozen=True)
class GatheredCases:
    """What `case_rows` made of some cases.

    `facts` has per case its name under "case", "warnings", "height_m", "digest", "segmented_by", "bundle" and "date". `segments`
    and `levels` are tables of Arrow with the columns `SEGMENT_COLUMNS` and `LEVEL_COLUMNS` after the column "case".
    """

    facts: list[dict[str, Any]]
    segments: Any
    levels: Any


def gathered_cases(study: StudyFolder, cases: Sequence[str]) -> Iterator[GatheredCases]:
    """What is stored of these cases, in order, some hundreds at a time; cases whose file is missing or damaged are left out."""
    from pyarrow import ArrowInvalid

    for first in range(0, len(cases), _CASES_AT_ONCE):
        lines = [line for case in cases[first : first + _CASES_AT_ONCE] if (line := _line(study.rows(case)))]
        try:
            yield _parsed(lines)
        except ArrowInvalid:
            # Which of them is damaged shows when each is read alone.
            yield _parsed([line for line in lines if _is_whole(line)])


def _line(path: Path) -> bytes:
    try:
        # Whoever edited it may have left lines; text in JSON holds none.
        return path.read_bytes().replace(b"\n", b" ").replace(b"\r", b" ")
    except OSError:
        return b""


def _is_whole(line: bytes) -> bool:
    from pyarrow import ArrowInvalid

    try:
        return len(_parsed([line]).facts) == 1
    except ArrowInvalid:
        return False


def _parsed(lines: Sequence[bytes]) -> GatheredCases:
    """The cases of these lines.

    Raises:
        pyarrow.ArrowInvalid: a line is no such case.
    """
    import pyarrow
    from pyarrow import json

    schema = _schema()
    if not lines:
        read = schema.empty_table()
    else:
        options = json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore")
        read = json.read_json(BytesIO(b"\n".join(lines)), json.ReadOptions(block_size=_BLOCK_BYTES), options)
    names = read[CASE_COLUMN].combine_chunks()
    if names.null_count:
        raise pyarrow.ArrowInvalid("a case without a name")
    segments, levels = (_flat(read[name].combine_chunks(), names, columns) for name, columns in _TABLES.items())
    return GatheredCases(read.drop_columns(list(_TABLES)).to_pylist(), segments, levels)


def _flat(column: Any, names: Any, columns: Sequence[str]) -> Any:
    """A table with a row per entry of the lists in a column of structures."""
    import pyarrow
    from pyarrow import compute

    lists = [compute.struct_field(column, name) for name in columns]
    owners = names.take(compute.list_parent_indices(lists[0]))
    lists = [one if not one.null_count else _filled(one, lists[0]) for one in lists]
    return pyarrow.Table.from_arrays([owners, *map(compute.list_flatten, lists)], names=[CASE_COLUMN, *columns])


def _filled(lists: Any, model: Any) -> Any:
    """A column of lists in which those that are missing, in cases of an earlier version, are as long as the model's, of nulls."""
    import pyarrow
    from pyarrow import compute

    lengths = compute.list_value_length(model).to_pylist()
    whole = [[None] * (length or 0) if one is None else one for one, length in zip(lists.to_pylist(), lengths, strict=True)]
    return pyarrow.array(whole, lists.type)


def _schema() -> Any:
    import pyarrow

    text, number = pyarrow.string(), pyarrow.float64()
    tables = [
        (table, pyarrow.struct([(name, pyarrow.list_(text if name in TEXT_COLUMNS else number)) for name in columns]))
        for table, columns in _TABLES.items()
    ]
    texts = [(name, text) for name in (CASE_COLUMN, "digest", "segmented_by", "bundle", "date")]
    return pyarrow.schema([*texts, ("height_m", number), ("warnings", pyarrow.list_(text)), *tables])
