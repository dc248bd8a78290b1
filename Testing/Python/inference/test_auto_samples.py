"""`--samples auto`: fewer passes where a slice has settled, never more than T; a fixed T stays what it was."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from MSKSegmentLib.bundle import load_bundle
from MSKSegmentLib.commands.main import main
from MSKSegmentLib.inference import sampler as sampler_module
from MSKSegmentLib.inference.auto_samples import FEWEST_PASSES, as_of
from MSKSegmentLib.inference.evidence import PassVotes
from MSKSegmentLib.inference.running_sums import RunningSums, SampledSlice
from MSKSegmentLib.inference.sampler import Sampler
from MSKSegmentLib.network.bayesian_unet import BayesianUNet
from MSKSegmentLib.pipeline import segment_case
from MSKSegmentLib.quality.calibration import Calibration
from MSKSegmentLib.settings import Settings

CLASSES, SIDE = 5, 20


class _Noisy:
    """Left half class 1, right half background; in a share of the voxels it changes its mind, by chance."""

    name, largest_batch = "noisy", 8

    def __init__(self, undecided, sure=3.0):
        self.undecided, self.sure, self.sizes = undecided, sure, []

    def start(self, image, seed, position=0.0):
        generator = torch.Generator().manual_seed(seed)

        def draw(count):
            self.sizes.append(count)
            logits = torch.zeros(count, CLASSES, SIDE, SIDE)
            logits[:, 1, :, : SIDE // 2] = self.sure
            logits[:, 0, :, SIDE // 2 :] = self.sure
            logits[:, 2] += 8 * (torch.rand(count, SIDE, SIDE, generator=generator) < 0.5) * self._where()
            return (logits + 0.3 * torch.randn(logits.shape, generator=generator)).softmax(dim=1)

        return draw

    def _where(self):
        where = torch.zeros(SIDE * SIDE)
        where[: round(self.undecided * SIDE * SIDE)] = 1
        return where.view(SIDE, SIDE)


def _sampler(monkeypatch, backend, passes=40, auto=True):
    monkeypatch.setattr(sampler_module, "make_backend", lambda name, network: backend)
    return Sampler(BayesianUNet(2, 2), "cpu", passes, 0, ["noisy"], auto)


def _sample(sampler, index=0):
    return sampler.sample(torch.zeros(1, 1, SIDE, SIDE), index, votes=lambda: PassVotes(np.zeros((SIDE, SIDE)), CLASSES))


def test_a_settled_slice_stops_early_and_an_undecided_one_goes_on(monkeypatch):
    settled, undecided = _Noisy(0.0), _Noisy(0.5)
    early = _sampler(monkeypatch, settled)
    assert _sample(early).evidence.passes == early.drawn[0] == len(settled.sizes)
    assert FEWEST_PASSES <= early.drawn[0] < 20
    late = _sampler(monkeypatch, undecided)
    _sample(late)
    assert late.drawn[0] > early.drawn[0] and late.drawn[0] <= 40
    # Nothing is overlooked between two looks: passes come one by one.
    assert set(settled.sizes) == set(undecided.sizes) == {1}


def test_never_more_than_asked_for(monkeypatch):
    for passes in (1, 2, 4, 6):
        sampler = _sampler(monkeypatch, _Noisy(0.9), passes)
        _sample(sampler)
        assert sampler.drawn == [passes]


def test_a_slice_without_labels_needs_four_passes(monkeypatch):
    class Empty(_Noisy):
        def _where(self):
            return torch.zeros(SIDE, SIDE)

    backend = Empty(0.0, sure=0.0)
    monkeypatch.setattr(
        backend,
        "start",
        lambda *_: lambda count: torch.eye(CLASSES)[0].view(1, -1, 1, 1).expand(count, -1, SIDE, SIDE),
    )
    sampler = _sampler(monkeypatch, backend)
    _sample(sampler)
    assert sampler.drawn == [FEWEST_PASSES]


def test_fixed_passes_stay_exact(monkeypatch):
    backend = _Noisy(0.3)
    fixed, usual = (_sampler(monkeypatch, backend, 12, auto=False) for _ in range(2))
    sums, draw = RunningSums(), backend.start(None, 0)
    for count in (8, 4):
        sums.add(draw(count))
    expected = sums.result()
    for sampler in (fixed, usual):
        result = _sample(sampler)
        assert torch.equal(result.probability, expected.probability) and sampler.drawn == [12]
        assert torch.equal(result.uncertainty, expected.uncertainty)


def test_fewer_passes_are_expected_to_show_the_same_uncertainty():
    generator = torch.Generator().manual_seed(0)
    found = {}
    for passes in (4, 10):
        values = torch.rand(4000, passes, generator=generator)
        one = SampledSlice(torch.zeros(1), values.var(dim=1, unbiased=False))
        found[passes] = as_of(one, passes, 10).uncertainty.mean().item()
    assert found[4] == pytest.approx(found[10], rel=0.03)
    alone = SampledSlice(torch.zeros(1), torch.zeros(3))
    assert as_of(alone, 1, 10) is alone


def test_a_run_says_how_many_passes_it_took(phantom, tiny_bundle):
    bundle = load_bundle(tiny_bundle)
    fixed = segment_case(phantom, bundle, Settings("cpu", passes=9, seed=1))
    assert fixed.facts.mean_passes == 9 and fixed.facts.auto_passes is False
    auto = segment_case(phantom, bundle, Settings("cpu", passes=9, seed=1, auto_passes=True))
    assert FEWEST_PASSES <= auto.facts.mean_passes <= 9
    assert auto.facts.to_json()["settings"] == fixed.facts.to_json()["settings"] | {"auto_passes": True}
    calibrated = replace(bundle, calibration=Calibration("2026-01-01", "phantoms", 9, {}, {}).to_json())
    for wanted in (True, False):
        said = segment_case(phantom, calibrated, Settings("cpu", passes=9, seed=1, auto_passes=wanted)).warnings
        assert any("calibrated with 9 for every slice" in sentence for sentence in said) is wanted


def test_the_command_line_takes_a_number_or_auto(phantom_file, tiny_bundle, tmp_path, capsys):
    command = ["segment", str(phantom_file), "-o", str(tmp_path / "out"), "--bundle", str(tiny_bundle), "--progress", "none"]
    assert main([*command, "--samples", "some"]) == 2
    assert "neither a number nor 'auto'" in capsys.readouterr().err
    assert main([*command, "--samples", "auto"]) == 0
    facts = json.loads((tmp_path / "out" / "result.json").read_text(encoding="utf-8"))["provenance"]
    assert facts["settings"]["auto_passes"] is True and facts["settings"]["passes"] == 3


def test_labels_and_uncertainty_of_running_sums_are_those_of_their_result():
    torch.manual_seed(4)
    sums = RunningSums()
    for number in range(1, 5):
        sums.add((4 * torch.randn(1, CLASSES, SIDE, SIDE)).softmax(dim=1))
        found = sums.result()
        assert np.array_equal(sums.labels(), found.probability.argmax(0).numpy())
        where = np.flatnonzero(sums.labels())
        assert sums.passes == number and 0 < where.size < SIDE * SIDE
        assert np.allclose(sums.uncertainty_at(where), found.uncertainty.numpy().ravel()[where], rtol=1e-4, atol=1e-7)
    with pytest.raises(ValueError, match="no pass"):
        RunningSums().labels()
