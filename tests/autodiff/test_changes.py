"""``x[i] = v`` and ``x += v`` on arrays that carry a derivative: what NumPy does to an array, or an error."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest

import xnn
from xnn.autodiff import check_gradients, checkpoint, grad, hvp, jvp, recording, vjp

V = np.array([0.3, 0.7, 1.2])


def at(x, f, *args):
    """f at a copy of x: a function that changes its argument."""
    return f(np.array(x), *args)


def entries(x):
    y = np.zeros_like(x)
    y[0] = x[0] ** 2
    for i in range(1, 3):
        y[i] = y[i - 1] * np.sin(x[i])
    return np.sum(y * y)


def rows(x):
    a = np.stack([x, 2 * x])
    a[0][1] = x[0] * a[1, 2]  # a[0] is a view
    a[:, 1:] += a[:, :2]
    a[-1] = 1.5
    a[1, ::2] **= 2
    return np.sum(a**3)


def by_masks_and_indices(x):
    a = np.stack([x, 2 * x, x * x])
    a[a > 1.0] = x[1]
    a[a < 0.1] *= x[0]
    a[[0, 2]] = a[[2, 0]]
    a[[0, 0], [1, 1]] = x[:2] ** 2  # the last one stays
    a[np.array([1, 2])] += x
    return np.sum(a * a * a)


def names(x):
    y = x
    y += 1.0
    y *= x  # x is y
    z = y.copy()
    z -= 0.5
    z /= y
    y @= np.eye(3) * 2.0
    return np.sum(x * z)


def views(x):
    y = np.exp(x)
    tail, first = y[1:], y[:2]
    tail[0] = 5.0 * x[2]  # y[1] and first[1], too
    y[2] *= 2.0  # tail[1], too
    first += tail
    return np.sum(y * y) + tail[0] * first[1]


def time_steps(x):
    y = np.zeros((4, 3), like=x)
    y[0] = x
    for i in range(3):
        before = y[i]  # a view that is still there when y changes
        y[i + 1] = before + 0.1 * np.sin(before)
    return y[-1, 0] * np.sum(y)


def lists(x):
    y = np.ones_like(x) * x
    y[...] = [x[0], 1.0, x[1] * x[2]]
    y[None] = x[::-1] * y
    return np.sum(y**2)


def columns(x):
    a = np.zeros((3, 2), like=x)
    a[:, 0] = x
    a[:, 1] = a[:, 0] ** 2
    a[..., 0] = a[..., :1].sum() * x
    return np.sum(a @ a.T)


def functions(x):
    y, z = np.copy(x), np.clip(x, None, 9.0)
    np.multiply(x, x, out=x)
    np.add(z, 1.0, out=z)
    y[0] = 5.0
    w = x.astype(x.dtype)
    w -= 1.0
    a, b = np.split(x * z, [1])
    b *= a
    x.sort()
    return np.sum(x * y * z) + np.sum(w * b[0]) + x[1]


PROGRAMS = [functions, entries, rows, by_masks_and_indices, names, views, time_steps, lists, columns]


@pytest.mark.parametrize("f", PROGRAMS)
def test_a_change_is_what_numpy_does(f):
    x = V.copy()
    y, _ = jvp(f, x, x)
    np.testing.assert_array_equal(x, V)
    assert y == pytest.approx(at(V, f), rel=1e-14)
    check_gradients(lambda x: f(x + 0.0), V)
    np.testing.assert_array_equal(grad(f)(x), grad(lambda x: f(x * 1.0))(x))
    np.testing.assert_array_equal(x, V)


def random_program(seed):
    """Statements on arrays that share memory, or not."""
    rng = np.random.default_rng(seed)
    pick = lambda: rng.choice(["a", "b", "c", "d"])  # noqa: E731
    lines = []
    for _ in range(12):
        i, j = sorted(rng.integers(0, 4, 2))
        into, other = pick(), pick()
        lines.append(
            rng.choice([
                f"{into} = {other}", f"{into} = {other}.copy()", f"{into} = {other} * 1.5",
                f"{into} = {other}[1:]", f"{into} = {other}[::-1]", f"{into} = {other}[{i}:{j + 1}]",
                f"{into}[{i}:] = {round(rng.uniform(), 2)}", f"{into}[:1] = np.sin({other}[-1:])",
                f"{into}[-1:] *= {other}[:1]", f"{into} += np.cos(np.sum({other}))",
                f"{into}[{into} > 0.5] = 0.25", f"{into} = np.reshape({other}, (-1, 1))[:, 0]",
            ])
        )  # fmt: skip
    return lines


def test_random_programs_give_what_numpy_gives_or_an_error():
    refused = 0
    for seed in range(150):
        lines = random_program(seed)
        code = compile("\n".join([*lines, "y = np.sum(a) + np.sum(b * b) + np.sum(c) ** 2 + np.sum(d)"]), "", "exec")

        def f(x, code=code):
            space = {"np": np, "a": x, "b": x * x, "c": x + 1.0, "d": np.exp(x)}
            exec(code, space)
            return space["y"]

        try:
            right = at(np.linspace(0.2, 0.9, 5), f)
        except (IndexError, ValueError):  # no program: an empty array
            continue
        try:
            y, slope = xnn.value_and_grad(f)(np.linspace(0.2, 0.9, 5))
        except TypeError:  # of views of which it cannot know
            refused += 1
            continue
        assert y == pytest.approx(right, rel=1e-13), lines
        h = 1e-6 * np.eye(5)
        measured = [(at(np.linspace(0.2, 0.9, 5) + e, f) - at(np.linspace(0.2, 0.9, 5) - e, f)) / 2e-6 for e in h]
        np.testing.assert_allclose(slope, measured, rtol=1e-4, atol=1e-6, err_msg=str(lines))
    assert refused < 60


def test_changes_on_every_library(backend):
    def f(x):
        y = x * 1.0
        y[1:, ...] = y[:2, ...] * y[:2, ...]
        y[0, ...] *= 3.0
        if backend.name != "array_api_strict":  # no masks on this device
            y[y > 1.0] = 0.5
        return xnn.arrays.namespace(x).sum(y * y * x)

    x = backend.asarray(V, "float64")
    with backend.scope():
        first, second = grad(f)(x), hvp(f, x, x)
    if backend.name not in ("numpy", "array_api_strict"):
        np.testing.assert_allclose(backend.to_numpy(first), grad(f)(V), rtol=1e-13)
        np.testing.assert_allclose(backend.to_numpy(second), hvp(f, V, V), rtol=1e-13)
    np.testing.assert_array_equal(backend.to_numpy(x), V)


def test_arithmetic_in_place_is_that_of_the_library(backend):
    def f(x):
        y = x
        y += 1.0
        return y * x

    x = backend.asarray(V, "float64")
    with backend.scope():
        y, slope = jvp(f, x, backend.asarray(np.ones(3), "float64"))
    if backend.name == "jax":  # whose arrays never change: x is what it was
        np.testing.assert_allclose(backend.to_numpy(slope), 2 * V + 1)
    else:
        np.testing.assert_allclose(backend.to_numpy(y), (V + 1) ** 2)
        np.testing.assert_allclose(backend.to_numpy(slope), 2 * V + 2)


def test_numbers_do_not_change_in_place():
    def f(x):
        total = x[0]
        before = total
        total += x[1]
        s = np.sum(x)
        t = s
        s *= 2.0
        return total * before + s * t

    np.testing.assert_allclose(grad(f)(V), grad(lambda x: (x[0] + x[1]) * x[0] + 2 * np.sum(x) ** 2)(V))

    def of_a_number(x):
        y = x
        y += 1.0
        return y * x

    assert grad(of_a_number)(3.0) == 7.0


def test_a_copy_keeps_what_it_was(backend):
    def f(x):
        xp = x.__array_namespace__()
        y, z = x.copy(), xp.asarray(x, copy=True)
        x *= 2.0
        return xp.sum(y * z * x)

    if backend.name != "jax":
        with backend.scope():
            g = backend.to_numpy(grad(f)(backend.asarray(V, "float64")))
        np.testing.assert_allclose(g, 6 * V**2)


def test_a_transpose_is_a_view(backend):
    if backend.name == "jax":
        pytest.skip("its arrays do not change")
    xp = recording(backend.xp)
    c = backend.asarray(np.arange(9.0).reshape(3, 3), "float64")

    def symmetric(x):
        y = x[:, None] * x**2
        y += y.T
        return xp.sum(c * (y @ y))

    def by_views(x):
        y = x[:, None] * x**2
        rows = y.T[1:, :]
        rows[0, :2] = 3.0 * x[:2]
        back = rows.T
        back[2, :] = x[1]
        y[0, 1] *= x[2]
        return xp.sum(c * y**3) + xp.sum(rows**2) + xp.sum(back**3)

    with backend.scope():
        for f in (by_views,) if backend.name == "torch" else (symmetric, by_views):  # PyTorch refuses y += y.T
            check_gradients(f, backend.asarray(V, "float64"))


def test_what_may_share_memory_is_refused():
    for view in (
        np.transpose, lambda x: x.reshape(3, 1), lambda x: np.flip(x), lambda x: x.ravel(), np.atleast_2d,
        lambda x: x[None].squeeze(), lambda x: np.broadcast_to(x, (2, 3)), lambda x: np.diagonal(x[None]),
        lambda x: x[1:].reshape(1, 2),
    ):  # fmt: skip

        def writes(x, view=view):
            y = view(x)
            x[0] = 1.0
            return np.sum(y)

        def adds(x, view=view):
            y = view(x)
            y += 1.0
            return np.sum(x)

        for f in (writes, adds):
            with pytest.raises(TypeError, match=r"may share its memory.*x\.copy\(\)"):
                grad(f)(V.copy())

    def alone(x):  # nobody else holds what these are views of
        y = np.exp(x).reshape(3, 1)
        y[0] *= 2.0
        z = np.tile(y[:, 0] * 1.0, 2).T
        z[1:] += x[0]
        w = x.flatten()
        w[0] = 1.0
        return np.sum(y) + np.sum(z * z) + np.sum(w * x)

    check_gradients(alone, V)


def test_indices_from_the_end_on_every_library(backend):
    x = backend.asarray([1.0, 2.0, 3.0], "float64")
    xp = recording(xnn.arrays.namespace(x))
    i = xp.asarray([-1, 0, -1], device=x.device)
    found = backend.to_numpy(grad(lambda x: xp.sum(x[i] * x[i]))(x))
    np.testing.assert_array_equal(found, [2, 0, 12])


def test_keys_that_are_truth_values_ranges_or_empty():
    def f(x):
        y = x * 1.0
        y[range(2)] *= x[0]
        y[[]] = 7.0
        y[True] += x[::-1]
        y[x[0] < 0.0] = 9.0
        return np.sum(y * y * x)

    check_gradients(f, V)
    np.testing.assert_allclose(jvp(f, V, V)[0], f(V), rtol=1e-14)


def test_what_cannot_be_written():
    for f, message in (
        (lambda x: np.zeros(3).__setitem__(slice(2), x[:2]), "zeros_like"),
        (lambda x: x.__setitem__(0, 1j * x[0]), "cannot take complex"),
        (lambda x: x.__iadd__(1j * x), "cannot take complex"),
        (lambda x: x[:1].__iadd__(x), r"shape \(3,\)"),
        (lambda x: x.__setitem__(x > x[0] * x, 1.0) or x.__setitem__(x, 1.0), "no derivative"),
    ):
        with pytest.raises((TypeError, ValueError, NotImplementedError), match=message):
            grad(f)(V.copy())


def test_nested_derivatives_see_the_values_of_their_time():
    def outer(x):
        def inner(w):
            y = w * x  # keeps x as it is here
            x[0] = 100.0
            y[1:] *= x[:2]
            return np.sum(y)

        y = x * 1.0
        x = y
        return np.sum(grad(inner)(np.ones(3)) * V)

    def the_same(x):
        return x[0] * V[0] + x[1] * 100.0 * V[1] + x[2] * x[1] * V[2]

    np.testing.assert_allclose(grad(outer)(V), grad(the_same)(V), rtol=1e-14)

    def pulled_later(x):
        x = x * 1.0
        y, pull = vjp(lambda w: np.exp(w) * x, x)
        x[...] = 0.0
        y[...] = 0.0
        return np.sum(pull(V))

    np.testing.assert_allclose(grad(pulled_later)(V), grad(lambda x: np.sum(np.exp(x) * x * V))(V), rtol=1e-14)

    def argument(x):
        def inner(w):
            w[0] = w[1] * w[1]
            return np.sum(w * w)

        return np.sum(grad(inner)(x) * x)  # x is not changed by what inner does to its argument

    right = lambda x: np.sum(np.stack([0 * x[0], 2 * x[1] + 4 * x[1] ** 3, 2 * x[2]]) * x)  # noqa: E731
    np.testing.assert_allclose(grad(argument)(V), grad(right)(V), rtol=1e-14)


def test_what_a_recomputed_function_writes_does_not_reach_the_array():
    def f(x):
        x[0] = x[1] ** 2
        return np.sum(x * x)

    x = V.copy()
    slope = grad(lambda x: checkpoint(f)(x) + np.sum(x**3))(x)
    np.testing.assert_array_equal(x, V)
    np.testing.assert_allclose(slope, [0, 2 * V[1] + 4 * V[1] ** 3, 2 * V[2]] + 3 * V**2)


def test_an_inner_derivative_that_is_written_into_an_outer_array_does_not_get_out():
    def outer(x):
        y = x * 1.0
        grad(lambda w: np.sum(y.__setitem__(0, w[0]) or w))(x)
        return np.sum(y)

    with pytest.raises(RuntimeError, match="has been taken already"):
        grad(outer)(V)


def test_views_that_nobody_holds_are_forgotten():
    values, sizes = [], []

    def f(x):
        y = np.exp(x)
        for _ in range(500):
            tail = y[1:]
            tail[0] = tail[1] * 0.5
            values.append(weakref.ref(tail))
            sizes.append(len(y.kin.family))
        return np.sum(y)

    gc.disable()  # so that a cycle of references would show
    try:
        grad(f)(V)
        assert not any(view() for view in values)
    finally:
        gc.enable()
    assert max(sizes) < 10


@pytest.mark.parametrize("key", ["a", 1.5, {}])
def test_what_is_no_key_is_an_error(backend, key):
    with pytest.raises(IndexError, match="as keys; got"):
        xnn.grad(lambda x: x[key])(backend.asarray([1.0, 2.0]))
