"""The simulated MR scanner: slice profile, uneven coils, noise of magnitude images."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from .mr_signal import Sequence
from .tissue import smooth_noise

# The coil's sensitivity changes over about this length (standard deviation of the smoothing).
BIAS_MM = 110.0
LARGEST_STORED = 4095


@dataclass(frozen=True)
class MRAcquisition:
    """Scanner settings.

    `blur_mm`: standard deviation of the point spread in plane; `slice_mm`: that of the slice profile; `bias`: standard deviation of
    the logarithm of the coil's sensitivity over the body; `snr`: signal of muscle over the standard deviation of the noise in
    either channel; `muscle_stored`: the stored value of muscle where the sensitivity is 1.
    """

    sequence: Sequence = Sequence()
    blur_mm: float = 0.6
    slice_mm: float = 1.5
    bias: float = 0.2
    snr: float = 30.0
    muscle_stored: float = 250.0

    def facts(self) -> dict[str, object]:
        """The settings as recorded in a patient's facts."""
        return {name: value for name, value in asdict(self).items() if name != "sequence"} | asdict(self.sequence)


def random_mr_acquisition(rng: np.random.Generator, slice_interval_mm: float) -> MRAcquisition:
    """Draw a scanner; slices of `slice_interval_mm` are about as thick as they are apart."""
    return MRAcquisition(
        sequence=Sequence(float(rng.uniform(450, 750)), float(rng.uniform(8, 15))),
        blur_mm=float(rng.uniform(0.4, 1.0)),
        # The standard deviation of a box is 0.29 of its width.
        slice_mm=float(0.29 * slice_interval_mm * rng.uniform(0.8, 1.1)),
        bias=float(rng.uniform(0.08, 0.3)),
        snr=float(np.clip(rng.lognormal(np.log(30), 0.4), 10, 90)),
        muscle_stored=float(rng.uniform(120, 420)),
    )


def coil_sensitivity(
    shape: tuple[int, ...], spacing: tuple[float, float, float], bias: float, rng: np.random.Generator
) -> np.ndarray:
    """Smooth factors around 1, float32 ``[z, y, x]``; the standard deviation of their logarithm is `bias`. `spacing` in mm."""
    return np.exp(bias * smooth_noise(rng, shape, tuple(BIAS_MM / step for step in spacing)))


def magnitude(signal: np.ndarray, noise_sd: float, rng: np.random.Generator) -> np.ndarray:
    """Magnitude of a complex signal with noise in both channels, so that its values follow the Rice distribution.

    `signal` is float32 ``[z, y, x]``, without phase. In air the mean is noise_sd * sqrt(pi / 2), never 0.
    """
    real = signal + noise_sd * rng.standard_normal(signal.shape, dtype=np.float32)
    return np.hypot(real, noise_sd * rng.standard_normal(signal.shape, dtype=np.float32))


def stored_signal(values: np.ndarray) -> np.ndarray:
    """Signal as scanners store it: int16 of the same shape, 12 bits."""
    return np.clip(np.rint(values), 0, LARGEST_STORED).astype(np.int16)
