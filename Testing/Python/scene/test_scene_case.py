from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from scene_cases import GEOMETRIES, make_ct, make_labels, make_result

slicer = pytest.importorskip("slicer")

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH  # noqa: E402
from MSKSegmentLib.case_result import ReviewState  # noqa: E402
from MSKSegmentLib.errors import InputError  # noqa: E402
from MSKSegmentLib.findings import warning  # noqa: E402
from MSKSegmentLib.measurement import measure  # noqa: E402
from MSKSegmentLib.review.masks import SegmentMask  # noqa: E402
from MSKSegmentLib.review.session import ReviewSession  # noqa: E402
from MSKSegmentLib.run_facts import RunFacts  # noqa: E402
from MSKSegmentLib.scene import (  # noqa: E402
    HeadlessApplication,
    add_case,
    add_ct,
    find_case_nodes,
    put_mask,
    restore_session,
    save_scene,
    segment_labels,
    show_density,
    show_only_3d,
    store_session,
    take_edit,
    volume_of_node,
)
from MSKSegmentLib.scene.geometry import array_of_image  # noqa: E402

AXIAL = GEOMETRIES["axial"]


def measured_result(geometry, with_uncertainty=True):
    """A result whose reports hold the numbers of its own labels, with words that files and XML find hard."""
    result, volume = make_result(geometry, with_uncertainty), make_ct(geometry)
    found = measure(result.labels, volume.hu, geometry, HIP_AND_THIGH, 1.7)
    reports = tuple(replace(report, measurements=found.get(report.segment.label)) for report in result.reports)
    return replace(
        result,
        reports=reports,
        findings=(warning("quoted", '"quoted" <b>&amp; 100 %; it\'s'),),
        facts=RunFacts(height_m=1.7, record={"note": "日本語 | ~ ^"}),
    )


def session_of(case, author=""):
    return restore_session(case, volume_of_node(case.ct), author)


def correct(case, session):
    """An edit that takes from a neighbour, one that paints a structure from nothing, one that erases; and an acceptance."""
    segmentation = case.segmentation
    for key, where in (("GMAX_right", np.s_[4:7, 14:20, 10:26]), ("PE_left", np.s_[12:14, 0:3, 0:3])):
        full = session.result.labels == session.report(key).segment.label
        full[where] = True
        put_mask(segmentation, key, SegmentMask.of_labels(full.astype(np.uint8), 1, whole_box(session)))
    put_mask(segmentation, "VM_left", SegmentMask.empty())
    take_edit(segmentation, session)
    session.accept("SACRUM")
    store_session(case, session)


def whole_box(session):
    from MSKSegmentLib.ct.boxes import Box

    return Box((0, 0, 0), session.geometry.size)


def content_of(session: ReviewSession):
    arrays = session.result.labels.copy(), session.automatic.labels.copy()
    return json.dumps(session.to_json(), sort_keys=True), arrays


def saved(application, folder, kind):
    if kind == "mrb":
        path = folder / "scene.mrb"
        assert application.scene.WriteToMRB(str(path))
        return path
    # As the Save dialog does: every storable node that is not hidden to a file beside the scene.
    scene = application.scene
    for number in range(scene.GetNumberOfNodesByClass("vtkMRMLStorableNode")):
        node = scene.GetNthNodeByClass(number, "vtkMRMLStorableNode")
        if node.GetSaveWithScene() and not node.GetHideFromEditors():
            node.AddDefaultStorageNode()
            storage = node.GetStorageNode()
            if storage is not None:
                storage.SetFileName(str(folder / f"{node.GetID()}.{storage.GetDefaultWriteFileExtension()}"))
                assert storage.WriteData(node)
    path = folder / "scene.mrml"
    scene.SetURL(str(path))
    scene.SetRootDirectory(str(folder))
    assert scene.Commit(str(path))
    return path


def opened(application, path):
    if path.suffix == ".mrb":
        assert application.scene.ReadFromMRB(str(path))
    else:
        application.scene.SetURL(str(path))
        assert application.scene.Connect()
    return application.scene


@pytest.mark.parametrize("kind", ["mrb", "mrml"])
@pytest.mark.parametrize("name", ["axial", "oblique"])
def test_a_saved_scene_opens_with_table_states_and_history(tmp_path, name, kind):
    geometry = GEOMETRIES[name]
    with HeadlessApplication() as application:
        case = add_case(application.scene, measured_result(geometry), add_ct(application.scene, make_ct(geometry)))
        session = session_of(case, "Dr. Ä|ß")
        correct(case, session)
        assert session.report("GMAX_right").state is ReviewState.EDITED
        text, arrays = content_of(session)
        show_density(application.scene, case.ct, session.result, ["GMAX_left"])
        show_only_3d(case.segmentation, ["GMAX_left"])
        path = saved(application, tmp_path, kind)
    with HeadlessApplication() as application:
        scene = opened(application, path)
        (case,) = find_case_nodes(scene)
        assert not case.automatic.GetDisplayNode().GetVisibility()
        # What can be made again is not saved: CT and uncertainty, segments and their automatic version are all there is.
        assert scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == 2
        assert scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 2
        again = session_of(case)
        assert content_of(again)[0] == text
        for now, before in zip(content_of(again)[1], arrays, strict=True):
            np.testing.assert_array_equal(now, before)
        np.testing.assert_array_equal(again.result.uncertainty, make_result(geometry).uncertainty)
        assert again.history[0].who == "Dr. Ä|ß"
        assert again.automatic_mask("PE_left") is None
        put_mask(case.segmentation, "GMAX_left", again.revert("GMAX_left"))
        np.testing.assert_array_equal(segment_labels(case.segmentation, geometry), again.result.labels)


def test_a_new_case_holds_its_nodes_and_an_untouched_review():
    with HeadlessApplication() as application:
        scene = application.scene
        ct = add_ct(scene, make_ct(AXIAL))
        result = measured_result(AXIAL)
        case = add_case(scene, result, ct)
        assert case.ct is ct
        assert case.automatic is None
        np.testing.assert_array_equal(array_of_image(case.uncertainty.GetImageData()), result.uncertainty)
        session = session_of(case)
        assert session.result.reports == result.reports
        assert (session.result.warnings, session.result.facts) == (result.warnings, result.facts)
        assert session.history == ()
        store_session(case, session)
        assert case.automatic is None, "nothing was corrected"


def test_only_corrected_segments_are_kept_twice():
    with HeadlessApplication() as application:
        case = add_case(application.scene, measured_result(AXIAL), add_ct(application.scene, make_ct(AXIAL)))
        session = session_of(case)
        correct(case, session)
        kept = set(case.automatic.GetSegmentation().GetSegmentIDs())
        assert kept == {"GMAX_right", "GMAX_left", "PE_left", "VM_left"}
        labels = segment_labels(case.automatic, AXIAL)
        before = make_labels()
        np.testing.assert_array_equal(labels, np.where(np.isin(before, [4, 104, 122]), before, 0))
        for key in ("PE_left", "VM_left", "GMAX_left", "GMAX_right"):
            put_mask(case.segmentation, key, session.revert(key))
        store_session(case, session)
        assert not case.automatic.GetSegmentation().GetSegmentIDs()


def test_what_another_program_painted_is_measured_when_the_review_goes_on():
    with HeadlessApplication() as application:
        case = add_case(application.scene, measured_result(AXIAL), add_ct(application.scene, make_ct(AXIAL)))
        full = make_labels() == 3
        full[2:4, 4:10, 15:22] = False
        session = session_of(case)
        put_mask(case.segmentation, "SACRUM", SegmentMask.of_labels(full.astype(np.uint8), 1, whole_box(session)))
        report = session_of(case).report("SACRUM")
        assert report.state is ReviewState.EDITED
        assert report.measurements.voxels == full.sum()


def test_without_the_automatic_version_there_is_no_way_back():
    with HeadlessApplication() as application:
        case = add_case(application.scene, measured_result(AXIAL), add_ct(application.scene, make_ct(AXIAL)))
        correct(case, session_of(case))
        application.scene.RemoveNode(case.automatic)
        session = session_of(case)
        assert session.report("GMAX_right").state is ReviewState.EDITED
        with pytest.raises(InputError, match="not stored"):
            session.revert("GMAX_right")


def test_two_cases_in_one_scene_do_not_mix(tmp_path):
    with HeadlessApplication() as application:
        scene = application.scene
        cases = [add_case(scene, measured_result(grid), add_ct(scene, make_ct(grid), name)) for name, grid in GEOMETRIES.items()]
        session = session_of(cases[1])
        session.accept("SACRUM")
        store_session(cases[1], session)
        assert [case.ct.GetName() for case in find_case_nodes(scene)] == list(GEOMETRIES)
        states = [session_of(case).report("SACRUM").state for case in find_case_nodes(scene)]
        assert states.count(ReviewState.ACCEPTED) == 1 and states[1] is ReviewState.ACCEPTED
        names = [case.segmentation.GetName() for case in cases]
        assert len(set(names)) == len(names)


def test_a_deleted_segmentation_is_no_case_any_more():
    with HeadlessApplication() as application:
        case = add_case(application.scene, measured_result(AXIAL, False), add_ct(application.scene, make_ct(AXIAL)))
        assert case.uncertainty is None
        volume = volume_of_node(case.ct)
        application.scene.RemoveNode(case.segmentation)
        assert find_case_nodes(application.scene) == []
        with pytest.raises(InputError, match="was deleted"):
            restore_session(case, volume)


def test_another_ct_and_damaged_text_are_refused():
    with HeadlessApplication() as application:
        case = add_case(application.scene, measured_result(AXIAL), add_ct(application.scene, make_ct(AXIAL)))
        other = make_ct(AXIAL)
        with pytest.raises(InputError, match="choose that CT"):
            restore_session(case, replace(other, hu=other.hu + np.int16(20)))
        with pytest.raises(InputError, match="another grid"):
            restore_session(case, make_ct(GEOMETRIES["oblique"]))
        case.state.SetParameter("review", "{")
        with pytest.raises(InputError, match="damaged"):
            session_of(case)
        case.state.SetParameter("review", '{"format": "x"}')
        with pytest.raises(InputError):
            session_of(case)


def test_the_command_line_s_scene_can_be_reviewed(tmp_path):
    path = tmp_path / "scene.mrb"
    result = measured_result(AXIAL)
    save_scene(result, make_ct(AXIAL), path)
    with HeadlessApplication() as application:
        (case,) = find_case_nodes(opened(application, path))
        assert session_of(case).result.reports == result.reports
