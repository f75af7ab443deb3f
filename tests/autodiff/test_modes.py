"""The modes of use, their nesting, and what must not go wrong."""

from __future__ import annotations

import copy
import gc
import math
import pickle
import threading
import weakref
from collections import namedtuple

import numpy as np
import pytest
from references import scaled_error

import xnn
from xnn.autodiff import (
    Derivative,
    check_gradients,
    checkpoint,
    custom,
    derivative,
    derivatives,
    grad,
    hessian,
    hvp,
    jacobian,
    jvp,
    linearize,
    recording,
    show,
    stop_gradient,
    value_and_grad,
    vjp,
)
from xnn.autodiff.tape import Tape


def root(x):
    """Text 001's example √(x² + exp x²)."""
    xp = xnn.arrays.namespace(x)
    a = x**2
    return xp.sqrt(a + xp.exp(a))


def number(backend, a):
    return float(backend.to_numpy(a))


# -- Acceptance rows 7, 8 and 9 ----------------------------------------------------------------------------------


def test_row_7(backend):
    f = grad(lambda x: xnn.arrays.namespace(x).exp(x**2))
    for x, right in ((1.0, 5.436563656918090), (2.0, 218.392600132577)):
        assert number(backend, f(backend.asarray(x, "float64"))) == pytest.approx(right, rel=1e-14)


def test_row_8(backend):
    x = backend.asarray(1.0, "float64")
    text = str(show(root, x))
    for value in ("0.2592978", "0.9641423", "1.928284686", "2.718281828", "3.718281828"):
        assert value in text
    value, slope = value_and_grad(root)(x)
    assert number(backend, value) == pytest.approx(1.928284685532467, rel=1e-14)
    for at, right in ((1.0, 1.928284685532467), (2.0, 14.526078410856), (-1.5, -4.591777475), (0.0, 0.0)):
        for f in (grad(root), derivative(root)):
            assert number(backend, f(backend.asarray(at, "float64"))) == pytest.approx(right, rel=1e-9, abs=1e-15)
    assert number(backend, root(backend.asarray(2.0, "float64"))) == pytest.approx(7.65494284976)
    del slope


def test_show_names_each_step():
    text = str(show(lambda x: np.sqrt(x**2 + np.exp(x**2)), 1.0))
    assert [line.split("  ")[0].strip() for line in text.splitlines()] == [
        "step", "x", "a = x ** 2", "b = x ** 2", "c = exp(b)", "d = a + c", "e = sqrt(d)",
    ]  # fmt: skip


def test_row_9_forward_and_reverse_are_two_bracketings_of_one_product(backend, rng):
    A = backend.asarray(rng.normal(size=(3, 4)), "float64")
    x = backend.asarray(rng.normal(size=4), "float64")

    def f(x):
        return xnn.arrays.namespace(x).tanh(A @ x) * (A @ x)

    forward, reverse = (backend.to_numpy(jacobian(f, mode=mode)(x)) for mode in ("forward", "reverse"))
    assert scaled_error(forward, reverse) < 1e-14
    assert scaled_error(backend.to_numpy(jacobian(f)(x)), reverse) < 1e-14


def test_a_scalar_function_of_n_inputs_costs_one_reverse_or_n_forward_passes():
    calls = {"push": 0, "pull": 0}

    def counted(v, y, x):
        calls["push"] += 1
        return 2 * x * v

    def pulled(g, y, x):
        calls["pull"] += 1
        return 2 * x * g

    f = custom(lambda x: x * x, jvp=counted, vjp=pulled)
    x = np.arange(7.0)
    jacobian(lambda x: np.sum(f(x)), mode="reverse")(x)
    jacobian(lambda x: np.sum(f(x)), mode="forward")(x)
    assert calls == {"push": 7, "pull": 1}


# -- Shapes of use -----------------------------------------------------------------------------------------------


def test_structures_and_argnums(backend, rng):
    a, b = (backend.asarray(rng.normal(size=(2,)), "float64") for _ in range(2))

    def f(p, x, scale=1.0):
        y = p["w"][0] * p["w"][1] * x
        return scale * xnn.arrays.namespace(y).sum(y)

    p = {"w": [a, b]}
    by_p, by_x = grad(f, (0, 1))(p, a, scale=3.0)
    np.testing.assert_allclose(backend.to_numpy(by_p["w"][1]), 3 * backend.to_numpy(a) ** 2)
    np.testing.assert_allclose(backend.to_numpy(by_x), 3 * backend.to_numpy(a * b))
    np.testing.assert_allclose(backend.to_numpy(grad(f, 1)(p, a)), backend.to_numpy(a * b))
    value, push = linearize(lambda p: f(p, a), p)
    np.testing.assert_allclose(number(backend, push({"w": [a, b]})), 2 * number(backend, value))


def test_numbers_and_lists_are_arrays():
    assert grad(lambda x: x**3)(2.0) == 12.0
    np.testing.assert_array_equal(grad(lambda x: np.sum(x * x))([1.0, 2.0]), [2, 4])


def test_a_result_that_does_not_depend_has_zero_derivatives(backend):
    x = backend.asarray([1.0, 2.0], "float64")
    one = backend.asarray(1.0, "float64")
    np.testing.assert_array_equal(backend.to_numpy(grad(lambda x: one)(x)), [0, 0])
    np.testing.assert_array_equal(backend.to_numpy(jvp(lambda x: one, x, x)[1]), 0)
    np.testing.assert_array_equal(backend.to_numpy(derivative(lambda x: one)(x)), 0)
    assert jacobian(lambda x: x[0:0])(x).shape == (0, 2)


def test_hessian_of_a_structure(backend, rng):
    x = {"a": backend.asarray(rng.normal(size=2), "float64"), "b": backend.asarray(rng.normal(size=3), "float64")}

    def f(x):
        xp = xnn.arrays.namespace(x["a"])
        return xp.sum(x["a"] ** 2) * xp.sum(xp.sin(x["b"]))

    h = hessian(f)(x)
    a, b = (backend.to_numpy(x[k]) for k in "ab")
    np.testing.assert_allclose(backend.to_numpy(h["a"]["a"]), 2 * np.eye(2) * np.sum(np.sin(b)))
    np.testing.assert_allclose(backend.to_numpy(h["a"]["b"]), np.outer(2 * a, np.cos(b)))
    np.testing.assert_allclose(backend.to_numpy(h["b"]["b"]), -np.diag(np.sin(b)) * np.sum(a * a), atol=1e-15)
    product = hvp(f, x, x)
    right = backend.to_numpy(h["a"]["a"]) @ a + backend.to_numpy(h["a"]["b"]) @ b
    np.testing.assert_allclose(backend.to_numpy(product["a"]), right)


def test_derivatives_of_many_orders(backend):
    x = backend.asarray([0.3, 0.7], "float64")
    for order, d in enumerate(derivatives(lambda x: xnn.arrays.namespace(x).sin(2.0 * x), 5)(x)):
        right = 2.0**order * np.sin(2 * np.array([0.3, 0.7]) + order * math.pi / 2)
        np.testing.assert_allclose(backend.to_numpy(d), right, rtol=1e-12)
    nested = grad(grad(grad(lambda x: root(x))))
    one = backend.asarray(0.7, "float64")
    assert number(backend, nested(one)) == pytest.approx(number(backend, derivative(root, 3)(one)), rel=1e-12)


def test_float32_stays_float32(backend):
    x = backend.asarray([1.0, 2.0], "float32")
    f = lambda x: xnn.arrays.namespace(x).sum(2.0 * xnn.arrays.namespace(x).tanh(x) ** 2)  # noqa: E731
    for g in (grad(f)(x), hvp(f, x, x), derivative(lambda x: x**3 / 2.0, 2)(x)):
        assert g.dtype == x.dtype


# -- Nesting -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("outer", [grad, derivative])
@pytest.mark.parametrize("inner", [grad, derivative])
def test_levels_are_not_confused(backend, outer, inner):
    one, two = backend.asarray(1.0, "float64"), backend.asarray(2.0, "float64")
    assert number(backend, outer(lambda x: x * inner(lambda y: x + y)(one))(two)) == 1.0
    assert number(backend, outer(lambda x: x * inner(lambda y: x * y)(two))(one)) == 2.0
    assert number(backend, outer(lambda x: inner(lambda y: x**2 * y**3)(x))(two)) == 3 * 4 * 8.0
    assert number(backend, outer(lambda x: inner(lambda y: stop_gradient(x) * y * y)(x))(two)) == 2 * 2.0
    assert number(backend, outer(lambda x: x + inner(lambda y: one)(x))(two)) == 1.0


def test_a_pullback_made_inside_is_differentiated_outside():
    def f(x):
        y, pull = vjp(np.sin, x)
        return pull(y)

    assert grad(f)(0.3) == pytest.approx(math.cos(0.6))


def test_exceptions_leave_no_trace():
    def broken(x):
        raise KeyError(x * x)

    for mode in (grad(broken), derivative(broken), hessian(broken)):
        with pytest.raises(KeyError):
            mode(1.0)
    assert grad(grad(lambda x: x**3))(2.0) == 12.0


def test_an_exception_inside_leaves_the_outer_derivative_right():
    def f(x):
        for inner in (
            grad(lambda y: np.nextafter(y, 3.0)),
            derivative(lambda y: y.nothing),
            jacobian(lambda y: y[x, y]),
        ):
            with pytest.raises((Derivative, AttributeError, IndexError)):
                inner(x * x)
        return x * grad(lambda y: y * y * x)(x)

    for mode in (grad, derivative):
        assert mode(f)(2.0) == 24.0  # 2x³
        assert mode(mode(f))(2.0) == 24.0


def test_derivatives_of_functions_that_take_derivatives():
    """Each of three levels moves its own variable, whatever mode it runs in, and through what it closes over."""
    modes = (grad, derivative, lambda f: lambda x: jvp(f, x, 1.0)[1], lambda f: lambda x: linearize(f, x)[1](1.0))
    for a in modes:
        for b in modes:
            for c in modes:
                f = a(lambda x, b=b, c=c: x * b(lambda y, x=x, c=c: y * c(lambda z: x * y * z * z)(x + y))(x))
                # c gives 2xy(x+y), b ∂y[2xy²(x+y)] = 4x²y + 6xy² at y = x: 10x³, so f = (10x⁴)′
                assert f(1.5) == pytest.approx(40 * 1.5**3, rel=1e-14)


def test_an_array_that_was_kept_beyond_its_derivative_is_refused():
    kept = []
    grad(lambda x: (kept.append(x), x * x)[1])(1.0)
    with pytest.raises(RuntimeError, match="taken already"):
        kept[0] + 1.0
    with pytest.raises(RuntimeError, match="taken already"):
        np.sin(kept[0])


def test_threads_do_not_see_each_other():
    failed = []

    def work(k):
        for _ in range(50):
            if grad(grad(lambda x: x**4 * k))(2.0) != 48.0 * k:
                failed.append(k)
            if derivative(lambda x: x * grad(lambda y: x * y**k)(x), 2)(1.0) != (k + 1) * k * k:
                failed.append(k)
            if grad(lambda z: np.abs(np.fft.fft(z))[k] ** 2)(np.ones(8))[0] != 0.0:
                failed.append(k)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(1, 5)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failed


@pytest.mark.parametrize("mode", [grad, derivative, lambda f: jacobian(f, mode="forward")])
def test_a_graph_of_many_nodes_needs_no_recursion(mode):
    """Neither on the way nor when it is freed."""

    def f(x):
        for _ in range(100_000):
            x = x + 1e-9
        return x * x

    assert mode(f)(1.0) == pytest.approx(2.0002)


# -- What would cut a derivative ----------------------------------------------------------------------------------


@pytest.mark.parametrize("cut", [float, bool, int, complex, np.asarray, lambda x: [1, 2][x], lambda x: x.item()])
def test_conversions_raise(cut):
    with pytest.raises(TypeError, match="derivative"):
        grad(cut)(1.0)


def test_integers_are_refused_by_name():
    with pytest.raises(TypeError, match=r"argument 0: .* got int64"):
        grad(np.sum)(np.arange(3))
    with pytest.raises(TypeError, match=r"argument 0\['layers'\]\[1\]\['b'\]: .* got int64"):
        grad(np.sum)({"layers": [np.ones(3), {"w": np.ones(2), "b": np.arange(3)}]})


def test_complex_numbers_follow_the_convention(backend):
    """∂L/∂Re z + i ∂L/∂Im z; J v forward; conj(f′) g backward."""
    z = backend.asarray(np.asarray(1 + 2j))
    f = lambda z: xnn.arrays.namespace(z).exp(z) * z  # noqa: E731
    slope = np.exp(1 + 2j) * (2 + 2j)
    g, v = 0.5 - 0.25j, -1.0 + 3j
    _, pull = vjp(f, z)
    np.testing.assert_allclose(backend.to_numpy(pull(backend.asarray(np.asarray(g)))), np.conj(slope) * g)
    np.testing.assert_allclose(backend.to_numpy(jvp(f, z, backend.asarray(np.asarray(v)))[1]), slope * v)
    np.testing.assert_allclose(backend.to_numpy(derivative(f)(z)), slope)
    np.testing.assert_allclose(backend.to_numpy(derivative(f, 3)(z)), np.exp(1 + 2j) * (4 + 2j))
    np.testing.assert_allclose(backend.to_numpy(grad(lambda z: abs(z) ** 2)(z)), 2 + 4j)
    real = lambda z: xnn.arrays.namespace(z).real(z * z)  # noqa: E731
    np.testing.assert_allclose(backend.to_numpy(grad(real)(z)), 2 - 4j)
    x = backend.asarray(np.asarray(2.0))
    found = grad(lambda x: abs(x * (3 + 4j)) ** 2)(x)
    assert found.dtype == x.dtype
    assert number(backend, found) == pytest.approx(100)


def test_complex_numbers_in_python_and_in_lists():
    assert grad(lambda z: abs(z) ** 2)(1 + 2j) == 2 + 4j
    np.testing.assert_array_equal(grad(lambda z: np.sum(z.real * z.imag))([1 + 2j, 3j]), [2 + 1j, 3 + 0j])
    assert vjp(lambda z: z * z, 1j)[1](1j) == 2
    check_gradients(lambda z, x: np.exp(z) * x + np.conj(z), np.asarray([0.3 + 0.2j, 1j]), np.asarray([1.0, 2.0]))


def test_complex_results_say_what_to_do():
    with pytest.raises(TypeError, match="real part or abs"):
        grad(lambda z: z * z)(1j)
    z = np.asarray([1j, 2.0])
    with pytest.raises(TypeError, match="holomorphic"):
        jacobian(np.conj)(z)
    for mode in (None, "forward", "reverse"):
        np.testing.assert_allclose(jacobian(np.exp, mode=mode, holomorphic=True)(z), np.diag(np.exp(z)))
        J = jacobian(lambda x: np.fft.fft(x), mode=mode)(np.arange(3.0))
        np.testing.assert_allclose(J, np.fft.fft(np.eye(3)), atol=1e-15)
    H = hvp(lambda z: np.sum(np.abs(z) ** 2), z, 1j * z)
    np.testing.assert_allclose(H, 2j * z)


def test_a_gradient_is_that_of_one_number():
    with pytest.raises(ValueError, match="one number"):
        grad(lambda x: x)(np.ones(2))
    with pytest.raises(TypeError, match="one number"):
        grad(lambda x: (x, x))(1.0)


def test_recording_leaves_plain_arrays_alone(backend):
    x = backend.asarray([1.0, 4.0], "float64")
    xp = xnn.arrays.namespace(x)
    rec = recording(xp)
    assert rec is recording(xp)
    assert type(rec.sqrt(x)) is type(x)
    assert rec.__name__ != xp.__name__
    assert rec.float64 is xp.float64
    np.testing.assert_array_equal(backend.to_numpy(rec.sum(rec.sqrt(x))), 3)


# -- What a user says about derivatives ---------------------------------------------------------------------------


def test_checkpoint_recomputes(backend):
    calls = []

    @checkpoint
    def f(p, x):
        calls.append(1)
        return root(p["a"] * x)

    p, x = {"a": backend.asarray(1.0, "float64")}, backend.asarray(2.0, "float64")
    by_p, by_x = grad(f, (0, 1))(p, x)
    assert len(calls) == 2
    assert number(backend, by_x) == pytest.approx(14.526078410856)
    assert number(backend, by_p["a"]) == pytest.approx(2 * 14.526078410856)
    plain = grad(grad(root))(x)
    for second in (grad(grad(lambda x: f(p, x)))(x), derivative(lambda x: f(p, x), 2)(x)):
        assert number(backend, second) == pytest.approx(number(backend, plain), rel=1e-12)


def test_checkpoint_refuses_what_it_cannot_see():
    with pytest.raises(ValueError, match="among its arguments"):
        grad(lambda x: checkpoint(lambda y: x * y)(1.0 * x))(2.0)


def test_a_rule_of_the_user():
    cube = custom(lambda x: np.asarray(x) ** 3, vjp=lambda g, y, x: 3 * x**2 * g, jvp=lambda v, y, x: 3 * x**2 * v)
    assert grad(cube)(2.0) == 12
    assert grad(grad(cube))(2.0) == 12
    assert derivatives(cube, 2)(2.0) == (8, 12, 12)
    assert cube(2.0) == 8
    with pytest.raises(Derivative, match="no jvp"):
        derivative(custom(lambda x: x, vjp=lambda g, y, x: g))(1.0)
    with pytest.raises(ValueError, match="shape"):
        grad(lambda x: np.sum(custom(lambda x: x, vjp=lambda g, y, x: g[0])(x)))(np.ones(2))


def test_settings_of_a_rule_are_handed_on():
    power = custom(
        lambda x, n=2: x**n,
        vjp=lambda g, y, x, n=2: g * n * x ** (n - 1),
        jvp=lambda v, y, x, n=2: v * n * x ** (n - 1),
    )
    assert power(2.0, n=3) == 8
    assert grad(lambda x: power(x, n=3))(2.0) == 12
    assert grad(power)(2.0) == 4
    assert derivatives(lambda x: power(x, n=3), 2)(2.0) == (8, 12, 12)
    with pytest.raises(TypeError, match="by position only; hand x in without its name"):
        grad(lambda x: power(x=x))(2.0)


def test_checkpoint_takes_arrays_by_keyword(backend):
    @checkpoint
    def f(x, *, p, root=False):
        y = p["a"].__array_namespace__().sum(x * p["a"])
        return y**0.5 if root else y

    x, a = backend.asarray([1.0, 2.0], "float64"), backend.asarray([1.0, 4.0], "float64")
    by_x, by_a = grad(lambda x, a: f(x, p={"a": a}, root=True), (0, 1))(x, a)
    np.testing.assert_allclose(backend.to_numpy(by_x), np.array([1.0, 4.0]) / 6, rtol=1e-14)
    np.testing.assert_allclose(backend.to_numpy(by_a), np.array([1.0, 2.0]) / 6, rtol=1e-14)
    slope = jvp(lambda a: f(x=x, p={"a": a}), a, a)[1]
    assert number(backend, slope) == 9


def test_what_else_a_function_gives_is_handed_on(backend):
    def f(x, c):
        y = root(c * x)
        return y, {"half": 0.5 * y, "what": "a text", "calls": [1, x]}

    x = backend.asarray(2.0, "float64")
    (y, aux), slope = value_and_grad(f, has_aux=True)(x, 1.0)
    assert number(backend, slope) == pytest.approx(14.526078410856)
    assert number(backend, aux["half"]) == number(backend, y) / 2
    assert aux["what"] == "a text"
    assert aux["calls"][0] == 1
    assert stop_gradient(aux["calls"][1]) is aux["calls"][1]  # carries no derivative
    slopes, aux = grad(f, (0, 1), has_aux=True)(x, x)
    assert len(slopes) == 2

    def slope_of(x):  # an outer derivative goes through what an inner one hands on
        return grad(f, has_aux=True)(x, 1.0)[1]["half"]

    assert number(backend, grad(slope_of)(x)) == pytest.approx(14.526078410856 / 2)
    for result, got in ((x, "an array"), ((x, x, x), "a tuple of 3"), (None, "NoneType")):
        with pytest.raises(TypeError, match=rf"\(its value, anything else\); it gave {got}"):
            grad(lambda x, result=result: result, has_aux=True)(x)


def test_check_gradients_finds_the_entry():
    check_gradients(lambda p: np.tanh(p["a"] @ p["b"]), {"a": np.full((2, 3), 0.3), "b": np.full((3, 2), 0.2)})

    def wrong(g, y, x, w):
        return g * w, g * x * np.asarray([1.0, 1.0, 1.5])

    f = custom(lambda x, w: x * w, vjp=wrong, jvp=lambda v, y, x, w: v[0] * w + x * v[1])
    with pytest.raises(AssertionError, match=r"reverse mode: the derivative by argument 1\[2\]"):
        check_gradients(f, np.asarray([1.0, 2.0, 3.0]), np.asarray([1.0, 2.0, 4.0]))
    f = custom(lambda x: x**2, vjp=lambda g, y, x: 2 * x * g, jvp=lambda v, y, x: 3 * x * v)
    with pytest.raises(AssertionError, match="forward mode: the derivative by argument 0"):
        check_gradients(f, np.asarray([1.0, 2.0]))


# -- NumPy's own functions ----------------------------------------------------------------------------------------


def test_code_written_with_numpy():
    rng = np.random.default_rng(1)
    A, x = rng.normal(size=(3, 3)), rng.normal(size=3)
    functions = [
        lambda x: np.sum(np.sin(x), 0),
        lambda x: np.sum(A @ x),
        lambda x: np.dot(A, x) @ x,
        lambda x: np.mean(np.exp(x) ** 2, axis=0),
        lambda x: np.sum(np.concatenate([x, x * x])[::2]),
        lambda x: np.sum(np.vstack([x, x * x]) * np.hstack([x, x])[:3]),
        lambda x: np.sum(np.where(x > 0, x, 2 * x)) + np.max(x) * np.amin(x),
        lambda x: np.std(x) + np.var(x, ddof=1),
        lambda x: np.linalg.norm(x) + np.linalg.norm(np.outer(x, x)) + np.linalg.norm(x, 3),
        lambda x: np.linalg.norm(np.outer(x, x) + A, "nuc") + np.sum(np.linalg.norm(np.outer(x, x), axis=0)),
        lambda x: np.sum(np.abs(np.fft.rfft(x, norm="ortho")) ** 2 + np.fft.fftn(x * (1 + 1j), s=(2,), axes=(0,)).imag),
        lambda x: np.linalg.svd(np.outer(x, x) + A)[1][1] * np.linalg.pinv(x[:, None] @ x[None, :])[0, 1],
        lambda x: np.sum(np.linalg.inv(A + np.outer(x, x))),
        lambda x: np.linalg.solve(A, x)[0] + np.linalg.det(A * x),
        lambda x: np.sum(np.transpose(np.reshape(x, (3, 1))) * np.ravel(x)),
        lambda x: np.sum(np.clip(x, -0.1, 0.1) + np.abs(x) + np.arctan2(x, 2.0) + np.power(x, 2)),
        lambda x: np.sum(np.cumsum(x) * np.prod(x) + np.add.reduce(x)),
        lambda x: np.sum(np.float64(2.0) * x + np.tensordot(A, x, axes=1)),
        lambda x: np.sum(x[np.array([0, 0, 2])] * x[..., None].T),
        lambda x: sum(y * y for y in x),
        lambda x: (x.reshape(3, 1) * x).sum(axis=0).mean() + x.ravel().max() * x.copy().astype(x.dtype).min(),
        lambda x: np.sum(np.square(x) / np.sqrt(1 + x**2) - np.negative(x)),
    ]
    for f in functions:
        check_gradients(f, x)
    with pytest.raises(Derivative, match="nextafter"):
        grad(lambda x: np.sum(np.nextafter(x, 2.0)))(x)


def test_code_written_with_array_api_extra():
    extra = pytest.importorskip("array_api_extra")
    x = np.random.default_rng(2).normal(size=(2, 3))
    for f in (lambda x: extra.kron(x, x), lambda x: extra.atleast_nd(x, ndim=3) ** 2, lambda x: extra.sinc(x)):
        check_gradients(f, x)


def test_what_is_not_reached_is_forgotten():
    x = np.ones(3)
    gc.disable()
    try:
        made = []

        def f(x):
            y = np.sin(x)
            made.append(weakref.ref(y.value))
            return np.sum(y * y)

        grad(f)(x)
        assert made[0]() is None
    finally:
        gc.enable()


def test_the_tape_keeps_each_shape_once():
    """Where the derivative reads no numbers of an array, thousands of operations share what is kept of it."""

    def steps(x):
        for _ in range(50):
            x = -x + 2.0
        return np.sum(x)

    entries = [entry for entry in Tape(steps, (np.ones(3),), (0,)).level.tape if entry]
    assert len(entries) == 101
    kept = {id(a) for _, y, args, *_ in entries for a in (y, *args) if hasattr(a, "shape")}
    assert len(kept) == 2  # (3,) and ()


def test_copies_of_a_traced_array_are_traced():
    assert grad(lambda x: copy.copy(x) * x)(3.0) == 6.0


def test_random_compositions_agree_in_all_modes():
    xp = recording(xnn.get_backend("numpy").xp)
    unary = [
        xp.sin, xp.tanh, xp.exp, xp.atan, xp.square, xp.negative, xp.abs, xp.matrix_transpose, xp.sort, xp.tril,
        lambda x: xp.cumulative_sum(x, axis=0), lambda x: xp.cumulative_prod(x, axis=1),
        lambda x: xp.roll(x, 1, axis=0), lambda x: x[::-1, :], lambda x: x[:, 0] * x[1:2, :].T,
        lambda x: xp.max(x, axis=0) + xp.std(x, axis=1, keepdims=True),
        lambda x: xp.linalg.inv(x @ x.mT + 2.0 * xp.eye(3)), lambda x: xp.linalg.qr(x + 3.0 * xp.eye(3)).R,
        lambda x: xp.real(xp.fft.fft(x * (1 + 2j))), lambda x: xp.abs(xp.exp(1j * x) + x),
        lambda x: xp.linalg.svdvals(x) * x, lambda x: xp.take(x, np.asarray([2, 0, 0]), axis=1),
        lambda x: xp.reshape(x[x != 7.0], (3, 3)),
    ]  # fmt: skip
    binary = [xp.add, xp.multiply, xp.subtract, xp.maximum, xp.hypot, xp.matmul, lambda a, b: xp.where(a > b, a, b * b)]
    for seed in range(40):
        rng = np.random.default_rng(seed)
        picks = zip(rng.integers(len(unary), size=5), rng.integers(len(binary), size=5), strict=True)
        steps = [(unary[i], binary[j], int(rng.integers(3))) for i, j in picks]
        W = rng.normal(size=(3, 3))

        def f(x, steps=steps, W=W):
            values = [x, xp.tanh(x @ W), 0.5 * x[::-1]]
            for one, two, k in steps:
                a, b = values[-1], values[k]
                values.append(xp.tanh(two(one(0.5 * a), b)))
            return values[-1]

        x, v, w = rng.normal(size=(3, 3, 3))
        _, forward = jvp(f, x, v)
        _, pull = vjp(f, x)
        assert np.sum(forward * w) == pytest.approx(np.sum(pull(w) * v), rel=1e-10, abs=1e-13)
        other = jvp(lambda x, f=f, v=v: jvp(f, x, v)[1], x, v)[1]  # two nested first orders
        line = derivative(lambda t, f=f, x=x, v=v: f(x + t * v), 2)(np.zeros((3, 3)))  # one second order
        assert scaled_error(line, other) < 1e-10
        scalar = lambda x, f=f, w=w: np.sum(f(x) * w)  # noqa: E731
        assert np.sum(hvp(scalar, x, v) * v) == pytest.approx(np.sum(other * w), rel=1e-9, abs=1e-12)
        assert np.sum(vjp(grad(scalar), x)[1](v) * v) == pytest.approx(np.sum(other * w), rel=1e-9, abs=1e-12)


def test_against_jax(rng):
    jax = pytest.importorskip("jax")
    A, x, v = rng.normal(size=(4, 3)), rng.normal(size=3), rng.normal(size=3)

    def f(x, xp):
        y = xp.tanh(A @ x)
        return xp.sum(xp.exp(-(y**2)) * xp.cumsum(y)) * xp.max(y) + xp.linalg.norm(x)

    own, theirs = lambda x: f(x, np), lambda x: f(x, jax.numpy)
    assert scaled_error(grad(own)(x), jax.grad(theirs)(x)) < 1e-12
    assert scaled_error(hessian(own)(x), jax.hessian(theirs)(x)) < 1e-12
    assert np.sum(grad(own)(x) * v) == pytest.approx(jvp(own, x, v)[1], rel=1e-12)


def test_results_that_are_no_arrays(backend):
    x = backend.asarray([1.0, 2.0], "float64")
    assert backend.to_numpy(grad(lambda x: 3.0)(x)).tolist() == [0.0, 0.0]
    y, slope = jvp(lambda x: {"sum": backend.xp.sum(x) if x is None else x[0] * x[1], "one": 1}, x, x)
    assert [float(a) for a in (y["sum"], y["one"], slope["sum"], slope["one"])] == [2.0, 1.0, 4.0, 0.0]
    with pytest.raises(TypeError, match="its result is a NoneType"):
        jacobian(lambda x: None)(x)
    with pytest.raises(TypeError, match=r"its result\['b'\] is a str"):
        vjp(lambda x: {"a": x, "b": "b"}, x)
    with pytest.raises(TypeError, match="the function gave a tuple"):
        derivative(lambda x: (x, x))(x)


def test_numbers_are_arrays_of_the_library_beside_them(backend):
    x, n = backend.asarray([1.0, 2.0], "float32"), backend.asarray([1, 2], "int64")
    by_x, by_c = grad(lambda x, c: (x * c)[1], (0, 1))(x, 3.0)
    assert (by_x.dtype, by_c.dtype, number(backend, by_c)) == (x.dtype, x.dtype, 2)
    assert xnn.arrays.owner(grad(lambda c, n: c * 2.0)(3.0, n)) is xnn.arrays.owner(n)
    np.testing.assert_array_equal(backend.to_numpy(grad(lambda c, x: (c * x)[0] ** 2)([3.0, 4.0], x)), [6, 0])
    assert number(backend, derivative(lambda x, c: c**2 * x[1], argnum=1)(x, 3.0)) == 12
    assert backend.to_numpy(grad(lambda c, x: abs(c * x[1]))(3.0 + 4.0j, x)) == pytest.approx(2 * (0.6 + 0.8j))
    number_type = grad(lambda z, c: abs((z * c)[1]), (0, 1))(backend.asarray([1j, 2j], "complex64"), 3.0)[1].dtype
    assert number_type == x.dtype


def test_lists_of_numbers_are_results():
    x = np.ones(2)
    assert vjp(lambda x: [1.0, 2.0], x)[1]([1.0, 1.0]).tolist() == [0.0, 0.0]
    assert jacobian(lambda x: [[1.0, 2j]])(x).tolist() == [[[0, 0], [0, 0]]]
    check_gradients(lambda x: 3.0, x)


def test_argnums_name_arguments_by_position():
    with pytest.raises(ValueError, match="argument 1 of a call with 1 by position"):
        grad(lambda x: x, argnums=1)(1.0)
    with pytest.raises(TypeError, match="by their place, a whole number or several; got 'b'"):
        grad(lambda a, b: a * b, argnums="b")(1.0, 2.0)
    assert grad(lambda a, b: a * b, argnums=np.int64(1))(3.0, 2.0) == 3.0
    assert jacobian(lambda a, b: a * b, argnums=np.int64(1))(3.0, 2.0) == 3.0
    for several in (range(2), np.arange(2)):
        assert grad(lambda a, b: a * b, argnums=several)(3.0, 2.0) == (2.0, 3.0)
    with pytest.raises(ValueError, match="argument 0 of a call with 0 by position"):
        grad(lambda x: x)(x=1.0)
    for twice in ((0, 0), (0, -2)):
        with pytest.raises(ValueError, match="an argument twice"):
            grad(lambda a, b: a * b, argnums=twice)(3.0, 2.0)
    with pytest.raises(TypeError, match=r"argument 1\['name'\]: expected numbers"):
        grad(lambda a, b: a, argnums=(0, 1))(3.0, {"x": np.ones(2), "name": None})
    assert derivative(lambda x: x**3, np.int64(2))(1.0) == 6


def test_what_is_written_into_a_deep_copy_stays_there():
    def f(x):
        y = 1.0 * x
        z = copy.deepcopy({"y": [y]})["y"][0]
        z[0] = 5.0
        return np.sum(y * z)

    assert grad(f)(np.ones(2)).tolist() == [5, 2]
    with pytest.raises(TypeError, match="a pickle of an array that carries a derivative"):
        grad(lambda x: pickle.loads(pickle.dumps(x)))(1.0)


def test_tuples_with_names_stay_such():
    Line = namedtuple("Line", "slope offset")
    found = grad(lambda line: line.slope * 3.0 + line.offset)(Line(np.asarray(2.0), np.asarray(1.0)))
    assert found == Line(3.0, 1.0)
    assert isinstance(found, Line)


def test_numbers_can_be_printed_on_the_way(capsys):
    grad(lambda x: (print(f"{x:.2f}"), x * x)[1])(np.asarray(2.0))
    assert capsys.readouterr().out == "2.00\n"


def test_what_a_rule_of_ones_own_takes_and_gives():
    x = np.array([1.0, 2.0])
    scaled = custom(lambda x, c: x * c, vjp=lambda g, y, x, c: [g * c, 0.0], jvp=lambda v, y, x, c: v[0] * c + x * v[1])
    assert jvp(lambda x: scaled(x, 3.0), x, x)[1].tolist() == [3.0, 6.0]  # a number has the tangent 0
    assert grad(lambda x: np.sum(scaled(x, 3.0)))(x).tolist() == [3.0, 3.0]  # a list of adjoints
    of_dictionary = custom(lambda p: p["a"] * 2.0, vjp=lambda g, y, p: {"a": g})
    with pytest.raises(TypeError, match="one by one"):
        grad(lambda p: np.sum(of_dictionary(p)))({"a": x})
    assert of_dictionary({"a": x}).tolist() == [2.0, 4.0]
    with pytest.raises(TypeError, match="no array for argument 0, but None"):
        grad(lambda x: np.sum(custom(np.sin, vjp=lambda g, y, x: None)(x)))(x)
    for wrapped in (checkpoint, lambda f: custom(f, vjp=lambda g, y, x: g)):
        with pytest.raises(TypeError, match="one array; got tuple"):
            grad(lambda x, wrapped=wrapped: np.sum(wrapped(lambda x: (x, x))(x)[0]))(x)
