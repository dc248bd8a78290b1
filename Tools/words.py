"""The catalogues of all words that users see: panel, page, report, lights, findings, errors.

    python Tools/words.py           bring every catalogue up to date with the program, and compile it
    python Tools/words.py LANGUAGE  the same, after beginning the catalogue of a new language

A catalogue is ``MSKSegmentLib/language/locale/LANGUAGE/LC_MESSAGES/mskseg.po``. What the program no longer says is dropped from it;
what is new has no translation yet and stays English. Needs Babel.
"""

from __future__ import annotations

import io
import sys
from datetime import datetime, timezone
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from word_sources import form_words, page_words, python_words, sentences

# The catalogues are those of this checkout, whichever is installed.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from MSKSegmentLib import RESEARCH_USE_ONLY  # noqa: E402
from MSKSegmentLib.anatomy import Side  # noqa: E402
from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH  # noqa: E402
from MSKSegmentLib.case_result import SUSPECT_WORD, UNCONFIRMED_WORD, Light  # noqa: E402
from MSKSegmentLib.comparison.doubt_sentences import DOUBT_FORMS  # noqa: E402
from MSKSegmentLib.foreign.merged import merged_structures  # noqa: E402
from MSKSegmentLib.language.catalogue import DOMAIN, FOLDER, SENTENCE  # noqa: E402
from MSKSegmentLib.quality.guards import SCAN_CAUTIONS  # noqa: E402
from MSKSegmentLib.review.reference import cohort_name  # noqa: E402
from MSKSegmentLib.review.rows import NOT_FOUND  # noqa: E402
from MSKSegmentLib.tasks import load_task, task_names  # noqa: E402

LIBRARY = FOLDER.parents[1]
ROOT = LIBRARY.parent
REPORT_PAGES = LIBRARY / "report" / "templates"
JINJA = {"**.html": {"trimmed": "true", "silent": "false"}}

_UNUSED_HEADERS = tuple(
    f'"{name}:'.encode()
    for name in (
        "POT-Creation-Date", "PO-Revision-Date", "Generated-By", "Report-Msgid-Bugs-To", "Last-Translator", "Language-Team",
        "Project-Id-Version",
    )
)  # fmt: skip


def template() -> Catalog:
    """All that users are told, by where it stands; structures, lights and cautions come from where they are defined."""
    catalog = Catalog(domain=DOMAIN, project="MSKSegment", copyright_holder="MSKSegment contributors", fuzzy=False)
    for source, message in python_words(ROOT):
        catalog.add(message, None, [(source, None)])
    for name, _line, message, _comments, context in extract_from_dir(REPORT_PAGES, [("**.html", "jinja2")], JINJA):
        catalog.add(message, None, [(f"report/{name}", None)], context=context)
    for source, message in (*page_words(LIBRARY), *form_words(ROOT)):
        catalog.add(message, None, [(source, None)])
    for table in (HIP_AND_THIGH, *(task.table for task in map(load_task, task_names()))):
        for one in (*table.structures, *table.groups):
            catalog.add(one.name, None, [("anatomy", None)])
    for merged in merged_structures():
        catalog.add(merged.structure.name, None, [("anatomy", None)])
    for word in (*(light.word for light in Light), SUSPECT_WORD, UNCONFIRMED_WORD, NOT_FOUND):
        catalog.add(word, None, [("case_result.py", None)])
    for side in Side:
        catalog.add(side.value, None, [("anatomy", None)])
    for task in map(load_task, task_names()):
        for words in (task.title, task.words.scan, task.words.report, *task.words.notes):
            catalog.add(words, None, [("tasks", None)])
    catalog.add(RESEARCH_USE_ONLY, None, [("__init__.py", None)])
    catalog.add(cohort_name(), None, [("review/reference.py", None)])
    for form in DOUBT_FORMS.values():
        catalog.add(form, None, [("comparison/doubt_sentences.py", None)])
    for caution in SCAN_CAUTIONS.values():
        catalog.add(caution, None, [("quality/guards.py", None)])
    for source, message in sentences(LIBRARY):
        catalog.add(message, None, [(source, None)], context=SENTENCE)
    return catalog


def path_of(language: str) -> Path:
    """The catalogue of a language, for people."""
    return FOLDER / language / "LC_MESSAGES" / f"{DOMAIN}.po"


def read(language: str) -> Catalog:
    """The catalogue as it stands; empty for a new language."""
    path = path_of(language)
    if not path.is_file():
        return Catalog(locale=language, domain=DOMAIN, project="MSKSegment", fuzzy=False)
    with path.open("rb") as file:
        return read_po(file, locale=language, domain=DOMAIN)


def updated(language: str) -> Catalog:
    """The catalogue of a language with all that the program says now and nothing else."""
    catalog = read(language)
    catalog.update(template(), no_fuzzy_matching=True)
    catalog.obsolete.clear()
    catalog.header_comment = f"# {language}: the words of MSKSegment, by MSKSegment contributors; Apache-2.0."
    return catalog


def text_of(catalog: Catalog) -> bytes:
    """The catalogue as a file for people; without times, so that it changes only when its words do."""
    buffer = io.BytesIO()
    write_po(buffer, catalog, width=132, omit_header=False, sort_output=False)
    lines = buffer.getvalue().split(b"\n")
    return b"\n".join(line for line in lines if not line.startswith(_UNUSED_HEADERS))


def compiled(catalog: Catalog) -> bytes:
    """The catalogue as gettext reads it."""
    with io.BytesIO(text_of(catalog)) as file:
        plain = read_po(file, locale=catalog.locale, domain=DOMAIN)
    # A file changes only when its words do.
    plain.creation_date = plain.revision_date = datetime(2026, 1, 1, tzinfo=timezone.utc)
    buffer = io.BytesIO()
    write_mo(buffer, plain)
    return buffer.getvalue()


def main() -> None:
    """Bring all catalogues up to date."""
    known = {path.parents[1].name for path in FOLDER.glob(f"*/LC_MESSAGES/{DOMAIN}.po")}
    for language in sorted(known | set(sys.argv[1:])):
        catalog = updated(language)
        path = path_of(language)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text_of(catalog))
        path.with_suffix(".mo").write_bytes(compiled(catalog))
        missing = sum(not message.string or not all(message.string) for message in catalog if message.id)
        print(f"{language}: {len(catalog)} entries, {missing} without translation")


if __name__ == "__main__":
    main()
