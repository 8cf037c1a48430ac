"""Maps survive the way through a record; what is no map is none."""

from __future__ import annotations

import json

import numpy as np
import pytest

from llmrg.generation.maps import decode_maps, decode_offset, encode_maps


def test_shares_and_maxima_survive() -> None:
    rng = np.random.default_rng(0)
    maps = rng.gamma(0.1, size=(12, 2, 8, 9))
    maps /= maps.sum(axis=(1, 2, 3), keepdims=True)
    found = decode_maps(json.loads(json.dumps(encode_maps(maps))))
    assert found is not None
    assert found.shape == maps.shape
    np.testing.assert_allclose(found, maps, rtol=1e-3, atol=1e-7)
    np.testing.assert_array_equal(found.reshape(12, -1).argmax(1), maps.reshape(12, -1).argmax(1))


def test_no_film_is_an_empty_map() -> None:
    found = decode_maps(encode_maps(np.zeros((3, 0, 8, 8))))
    assert found is not None
    assert found.shape == (3, 0, 8, 8)


@pytest.mark.parametrize(
    "change",
    [
        {"shape": [1, 1, 2, 3]},
        {"shape": [1, 2, 2]},
        {"shape": [-1, 1, 2, 2]},
        {"shape": "1122"},
        {"float16": "not base64!"},
        {"float16": 7},
        {"float16": encode_maps(np.array([[[[1.0, -1.0], [0, 0]]]]))["float16"]},
        {"float16": encode_maps(np.array([[[[1.0, np.nan], [0, 0]]]]))["float16"]},
    ],
)
def test_what_is_no_map_is_none(change: dict[str, object]) -> None:
    good = encode_maps(np.ones((1, 1, 2, 2)))
    assert decode_maps(good) is not None
    assert decode_maps({**good, **change}) is None
    assert decode_maps(None) is None
    assert decode_maps([1, 2]) is None


def test_the_offset_survives_and_old_records_have_none() -> None:
    written = json.loads(json.dumps(encode_maps(np.ones((1, 1, 2, 2)), offset=(0.0312, -0.01))))
    assert decode_maps(written) is not None
    assert decode_offset(written) == (0.0312, -0.01)
    assert decode_offset({**written, "offset": [0, 0]}) == (0.0, 0.0)
    del written["offset"]
    for other in (written, {"offset": [0.1]}, {"offset": ["a", 0.1]}, {"offset": [0.1, 0.5]}, {"offset": 1}, None):
        assert decode_offset(other) == (0.0, 0.0)
