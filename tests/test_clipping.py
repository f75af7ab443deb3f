"""Gradient clipping against torch.nn.utils, on one array and on structures."""

import numpy as np
import pytest
from references import scaled_error

from xnn.clipping import clip_by_norm, clip_by_value


def torch_clip(function, gradients, limit):
    torch = pytest.importorskip("torch")
    parameters = [torch.zeros(g.shape, dtype=torch.float64, requires_grad=True) for g in gradients]
    for p, g in zip(parameters, gradients, strict=True):
        p.grad = torch.tensor(g)
    getattr(torch.nn.utils, function)(parameters, limit)
    return [p.grad.numpy() for p in parameters]


@pytest.mark.parametrize("limit", [0.01, 1.0, 3.0, 1e3])
@pytest.mark.parametrize(("clip", "function"), [(clip_by_norm, "clip_grad_norm_"), (clip_by_value, "clip_grad_value_")])
def test_clipping_equals_torch(backend, clip, function, limit, rng):
    gradients = [rng.normal(size=(3, 4)), rng.normal(size=5), rng.normal(size=())]
    expected = torch_clip(function, gradients, limit)
    given = [backend.asarray(g, "float64") for g in gradients]
    clipped = clip(given, limit)
    named = clip(dict(zip("abc", given, strict=True)), limit)
    assert type(clipped) is list
    assert list(named) == ["a", "b", "c"]
    for one, two, g, before, e in zip(clipped, named.values(), given, gradients, expected, strict=True):
        assert scaled_error(backend.to_numpy(one), e) < 1e-15
        assert scaled_error(backend.to_numpy(two), e) < 1e-15
        assert scaled_error(backend.to_numpy(g), before) == 0.0
    alone = clip(given[0], limit)
    assert scaled_error(backend.to_numpy(alone), torch_clip(function, gradients[:1], limit)[0]) < 1e-15


@pytest.mark.parametrize("clip", [clip_by_norm, clip_by_value])
@pytest.mark.parametrize("shape", [(), (0,), (1,), (2, 3)])
def test_float32_stays_float32(backend, clip, shape):
    g = backend.asarray(np.ones(shape), "float32")
    clipped = clip(g, 0.5)
    assert clipped.dtype == g.dtype
    assert clipped.shape == shape
    both = clip({"single": g, "double": backend.asarray(np.ones(2), "float64")}, 0.5)
    assert both["single"].dtype == g.dtype
    assert both["double"].dtype != g.dtype


def test_the_norm_becomes_the_limit_and_the_direction_stays(rng):
    g = rng.normal(size=100)
    clipped = clip_by_norm(g, 0.5)
    assert np.linalg.norm(clipped) == pytest.approx(0.5, rel=1e-6)
    assert clipped / np.linalg.norm(clipped) == pytest.approx(g / np.linalg.norm(g), rel=1e-12)


def test_a_zero_gradient_stays_zero():
    assert clip_by_norm(np.zeros(3), 1.0).tolist() == [0.0, 0.0, 0.0]


def test_nan_is_not_hidden():
    assert np.isnan(clip_by_norm(np.array([1.0, np.nan]), 1.0)).all()
    assert np.isnan(clip_by_value(np.array([3.0, np.nan]), 1.0)).tolist() == [False, True]


def test_lists_of_numbers_and_empty_structures():
    assert clip_by_norm([3, 4], 2.5) == pytest.approx([1.5, 2.0], rel=1e-6)
    assert clip_by_value([3, -4], 3.5).tolist() == [3.0, -3.5]
    assert clip_by_norm({}, 1.0) == clip_by_value({}, 1.0) == {}
    assert clip_by_norm(np.ones(2), np.inf).tolist() == [1.0, 1.0]


def test_no_host_round_trip_on_a_gpu():
    cudacpu = pytest.importorskip("cudacpu", reason="waits are counted on the emulated device, which is not here")
    if not hasattr(cudacpu, "count"):  # only the sources of it
        pytest.skip("waits are counted on the emulated device, which is not here")
    import xnn

    backend = xnn.get_backend("cupy")
    g = backend.asarray(np.ones(5), "float32")
    clip_by_norm(g, 0.5), clip_by_value(g, 0.5)
    with cudacpu.count() as counted:
        clip_by_norm(g, 0.5), clip_by_value(g, 0.5)
    assert counted.d2h == counted.h2d == counted.sync == 0


@pytest.mark.parametrize("clip", [clip_by_norm, clip_by_value])
@pytest.mark.parametrize("limit", [0.0, -1.0, float("nan")])
def test_a_limit_that_is_not_positive_raises(clip, limit):
    with pytest.raises(ValueError, match=r"must lie in \(0, inf\]"):
        clip(np.ones(2), limit)
