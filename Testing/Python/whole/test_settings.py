"""One record of what may be chosen for a run: each of its fields reaches the child's command line and comes back from it."""

import asyncio
from dataclasses import fields, replace
from pathlib import Path

import pytest
from command_line import parameters
from run_settings import OTHERS

from MSKSegmentLib.commands.arguments import settings_of
from MSKSegmentLib.commands.main import main
from MSKSegmentLib.engine import SegmentRequest
from MSKSegmentLib.engine.requests import arguments_of
from MSKSegmentLib.pipeline import segment_case
from MSKSegmentLib.settings import Settings

CASES = [*({name: value} for name, value in OTHERS.items()), OTHERS, {}]


def parsed(*arguments):
    return settings_of(parameters(*arguments))


def test_the_examples_are_all_fields_and_none_is_the_default():
    assert OTHERS.keys() == {field.name for field in fields(Settings)}
    assert all(getattr(Settings(), name) != value for name, value in OTHERS.items())


@pytest.mark.parametrize("chosen", CASES, ids=lambda chosen: ",".join(chosen) if len(chosen) < 2 else "all")
def test_what_is_chosen_reaches_the_child_and_comes_back(chosen):
    settings = Settings(**chosen)
    assert parsed(*SegmentRequest(Path("ct"), Path("out"), settings).arguments()) == settings
    # The browser's command line takes the same, for the runs that are started from its page.
    assert parsed("review", *arguments_of(settings)) == settings


@pytest.mark.slow
def test_a_height_in_metres_is_the_one_that_was_given_in_centimetres():
    # 1.1 and 2.2 m are among those that floating point does not hold exactly.
    for tenths in (*range(500, 2500, 97), 1100, 1640, 2200):
        height = tenths / 10
        settings = parsed("segment", "ct", "-o", "out", "--height-cm", height)
        assert settings.height_m == height / 100 and parsed("segment", "ct", "-o", "out", *arguments_of(settings)) == settings


def test_the_words_for_samples():
    for text, passes, auto in (("9", 9, False), ("auto", None, True), ("auto:9", 9, True)):
        settings = parsed("segment", "ct", "-o", "out", "--samples", text)
        assert (settings.passes, settings.auto_passes) == (passes, auto)
    for text in ("nine", "auto:", "auto:x", "automatic", ""):
        with pytest.raises(Exception, match="neither a number nor"):
            parsed("segment", "ct", "-o", "out", "--samples", text)


@pytest.mark.parametrize("switch", ["scene", "keep_ct", "record_path"])
def test_what_is_written_beside_the_result_reaches_the_child(switch):
    arguments = SegmentRequest(Path("ct"), Path("out"), **{switch: True}).arguments()
    options = parameters(*arguments)
    assert [name for name in ("scene", "keep_ct", "record_path") if options[name]] == [switch]


def test_the_pipeline_is_given_what_the_command_line_says(phantom_file, tiny_bundle, tmp_path, monkeypatch):
    seen = []

    def watched(volume, bundle, settings, *others):
        seen.append(settings)
        return segment_case(volume, bundle, settings, *others)

    monkeypatch.setattr("MSKSegmentLib.pipeline.segment_case", watched)
    settings = Settings("cpu", 2, 5, 1.58, lights="paper", auto_passes=True, bundle=str(tiny_bundle))
    arguments = SegmentRequest(phantom_file, tmp_path / "out", settings).arguments()
    assert main(arguments) == 0 and seen == [settings]


def test_an_earlier_result_will_do_unless_another_one_is_asked_for():
    for name, value in OTHERS.items():
        same = name in ("device", "series", "assume_orientation")
        assert replace(Settings(), **{name: value}).are_usual is same, name


def test_a_run_from_the_page_is_made_with_what_the_review_was_started_with(tmp_path, monkeypatch):
    pytest.importorskip("aiohttp")
    from MSKSegmentLib.web.case import scan_run, service
    from MSKSegmentLib.web.case.options import ReviewOptions
    from MSKSegmentLib.web.case.run import Ending
    from MSKSegmentLib.web.case.uploads import ArrivedCT

    requests = []

    class Recorded:
        def __init__(self, request, on_progress):
            requests.append(request)

        async def run(self):
            return Ending(2, "This was only to see the request.", "")

        def cancel(self):
            """Nothing runs."""

    async def segment():
        served = service.ReviewService(ReviewOptions(tmp_path / "results", settings=Settings(**OTHERS)))
        served.take(ArrivedCT(tmp_path / "ct.nrrd", "ct", series="2"))
        await asyncio.wait(served._tasks)
        return served.problem.sentence

    monkeypatch.setattr(scan_run, "Segmentation", Recorded)
    assert asyncio.run(segment()) == "This was only to see the request."
    (request,) = requests
    # Which series it is belongs to the scan that is segmented, not to the server.
    assert request.settings == replace(Settings(**OTHERS), series="2") and request.keep_ct
