"""A CT segmented by the model of another program: checked by us, handed over as an image file, its labels taken and measured."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ..ct.volume import CTVolume
from ..engine.cancelling import Checkpoint
from ..engine.progress import OTHER_MODEL
from ..errors import InputError, OtherModelError
from ..foreign import ForeignMask, Imported, find_label_table, import_case, read_mask
from ..output.names import fresh_path, with_ending
from ..output.places import nearest_existing, resolved
from ..pipeline import StageProgress, bundle_knowledge
from ..prepared_scan import prepare_scan
from ..provenance import Stopwatch
from .adapter import Adapter, ProgramCall
from .running import end_of, last_words, run_program, why_it_failed

# In the record of a result's facts: which program labelled it.
OTHER_MODEL_ENTRY = "other_model"


@dataclass(frozen=True)
class ProgramRun:
    """What the run of another program is asked for: the `device` ("auto", "cpu" or "cuda"), the patient's height in metres where it
    was stated, a table of its `labels` where their names are not known, and the folder `output` that the result is meant for.
    """

    device: str
    height_m: float | None
    labels: str | None
    output: Path


def segment_with(
    adapter: Adapter,
    volume: CTVolume,
    run: ProgramRun,
    progress: StageProgress = lambda stage, done, total: None,
    checkpoint: Checkpoint = lambda: None,
) -> Imported:
    """Check a CT, have the model of another program segment it, and measure what that labelled; no light is given.

    The log of a program that fails is kept beside the folder of the result.

    Raises:
        InputError: the CT cannot be used, or what was written does not fit it.
        OtherModelError: the program failed, or wrote nothing.
    """

    watch = Stopwatch()
    with watch.stage("checks"):
        progress("checks", 0, 1)
        # Refused before another program works on it for hours; what is found is told by the import.
        prepare_scan(volume)
        progress("checks", 1, 1)
    checkpoint()
    folder = Path(tempfile.mkdtemp(prefix="msk-"))
    try:
        call = ProgramCall(folder, adapter.input_name, run.device)
        with watch.stage(OTHER_MODEL):
            written = call_program(
                adapter, call, volume, run.output, lambda percent: progress(OTHER_MODEL, percent, 100), checkpoint
            )
            progress(OTHER_MODEL, 100, 100)
        checkpoint()
        with watch.stage("measurement"):
            progress("measurement", 0, 1)
            imported = _taken(written, adapter, run, volume)
            progress("measurement", 1, 1)
        facts = imported.result.facts
        record = {**facts.record, "seconds": watch.seconds, OTHER_MODEL_ENTRY: provenance_of(adapter, call)}
        return replace(imported, result=replace(imported.result, facts=replace(facts, record=record)))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def call_program(
    adapter: Adapter,
    call: ProgramCall,
    volume: CTVolume,
    output: Path,
    tell: Callable[[int], None],
    checkpoint: Checkpoint = lambda: None,
) -> Path:
    """Hand a CT over on its own grid, run the program, and return the label map that it has written.

    Raises:
        InputError: the CT cannot be written for it.
        OtherModelError: it failed or wrote no label map; its log is kept beside `output`.
    """
    import SimpleITK as sitk

    for place in (call.inputs, call.output):
        place.mkdir()
    try:
        sitk.WriteImage(volume.geometry.image_of(volume.hu), str(call.ct))
    except RuntimeError as error:
        raise InputError("The CT could not be written to the temporary folder; free space on this disk and try again.") from error
    log = call.folder / "log.txt"
    variables = adapter.environment.variables(adapter.variables(call))
    code = run_program(adapter.command(call), variables, log, tell, checkpoint)
    written = None if code else adapter.written(call)
    if written is not None:
        return written
    kept = _kept_log(log, output, adapter.facts.title)
    said = f", and ended with the words: {last_words(log)}" if last_words(log) else ""
    why = f"failed: {why_it_failed(code, log)}" if code else f"wrote no label map{said}"
    raise OtherModelError(f"{adapter.facts.title} {why}; all that it said is in {kept}.", end_of(log))


def provenance_of(adapter: Adapter, call: ProgramCall) -> Mapping[str, Any]:
    """Which program and model labelled a CT, and how it was called, JSON-ready and without places of this computer."""
    places = {str(call.ct): "CT", str(call.inputs): "INPUT", str(call.output): "OUTPUT"}
    places |= {str(path.absolute()): word for word, path in adapter.sources.items()}
    program, *words = adapter.command(call)
    for place in sorted(places, key=len, reverse=True):
        words = [word.replace(place, places[place]) for word in words]
    facts = asdict(adapter.facts)
    return {**facts, "program": Path(program).name, "arguments": words}


def _taken(written: Path, adapter: Adapter, run: ProgramRun, volume: CTVolume) -> Imported:
    """The label map that a program has written, as an imported case."""
    task, reference = bundle_knowledge()
    structures = task.table
    mask = _named(read_mask(written), adapter.names)
    scheme = run.labels or adapter.scheme
    label_table = find_label_table(scheme, structures) if scheme else None
    return import_case(volume, mask, structures, label_table, height_m=run.height_m, reference=reference)


def _named(mask: ForeignMask, names: Mapping[int, str]) -> ForeignMask:
    """A mask with the names that its model states for values that are stored without any."""
    layers = tuple(
        replace(
            layer,
            segments=tuple(
                replace(segment, texts=segment.texts or ((names[segment.value],) if segment.value in names else ()))
                for segment in layer.segments
            ),
        )
        for layer in mask.layers
    )
    return replace(mask, layers=layers)


def _kept_log(log: Path, output: Path, title: str) -> str:
    """Put the log beside the folder of the result; its name there."""
    place = nearest_existing(resolved(output).parent)
    kept = fresh_path(place / with_ending(output.name, f"-{title.replace(' ', '-')}.log"))
    try:
        shutil.copyfile(log, kept)
    except OSError as error:
        return f"no file, which could not be written ({error.strerror})"
    return kept.name
