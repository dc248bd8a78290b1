"""Virtual hips of known density, made once for all tests that look at them."""

import pytest
from femur_cases import coarse_hips


@pytest.fixture(scope="session")
def hips():
    """Virtual hips and their labels; nobody changes them."""
    return coarse_hips()
