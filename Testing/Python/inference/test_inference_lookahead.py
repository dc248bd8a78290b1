"""Reading ahead and writing behind keep order, errors and memory as if everything came one after the other."""

import threading

import numpy as np
import pytest

from MSKSegmentLib.bundle.manifest import NetworkSpec, Preprocessing
from MSKSegmentLib.ct.volume import CTVolume, Geometry
from MSKSegmentLib.errors import Cancelled
from MSKSegmentLib.inference.lookahead import OneBehind, one_ahead
from MSKSegmentLib.inference.predict import predict
from MSKSegmentLib.inference.sampler import Sampling
from MSKSegmentLib.network.bayesian_unet import BayesianUNet


def test_one_ahead_is_a_map_that_begins_the_next_item_before_this_one_is_done_with():
    made, begun = [], threading.Event()

    def make(item):
        made.append((item, threading.current_thread() is threading.main_thread()))
        if item == 1:
            begun.set()
        return item * 10

    taken = []
    for value in one_ahead(make, range(5)):
        if not taken:
            assert begun.wait(10)
        taken.append(value)
        # Never more than one ahead: that is what stays in memory.
        assert len(made) <= len(taken) + 1
    assert taken == [0, 10, 20, 30, 40] and made == [(n, False) for n in range(5)]
    assert list(one_ahead(make, [])) == []


def test_errors_come_in_their_turn():
    def make(item):
        if item == 2:
            raise MemoryError("no more")
        return item

    taken = []
    with pytest.raises(MemoryError, match="no more"):
        for value in one_ahead(make, range(5)):
            taken.append(value)
    assert taken == [0, 1]


def test_one_behind_keeps_the_order_and_does_not_swallow_errors():
    done = []
    with OneBehind() as behind:
        for n in range(5):
            behind.call(done.append, n)
            assert len(done) >= n
    assert done == list(range(5))
    with pytest.raises(ZeroDivisionError), OneBehind() as behind:
        behind.call(lambda: 1 // 0)
    with pytest.raises(ZeroDivisionError), OneBehind() as behind:
        behind.call(lambda: 1 // 0)
        behind.call(done.append, 5)
    assert 5 not in done


def test_no_thread_outlives_a_run_that_was_cancelled():
    hu = np.random.default_rng(0).integers(-200, 200, (20, 32, 32)).astype(np.int16)
    volume = CTVolume(hu, Geometry((32, 32, 20), (1.0, 1.0, 1.0)))
    calls = []

    def cancel():
        calls.append(1)
        if len(calls) == 8:
            raise Cancelled("stop")

    before = threading.active_count()
    spec = NetworkSpec(levels=2, base_filters=2, in_channels=1)
    with pytest.raises(Cancelled):
        predict(volume, BayesianUNet(2, 2, in_channels=1), spec, Preprocessing(), Sampling(2, 0), checkpoint=cancel)
    assert threading.active_count() == before
