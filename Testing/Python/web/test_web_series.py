"""The choice among the series of an uploaded zip."""

import asyncio

from web_uploading import dicom_slice, send, zipped

from MSKSegmentLib.ct import read_ct
from MSKSegmentLib.web.case import scan_run
from MSKSegmentLib.web.case.options import ReviewOptions
from MSKSegmentLib.web.case.service import ReviewService


def test_of_a_zip_of_several_ct_series_one_is_chosen(tmp_path, monkeypatch):
    slices = [
        (f"{series}/{k}", dicom_slice(k + start, series=series))
        for series, start in (("1.2.3", 0), ("1.2.4", 50))
        for k in range(9)
    ]
    arrived = send(tmp_path, "study.zip", zipped(slices))
    assert [info.uid for info in arrived.choices] == ["1.2.3", "1.2.4"]
    segmented = []

    async def result_of(run, ct):
        segmented.append(read_ct(ct.path, ct.series).hu.max())
        return scan_run.ScanEnding(None, "This was only to see the scan.")

    monkeypatch.setattr(scan_run.ScanRun, "result_of", result_of)

    async def choose(uid):
        service = ReviewService(ReviewOptions(tmp_path / "results"))
        service.take(arrived)
        assert service.page == "choosing" and len(service.series) == 2
        service.choose_series("1.2.5")
        assert service.page == "choosing", "there is no such series"
        if uid is None:
            service.cancel()
        else:
            service.choose_series(uid)
            await asyncio.wait(service._tasks)
        await service.close()
        return service

    chosen = asyncio.run(choose("1.2.4"))
    assert segmented == [58] and chosen.page == "start" and chosen.notice == "This was only to see the scan."
    assert not arrived.folder.exists(), "an upload is removed when its run ends"
    arrived = send(tmp_path, "study.zip", zipped(slices))
    cancelled = asyncio.run(choose(None))
    assert cancelled.page == "start" and "No series was chosen" in cancelled.notice
    assert not arrived.folder.exists() and len(segmented) == 1
