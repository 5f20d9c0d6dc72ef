import pytest
import torch
from jaxtyping import TypeCheckError

from apollo_core.encoders.pixels import to_unit


def test_the_test_run_checks_the_shapes_and_dtypes_in_signatures():
    with pytest.raises(TypeCheckError):
        to_unit(torch.zeros(1, 2, 4, 4, 3))
    with pytest.raises(TypeCheckError):
        to_unit(torch.zeros(1, 2, 3, 4, 4, dtype=torch.uint8))
