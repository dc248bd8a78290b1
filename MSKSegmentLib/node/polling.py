"""Asking an archive by DICOMweb for new studies, and fetching the series that the rules may take, image by image."""

from __future__ import annotations

import hashlib
import logging
import warnings
from collections.abc import Callable
from datetime import date, timedelta
from io import BytesIO
from typing import Any

from ..ct.modality import SCAN_WORDS
from ..errors import InputError
from .archive import FAILURES, json_text, web_client, web_fault
from .choosing import SeriesFacts, objection
from .config import Config, PollTable
from .files import name_of, short
from .keeping import Keeper, Refused
from .queue import RECEIVING, Image, StudyQueue

_LOG = logging.getLogger(__name__)
# Tags of QIDO-RS answers.
_STUDY, _SERIES, _INSTANCE = "0020000D", "0020000E", "00080018"
_MODALITY, _BODY_PART, _DESCRIPTION, _COUNT, _CLASS = "00080060", "00180015", "0008103E", "00201209", "00080016"
_PAGE, _MOST_PAGES = 100, 100
_FAILURES: tuple[type[Exception], ...] = (InputError, Refused, *FAILURES)


class Poller:
    """Asks once per `step`; `trouble` is what the archive last failed at."""

    def __init__(self, config: Config, table: PollTable, keeper: Keeper, queue: StudyQueue, stopped: Callable[[], bool]) -> None:
        self._config, self._table, self._keeper, self._queue, self._stopped = config, table, keeper, queue, stopped
        self._modality = config.modality
        self.trouble = ""

    def step(self) -> None:
        """Fetch what is new. An archive that is away is asked again the next time; what was fetched stays."""
        try:
            client = web_client(self._table, self._table.instance_mb)
            told = self._studies(client)
            for study in told:
                if self._stopped():
                    return
                self._look_at(client, study)
            self._release(set(map(name_of, told)))
            self.trouble = ""
        except _FAILURES as error:
            is_sentence = isinstance(error, InputError | Refused)
            reason = str(error) if is_sentence else web_fault(error, self._table, "The archive does not answer")
            if reason != self.trouble:
                _LOG.warning("Asking for new studies failed: %s", reason)
            self.trouble = reason

    def _studies(self, client: Any) -> list[str]:
        first = date.today() - timedelta(days=self._table.look_back_days)
        filters = {"ModalitiesInStudy": self._modality, "StudyDate": f"{first:%Y%m%d}-"}
        return self._pages(lambda offset: client.search_for_studies(limit=_PAGE, offset=offset, search_filters=filters), _STUDY)

    def _pages(self, ask: Callable[[int], list[dict[str, Any]]], tag: str) -> list[str]:
        """All values of a UID in a list that comes in pages; an archive that ignores offsets ends it by repeating itself."""
        found: dict[str, None] = {}
        for page in range(_MOST_PAGES):
            values = [json_text(answer, tag) for answer in ask(page * _PAGE)]
            new = [value for value in values if value and value not in found]
            found.update(dict.fromkeys(new))
            if len(values) < _PAGE or not new:
                break
        return list(found)

    def _look_at(self, client: Any, study: str) -> None:
        answers = client.search_for_series(
            study, fields=["BodyPartExamined", "SeriesDescription", "NumberOfSeriesRelatedInstances"]
        )
        series = {
            json_text(answer, _SERIES): _facts(answer) for answer in answers if json_text(answer, _MODALITY) == self._modality
        }
        announced = hashlib.sha256(repr(sorted((uid, facts.slices) for uid, facts in series.items())).encode()).hexdigest()[:32]
        name = name_of(study)
        known = self._queue.find(name)
        if known and known.announced == announced and not known.fetching:
            return
        reasons = {uid: objection(facts, self._config.choose, self._modality) for uid, facts in series.items()}
        wanted = [uid for uid, reason in reasons.items() if uid and not reason]
        if not wanted:
            first = next(iter(reasons.values()), f"is no {SCAN_WORDS[self._modality]}")
            self._queue.refuse(name, f"None of its {len(series)} {self._modality} series fits: one {first}.")
            self._queue.announce(name, announced, False)
            _LOG.info("Study %s: refused. No %s series fits", short(name), self._modality)
            return
        self._queue.announce(name, announced, True)
        for uid in wanted:
            self._fetch(client, study, uid)
        if not self._stopped():
            self._queue.announce(name, announced, False)

    def _fetch(self, client: Any, study: str, series: str) -> None:
        def ask(offset: int) -> list[dict[str, Any]]:
            return client.search_for_instances(study, series, limit=_PAGE, offset=offset)

        for instance in self._pages(ask, _INSTANCE):
            if self._stopped():
                return
            if self._queue.has(Image(name_of(study), name_of(series), name_of(instance))):
                continue
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                data = client.retrieve_instance(study, series, instance)
                stream = BytesIO()
                data.save_as(stream, enforce_file_format=True)
            try:
                self._keeper.take(stream.getvalue(), instance_uid=instance)
            except Refused as refusal:
                if refusal.status == 0xA700:
                    raise
                _LOG.warning("Study %s: an image was refused. %s", short(name_of(study)), refusal.reason)

    def _release(self, told: set[str]) -> None:
        """Studies that the archive no longer names get no more images: they are taken as they are."""
        for study in self._queue.studies((RECEIVING,)):
            if study.fetching and study.id not in told:
                self._queue.announce(study.id, study.announced, False)


def _facts(answer: dict[str, Any]) -> SeriesFacts:
    count = json_text(answer, _COUNT)
    # An enhanced image is one file of many slices: only the files can tell.
    return SeriesFacts(
        json_text(answer, _MODALITY),
        json_text(answer, _BODY_PART),
        json_text(answer, _DESCRIPTION),
        int(count) if count.isdigit() else 0,
    )
