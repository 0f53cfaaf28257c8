"""Which device computes."""

from __future__ import annotations

import pytest

from src.agents.openvino_encoder import choose_device


@pytest.mark.parametrize(
    ("available", "device"),
    [
        (["CPU"], "CPU"),
        (["CPU", "GPU", "NPU"], "NPU"),
        (["CPU", "NPU.0", "NPU.1"], "NPU.0"),
        (["CPU", "NPUX"], "CPU"),
    ],
)
def test_an_npu_is_taken_where_there_is_one(available: list[str], device: str) -> None:
    assert choose_device(available) == device
