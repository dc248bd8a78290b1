import pytest
from femur_cases import coarse_hips


@pytest.fixture(scope="session")
def hips():
    """Virtual hips and their labels; nobody changes them."""
    return coarse_hips()
