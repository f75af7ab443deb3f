"""The training loop: what it takes, when it stops, what it leaves behind."""

import os
import signal
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest

import xnn


def regression(rng, n=40):
    x = rng.normal(size=(n, 3))
    return x, x @ np.asarray([[1.0], [-2.0], [0.5]]) + 0.3


def line(backend="numpy", seed=0, dtype="float64"):
    return xnn.Network([xnn.Dense(1)], inputs=3, backend=backend, dtype=dtype, seed=seed)


def deep(backend="numpy", seed=0, dtype="float64"):
    layers = [xnn.Dense(6), xnn.BatchNorm(), xnn.ReLU(), xnn.Dropout(0.2), xnn.Dense(1)]
    return xnn.Network(layers, inputs=3, backend=backend, dtype=dtype, seed=seed)


LOSS = xnn.MeanSquaredError()


def test_a_line_is_found(backend, rng):
    x, y = regression(rng)
    network = line(backend)
    history = network.fit(x, y, loss=LOSS, optimizer=xnn.Adam(lr=0.1), epochs=40, batch_size=8, metrics=["r2"])
    np.testing.assert_allclose(backend.to_numpy(network.parameters["0.weight"]), [[1, -2, 0.5]], atol=1e-2)
    assert list(history) == ["loss", "r2"]
    assert len(history) == 40
    assert history["loss"][-1] < 1e-3 < history["loss"][0]
    assert history["r2"][-1] > 0.999
    assert history.stop_reason == "iteration limit: 40 epochs"
    assert network.epoch == 40
    assert network.step == 200


def test_the_loop_is_the_four_steps_by_hand(backend, rng):
    x, y = regression(rng, 20)
    by_loop, by_hand = deep(backend), deep(backend)
    optimizer, penalty = xnn.Adam(lr=0.01), xnn.L2(0.01)
    by_loop.fit(x, y, loss=LOSS, optimizer=optimizer, epochs=2, batch_size=8, shuffle=False, penalty=penalty)
    state = optimizer.init(by_hand.parameters)
    for _ in range(2):
        for rows in (slice(0, 8), slice(8, 16), slice(16, 20)):
            outputs = by_hand.forward(x[rows], training=True)
            cost = LOSS(outputs, y[rows])
            same, gradients = by_hand.gradients(x[rows], y[rows], LOSS, penalty=penalty)
            assert float(same) > float(cost)  # by the penalty
            parameters, state = optimizer.update(by_hand.parameters, gradients, state)
            by_hand.set_parameters(parameters)
    # CuPy fuses the update of the loop into one kernel, in which the compiler may contract a·b + c.
    tolerance = 1e-15 if backend.name == "cupy" else 0
    np.testing.assert_allclose(backend.to_numpy(by_loop.flat), backend.to_numpy(by_hand.flat), rtol=tolerance)


def test_the_seed_repeats_a_run(backend, rng):
    x, y = regression(rng, 20)
    runs = [deep(backend, seed=seed) for seed in (1, 1, 2)]
    for network in runs:
        network.fit(x, y, loss=LOSS, epochs=2, batch_size=8)
    a, b, c = (backend.to_numpy(network.flat) for network in runs)
    np.testing.assert_array_equal(a, b)
    assert not np.array_equal(a, c)
    # Two calls go on where one would: neither the shuffles nor the masks start again.
    twice = deep(backend, seed=1)
    for _ in range(2):
        twice.fit(x, y, loss=LOSS, optimizer=xnn.SGD(lr=0.01), epochs=1, batch_size=8)
    once = deep(backend, seed=1)
    once.fit(x, y, loss=LOSS, optimizer=xnn.SGD(lr=0.01), epochs=2, batch_size=8)
    np.testing.assert_array_equal(backend.to_numpy(once.flat), backend.to_numpy(twice.flat))


def test_an_epoch_of_one_batch_is_not_shuffled(backend, rng):
    x, y = regression(rng, 20)
    shuffled, as_it_stands = deep(backend, seed=1), deep(backend, seed=1)
    for network, shuffle in ((shuffled, True), (as_it_stands, False)):
        network.fit(x, y, loss=LOSS, epochs=3, batch_size=None, shuffle=shuffle)
    np.testing.assert_array_equal(backend.to_numpy(shuffled.flat), backend.to_numpy(as_it_stands.flat))


def test_a_batch_may_be_as_large_as_one_can_say(backend):
    x = np.ones((5, 1))
    network, whole = (xnn.Network([xnn.Dense(1)], inputs=1, seed=0, backend=backend) for _ in range(2))
    network.fit(x, x, loss=LOSS, batch_size=2**70)
    whole.fit(x, x, loss=LOSS, batch_size=5)
    assert network.evaluate(x, x, loss=LOSS, batch_size=2**70) == whole.evaluate(x, x, loss=LOSS)


def test_every_example_is_seen_once_an_epoch(backend, rng):
    seen = []

    class Spy(xnn.Identity):
        """Notes what passes."""

        def forward(self, xp, x, *parameters):
            seen.append(backend.to_numpy(x)[:, 0])
            return x, ()

    network = xnn.Network([Spy(), xnn.Dense(1)], inputs=1, backend=backend, dtype="float64", seed=0)
    x = np.arange(10.0)[:, None]
    network.fit(x, x, loss=LOSS, epochs=2, batch_size=4)
    assert [len(batch) for batch in seen] == [4, 4, 2] * 2
    first, second = np.concatenate(seen[:3]), np.concatenate(seen[3:])
    np.testing.assert_array_equal(np.sort(first), np.arange(10))
    np.testing.assert_array_equal(np.sort(second), np.arange(10))
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, np.arange(10))


def test_full_batch_and_gradient_norm(backend, rng):
    x, y = regression(rng)
    network = line(backend)
    history = network.fit(x, y, loss=LOSS, optimizer=xnn.SGD(lr=0.3), epochs=500, batch_size=None, tol=1e-6)
    assert history.stop_reason.startswith("gradient norm")
    assert "< tol 1e-06" in history.stop_reason
    assert len(history) < 500
    _, gradients = network.gradients(x, y, LOSS)
    assert sum(float((backend.to_numpy(g) ** 2).sum()) for g in gradients.values()) ** 0.5 < 1e-6


def test_cost_change(rng):
    x, y = regression(rng)
    history = line().fit(
        x, y, loss=LOSS, optimizer=xnn.SGD(lr=0.1), epochs=500, batch_size=None, tol=1e-4, stop_on="cost"
    )
    assert history.stop_reason.startswith("cost change")
    assert abs(history["loss"][-1] - history["loss"][-2]) < 1e-4 <= abs(history["loss"][-2] - history["loss"][-3])


@pytest.mark.parametrize("settings", [{}, {"check_every": 1}])
def test_divergence_is_told(backend, rng, settings):
    x, y = regression(rng)
    with np.errstate(all="ignore"), pytest.warns(xnn.DivergenceWarning, match="lower the step size"):
        history = line(backend).fit(x, y, loss=LOSS, optimizer=xnn.SGD(lr=1e3), epochs=300, batch_size=None, **settings)
    assert history.stop_reason.startswith("diverged")
    assert len(history) < 300


def test_divergence_is_told_at_the_limit():
    """Text 003: y = wx through (1, 2), (2, 4), (3, 6); above lr = 3/14 every step makes it worse, if only by little."""
    x = np.asarray([[1.0], [2.0], [3.0]])
    for epochs, lr, told in (
        (20, 0.215, True),
        (60, 0.22, True),
        (60, 0.213, False),
        (10, 0.22, False),
        (5, 5.0, True),
    ):
        network = xnn.Network([xnn.Dense(1, bias=False, weight_init="zeros")], inputs=1, dtype="float64")
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            history = network.fit(x, 2 * x, loss=LOSS, optimizer=xnn.SGD(lr=lr), epochs=epochs, batch_size=None)
        assert len(history) == epochs
        assert [w.category for w in caught] == [xnn.DivergenceWarning] * told
        assert all(Path(w.filename) == Path(__file__) for w in caught)
        begin = "diverged: the cost has risen from 18.67 to" if told else "iteration limit: "
        assert history.stop_reason.startswith(begin)


def test_a_start_close_to_the_minimum_is_no_divergence():
    """Adam's first steps are as long as lr, wherever it starts: here to 10⁸ times a first cost of almost 0."""
    x = np.asarray([[1.0], [2.0], [3.0]])
    network = xnn.Network([xnn.Dense(1)], inputs=1, dtype="float64")
    network.set_parameters({"0.weight": [[2.000001]]})
    history = network.fit(x, 2 * x, loss=LOSS, optimizer=xnn.Adam(lr=0.01), epochs=200, batch_size=None)
    assert history["loss"][1] > 1e6 * history["loss"][0]
    assert history.stop_reason == "iteration limit: 200 epochs"


def test_nan_in_the_data(backend, rng):
    x, y = regression(rng)
    x[7, 1] = np.nan
    network = line(backend)
    with pytest.raises(ValueError, match=r"x holds 1 value.*NaN.*\(7, 1\)"):
        network.fit(x, y, loss=LOSS, check_finite=True)
    assert network.step == 0
    with pytest.raises(ValueError, match=r"y holds 40 value"):
        network.evaluate(np.nan_to_num(x), y * np.inf, loss=LOSS, check_finite=True)
    with pytest.warns(xnn.DivergenceWarning, match="check_finite=True"):
        assert network.fit(x, y, loss=LOSS, epochs=9).stop_reason.startswith("diverged: the cost is nan")


def test_validation(backend, rng):
    x, y = regression(rng)
    network = deep(backend)
    history = network.fit(x, y, loss=LOSS, epochs=2, validation_split=0.25, metrics=["mae"])
    assert list(history) == ["loss", "mae", "val_loss", "val_mae"]
    result = network.evaluate(x[30:], y[30:], loss=LOSS, metrics=["mae"])
    np.testing.assert_allclose([history["val_loss"][-1], history["val_mae"][-1]], [result["loss"], result["mae"]])
    np.testing.assert_allclose(result["loss"], float(LOSS(network.predict(x[30:]), y[30:])), rtol=1e-12)
    same = deep(backend)
    other = same.fit(x[:30], y[:30], loss=LOSS, epochs=2, validation_data=(x[30:], y[30:]), metrics="mae")
    assert other.to_dict() == history.to_dict()
    np.testing.assert_array_equal(backend.to_numpy(network.flat), backend.to_numpy(same.flat))


def test_penalty_is_in_the_cost(rng):
    x, y = regression(rng)
    network = line()
    w = network.parameters["0.weight"]
    cost = network.evaluate(x, y, loss=LOSS)["loss"] + 0.1 * (w**2).sum()
    assert network.evaluate(x, y, loss=LOSS, penalty=xnn.L2(0.1))["loss"] == pytest.approx(cost)
    history = network.fit(x, y, loss=LOSS, penalty=xnn.L2(0.1), batch_size=None, validation_data=(x, y))
    assert history["loss"][0] == pytest.approx(cost)
    assert history["val_loss"][0] == pytest.approx(network.evaluate(x, y, loss=LOSS, penalty=xnn.L2(0.1))["loss"])


def test_weights_of_examples_and_classes(backend, rng):
    x, y = rng.normal(size=(9, 3)), np.arange(9) % 3
    settings = {"loss": xnn.CrossEntropy(), "optimizer": xnn.SGD(lr=0.1), "batch_size": None, "epochs": 3}

    def weights_after(**more):
        network = xnn.Network([xnn.Dense(3)], inputs=3, backend=backend, dtype="float64", seed=0)
        network.fit(more.pop("x", x), more.pop("y", y), **settings, **more)
        return backend.to_numpy(network.flat)

    w = np.where(y == 0, 2.0, 1.0)
    by_class = weights_after(class_weight={0: 2.0})
    np.testing.assert_array_equal(by_class, weights_after(sample_weight=w))
    doubled = np.concatenate([np.arange(9), np.flatnonzero(y == 0)])
    np.testing.assert_allclose(by_class, weights_after(x=x[doubled], y=y[doubled]), rtol=1e-10, atol=1e-12)
    assert not np.allclose(by_class, weights_after())
    w[0] = 0.5
    np.testing.assert_allclose(
        weights_after(class_weight={0: 2.0}, sample_weight=w / np.where(y == 0, 2.0, 1.0)),
        weights_after(sample_weight=w),
    )


def test_lists_beside_arrays(backend):
    """A list becomes an array of the library of the others, wherever it is cut or weighted before."""
    x = backend.asarray(np.arange(12.0).reshape(4, 3) / 10)
    settings = {"loss": xnn.CrossEntropy(), "batch_size": 2, "validation_split": 0.5, "class_weight": {0: 2.0}}
    networks = [xnn.Network([xnn.Dense(2)], inputs=3, backend=backend, seed=0) for _ in range(3)]
    networks[0].fit(x, backend.asarray(np.asarray([0, 1, 0, 1])), **settings)
    networks[1].fit(x, [0, 1, 0, 1], **settings)
    networks[2].fit(backend.to_numpy(x).tolist(), backend.asarray(np.asarray([0, 1, 0, 1])), **settings)
    for network in networks[1:]:
        np.testing.assert_array_equal(backend.to_numpy(network.flat), backend.to_numpy(networks[0].flat))


def test_batches_from_an_iterable(backend, rng):
    x, y = regression(rng, 20)
    pieces = [(x[:8], y[:8]), (x[8:16], y[8:16]), (x[16:], y[16:])]
    network, same = deep(backend), deep(backend)
    history = network.fit(pieces, loss=LOSS, epochs=2, validation_data=pieces)
    other = same.fit(x, y, loss=LOSS, epochs=2, batch_size=8, shuffle=False, validation_data=(x, y))
    assert history["loss"] == other["loss"]
    assert history["val_loss"] == pytest.approx(other["val_loss"])
    np.testing.assert_array_equal(backend.to_numpy(network.flat), backend.to_numpy(same.flat))
    with pytest.raises(ValueError, match="used up after one time through"):
        deep(backend).fit((piece for piece in pieces), loss=LOSS, epochs=2)
    with pytest.raises(ValueError, match="batch 1: expected"):
        deep(backend).fit([(x, y), 3], loss=LOSS)
    with pytest.raises(ValueError, match="batch 1: x: expected shape"):
        deep(backend).fit([(x, y), (x[:, :2], y)], loss=LOSS)


def test_a_generator_serves_for_one_epoch(backend, rng):
    x, y = regression(rng, 20)
    network = deep(backend)
    assert len(network.fit(((x[i : i + 5], y[i : i + 5]) for i in range(0, 20, 5)), loss=LOSS)) == 1
    unfitted = xnn.Network([xnn.Standardize(), xnn.Dense(1)], inputs=3, backend=backend)
    with pytest.raises(ValueError, match="needed 2 times"):
        unfitted.fit((pair for pair in [(x, y)]), loss=LOSS)
    with pytest.raises(ValueError, match=r"for validation.*needed 2 times"):
        network.fit(x, y, loss=LOSS, epochs=2, validation_data=(pair for pair in [(x, y)]))
    with pytest.raises(ValueError, match=r"give \(x, y, weights\)"):
        network.fit([(x, y)], loss=LOSS, sample_weight=np.ones(20))
    assert network.step == 4
    with pytest.raises(ValueError, match="either every batch is"):
        deep(backend).fit([(x, y), (x, y, np.ones(20))], loss=LOSS)


def test_batches_may_come_in_the_same_memory(backend, rng):
    x, y = (a.astype("float32") for a in regression(rng, 20))
    inputs, targets = np.empty((5, 3), "float32"), np.empty((5, 1), "float32")

    class Batches:
        def __iter__(self):
            for i in range(0, 20, 5):
                inputs[:], targets[:] = x[i : i + 5], y[i : i + 5]
                yield inputs, targets

    network = line(backend, dtype="float32")
    measured = network.evaluate(Batches(), loss=LOSS, metrics=["r2", "mse"])
    assert measured == pytest.approx(network.evaluate(x, y, loss=LOSS, metrics=["r2", "mse"]), rel=1e-4)
    history = network.fit(Batches(), loss=LOSS, metrics=["mse"])
    assert history["mse"] == pytest.approx(history["loss"], rel=1e-4)


def test_an_iterator_may_start_anew(rng):
    class Batches:
        begun, kept = 0, 0

        def __init__(self, anew):
            self.anew = anew

        def __iter__(self):
            self.begun += 1
            self.kept = 2 if self.anew or self.begun == 1 else self.kept
            return self

        def __next__(self):
            if not self.kept:
                raise StopIteration
            self.kept -= 1
            return regression(rng, 5)

    batches = Batches(anew=True)
    assert len(line().fit(batches, loss=LOSS, epochs=3, validation_data=Batches(anew=True))) == 3
    assert batches.begun == 3
    with pytest.raises(ValueError, match=r"gave none.*start anew"):
        line().fit(Batches(anew=False), loss=LOSS, epochs=2)


def test_a_loader_of_pytorch_is_an_iterable_of_batches(rng):
    torch = pytest.importorskip("torch")
    x, y = regression(rng, 20)
    loader = torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(torch.tensor(x), torch.tensor(y)), batch_size=8, shuffle=False
    )
    network, same = deep(), deep()
    network.fit(loader, loss=LOSS, epochs=2)
    same.fit(x, y, loss=LOSS, epochs=2, batch_size=8, shuffle=False)
    np.testing.assert_array_equal(network.flat, same.flat)


def test_outputs_are_not_kept_for_metrics_that_are_means(rng, monkeypatch):
    from xnn import meter

    x, y = rng.normal(size=(50, 3)), rng.normal(size=(50, 1))
    whole = line().fit(x, y, loss=LOSS, batch_size=4, epochs=2, metrics=["mse", "r2", "mae"], validation_split=0.2)
    monkeypatch.setattr(meter, "_HELD", 6)
    monkeypatch.setattr(meter, "_TOGETHER", 3)
    pieces = line().fit(x, y, loss=LOSS, batch_size=4, epochs=2, metrics=["mse", "r2", "mae"], validation_split=0.2)
    assert list(whole) == list(pieces) == ["loss", "mse", "r2", "mae", "val_loss", "val_mse", "val_r2", "val_mae"]
    for name in whole:
        assert pieces[name] == pytest.approx(whole[name])
    assert whole["mse"] == pytest.approx(whole["loss"])


def of_each(outputs, targets):
    return outputs[:, 0]


@pytest.mark.parametrize("metric", [of_each, lambda outputs, targets: None])
def test_a_metric_that_gives_no_number_is_named(metric, rng):
    words = rf"metric '{metric.__name__}': expected .* -> number; got (None|an array of shape \(40,\))"
    with pytest.raises(TypeError, match=words):
        line().fit(*regression(rng), loss=LOSS, metrics=[metric])


def test_evaluate_is_exact_over_pieces(backend, rng):
    x, y = rng.normal(size=(20, 3)), np.arange(20) % 3
    y[::4] = -100
    network = xnn.Network([xnn.Dense(3)], inputs=3, backend=backend, dtype="float64", seed=0)
    loss, w = xnn.CrossEntropy(class_weights=(1.0, 2.0, 0.5)), np.arange(20) / 10.0
    whole = float(loss(network.predict(x), y, w))
    for size in (3, 20, None):
        result = network.evaluate(x, y, loss=loss, sample_weight=w, batch_size=size)
        assert result["loss"] == pytest.approx(whole, rel=1e-12)


def test_nan_does_not_spoil_what_standardize_learns(backend, rng):
    x, y = regression(rng)
    network = xnn.Network([xnn.Standardize(), xnn.Dense(1)], inputs=3, backend=backend, dtype="float64")
    spoiled = x.copy()
    spoiled[3, 1] = np.nan
    with pytest.raises(ValueError, match=r"layer 0 \(Standardize\).*NaN"):
        network.fit(spoiled, y, loss=LOSS)
    assert not network.fitted
    network.fit(x, y, loss=LOSS)
    np.testing.assert_allclose(backend.to_numpy(network.buffers["0.mean"]), x.mean(axis=0))


def test_nan_in_a_memory_map_is_found_in_its_row_before_training(rng, tmp_path):
    x, y = regression(rng)
    x[33, 2] = np.inf
    np.save(tmp_path / "x.npy", x)
    network = line()
    with pytest.raises(ValueError, match=r"x holds 1 value.*\(33, 2\)"):
        network.fit(np.load(tmp_path / "x.npy", mmap_mode="r"), y, loss=LOSS, batch_size=5, check_finite=True)
    assert network.step == 0
    with pytest.raises(ValueError, match=r"weights has shape \(3,\)"):
        network.fit(np.load(tmp_path / "x.npy", mmap_mode="r"), y, loss=LOSS, sample_weight=[1.0, 2.0, 3.0])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_memory_maps_are_read_batch_by_batch(backend, rng, tmp_path, dtype):
    x, y = regression(rng, 30)
    for name, a in (("x", x), ("y", y)):
        np.save(tmp_path / f"{name}.npy", a)
    mapped = [np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in "xy"]
    from_disk, in_memory = deep(backend, dtype=dtype), deep(backend, dtype=dtype)
    settings = {"loss": LOSS, "epochs": 2, "batch_size": 8, "validation_split": 0.2, "metrics": ["r2"]}
    history = from_disk.fit(*mapped, **settings)
    assert history.to_dict() == in_memory.fit(x, y, **settings).to_dict()
    np.testing.assert_array_equal(backend.to_numpy(from_disk.flat), backend.to_numpy(in_memory.flat))
    np.testing.assert_array_equal(from_disk.predict(mapped[0]), in_memory.predict(x))


def test_labels_on_disk_are_checked_before_training(rng, tmp_path):
    x, y = rng.normal(size=(30, 3)), np.arange(30) % 3
    y[29] = 3
    np.save(tmp_path / "x.npy", x)
    network = xnn.Network([xnn.Dense(3)], inputs=3)
    with pytest.raises(ValueError, match="label 3"):
        network.fit(np.load(tmp_path / "x.npy", mmap_mode="r"), y, loss=xnn.CrossEntropy())
    assert network.step == 0


def test_standardize_learns_from_the_training_data(backend, rng):
    x, y = regression(rng)
    x = x * [1.0, 100.0, 1e-3] + [5.0, -300.0, 1.0]
    layers = [xnn.Standardize(), xnn.Dense(4), xnn.Tanh(), xnn.Standardize(), xnn.Dense(1)]
    network = xnn.Network(layers, inputs=3, backend=backend, dtype="float64", seed=0)
    weight = backend.to_numpy(network.parameters["1.weight"])
    network.fit(x[:30], y[:30], loss=LOSS, epochs=1, batch_size=7)
    buffers = {name: backend.to_numpy(a) for name, a in network.buffers.items()}
    np.testing.assert_allclose(buffers["0.mean"], x[:30].mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(buffers["0.scale"], x[:30].std(axis=0), rtol=1e-10)
    hidden = np.tanh((x[:30] - buffers["0.mean"]) / buffers["0.scale"] @ weight.T)
    np.testing.assert_allclose(buffers["3.mean"], hidden.mean(axis=0), rtol=1e-9, atol=1e-12)
    network.fit(x + 1, y, loss=LOSS)  # what was learned belongs to the weights: it stays
    np.testing.assert_array_equal(backend.to_numpy(network.buffers["0.mean"]), buffers["0.mean"])


def test_clipping(backend, rng):
    x, y = regression(rng)
    for clip in ({"clip_norm": 1e-3}, {"clip_value": 1e-3}):
        network = line(backend)
        before = backend.to_numpy(network.flat).copy()
        network.fit(x, 1e6 * y, loss=LOSS, optimizer=xnn.SGD(lr=1.0), batch_size=None, **clip)
        moved = np.abs(backend.to_numpy(network.flat) - before)
        if "clip_norm" in clip:
            np.testing.assert_allclose(np.linalg.norm(moved), 1e-3, rtol=1e-6)
        else:
            np.testing.assert_allclose(moved, 1e-3, rtol=1e-9)


def test_callbacks_see_and_stop(rng):
    x, y = regression(rng)
    told = []

    class Tell(xnn.Callback):
        """Notes what it is told."""

        def on_train_begin(self, run):
            told.append(("begin", run.epochs, run.samples))

        def on_epoch_end(self, run, logs):
            told.append((run.epoch, run.step, logs["loss"]))
            if run.epoch == 1:
                run.stop("enough")

        def on_train_end(self, run):
            told.append(("end", run.history.stop_reason))

    history = line().fit(x, y, loss=LOSS, epochs=9, batch_size=20, callbacks=[Tell()])
    assert told[0] == ("begin", 9, 40)
    assert [t[:2] for t in told[1:3]] == [(0, 2), (1, 4)]
    assert told[-1] == ("end", "enough") == ("end", history.stop_reason)
    epochs = []
    history = line().fit(x, y, loss=LOSS, epochs=9, callbacks=[lambda epoch, logs: epochs.append(epoch) or epoch == 2])
    assert epochs == [0, 1, 2]
    assert len(history) == 3


def test_early_stopping_brings_the_best_weights_back(backend, rng):
    x, y = regression(rng)
    network = deep(backend)
    kept = {}

    def note(epoch, logs):
        kept[epoch] = backend.to_numpy(network.flat).copy()

    stop = xnn.EarlyStopping(patience=2)
    history = network.fit(
        x[:20],
        y[:20],
        loss=LOSS,
        optimizer=xnn.Adam(lr=0.3),
        epochs=60,
        validation_data=(x[20:], y[20:]),
        callbacks=[note, stop],
    )
    best = int(np.argmin(history["val_loss"]))
    np.testing.assert_array_equal(backend.to_numpy(network.flat), kept[best])
    assert f"epoch {best + 1}" in history.stop_reason
    assert network.evaluate(x[20:], y[20:], loss=LOSS)["loss"] == pytest.approx(min(history["val_loss"]))


def test_reduce_lr_on_plateau_reaches_the_optimizer(rng):
    x, y = regression(rng)
    network = line()
    plateau = xnn.ReduceLROnPlateau(monitor="loss", factor=0.5, patience=1, min_delta=1e9)
    scales = []

    class Scale(xnn.Callback):
        """Notes the factor of the step size."""

        def on_epoch_end(self, run, logs):
            scales.append(run.lr_scale)

    network.fit(x, y, loss=LOSS, epochs=5, callbacks=[plateau, Scale()])
    assert scales == sorted(scales, reverse=True)
    assert scales[-1] < 1.0
    before = network.flat.copy()
    network.fit(x, y, loss=LOSS, optimizer=xnn.SGD(lr=1.0), batch_size=None, callbacks=[])
    full = network.flat - before
    assert np.abs(full).max() > 0


def test_ctrl_c_stops_after_the_step(rng):
    x, y = regression(rng)
    network, whole = line(), line()
    before = signal.getsignal(signal.SIGINT)

    def press(epoch, logs):
        if epoch == 2:
            os.kill(os.getpid(), signal.SIGINT)

    history = network.fit(x, y, loss=LOSS, epochs=50, callbacks=[press])
    assert history.stop_reason == "interrupted in epoch 3"
    assert len(history) == 3
    whole.fit(x, y, loss=LOSS, epochs=3)
    np.testing.assert_array_equal(network.flat, whole.flat)
    assert signal.getsignal(signal.SIGINT) is before

    def raises(epoch, logs):
        raise KeyboardInterrupt

    assert line().fit(x, y, loss=LOSS, epochs=5, callbacks=[raises]).stop_reason.startswith("interrupted")


def test_in_a_thread(rng):
    x, y = regression(rng)
    found = []
    thread = threading.Thread(target=lambda: found.append(line().fit(x, y, loss=LOSS)))
    thread.start()
    thread.join()
    assert found[0].stop_reason == "iteration limit: 1 epoch"


def test_verbose_shows_the_run(rng, capsys):
    x, y = regression(rng)
    line().fit(x, y, loss=LOSS, epochs=2)
    assert capsys.readouterr().out == ""
    line().fit(x, y, loss=LOSS, epochs=2, validation_split=0.2, metrics=["r2"], verbose=True)
    shown = capsys.readouterr().out
    assert "2/2" in shown
    assert "iteration limit" in shown


WRONG = {
    "epochs": ({"epochs": 0}, ValueError, "epochs"),
    "batch size": ({"batch_size": 0}, ValueError, "batch_size"),
    "optimizer class": ({"optimizer": xnn.Adam}, TypeError, "optimizer: expected"),
    "metric": ({"metrics": ["acuracy"]}, ValueError, "acuracy"),
    "callback": ({"callbacks": [3]}, TypeError, "callback"),
    "stop_on": ({"stop_on": "loss"}, ValueError, "stop_on"),
    "tol": ({"tol": -1.0}, ValueError, "tol"),
    "split": ({"validation_split": 1.0}, ValueError, "validation_split"),
    "both": ({"validation_split": 0.1, "validation_data": ([[1, 2, 3]], [[1]])}, ValueError, "not both"),
    "validation shape": ({"validation_data": ([[1, 2]], [[1]])}, ValueError, "expected shape"),
    "validation": ({"validation_data": (1, 2, 3, 4)}, ValueError, "validation_data"),
    "validation examples": ({"validation_data": ([[1, 2]], [[1]])}, ValueError, "validation data: x: expected shape"),
    "weights to be split": ({"validation_split": 0.2, "sample_weight": np.ones(39)}, ValueError, r"x.*40.*\(39,\)"),
    "monitor": ({"callbacks": [xnn.EarlyStopping()]}, ValueError, "'val_loss', which no epoch will report"),
    "name in a path": ({"callbacks": [xnn.Checkpoint("{val_los}")]}, ValueError, "'val_los'.*may name: epoch, loss"),
    "schedule": ({"optimizer": xnn.SGD(lr=lambda step: -1.0)}, ValueError, "gave -1.0 after 0 updates"),
    "penalty": ({"penalty": 0.1}, TypeError, r"xnn.L2\(1e-4\)"),
    "penalty class": ({"penalty": xnn.L2}, TypeError, r"write L2\("),
    "clip": ({"clip_norm": -1.0}, ValueError, "clip_norm"),
    "clip value": ({"clip_value": "a"}, TypeError, "clip_value"),
    "negative weights": ({"sample_weight": -np.ones(40)}, ValueError, "0 or more"),
    "same names": ({"metrics": ["mse", "mse"]}, ValueError, "two values would be called 'mse'"),
    "class weights": ({"class_weight": [1.0]}, TypeError, "expected a dictionary"),
    "words": ({"validation_data": (np.ones((2, 3)), ["no", "yes"])}, TypeError, "y: expected numbers.*return_inverse"),
}


def test_metrics_that_do_not_fit_the_targets_are_told_before_the_first_epoch(backend):
    network = xnn.Network([xnn.Dense(3)], inputs=2, backend=backend)
    for metric, words in ("r2", r"r2: the outputs have shape \(1, 3\)"), ("mae", "MeanAbsoluteError: the outputs"):
        with pytest.raises(ValueError, match=words):
            network.fit(np.ones((4, 2)), [0, 1, 2, 0], loss=xnn.CrossEntropy(), metrics=["accuracy", metric])
    assert network.step == 0


@pytest.mark.parametrize("case", WRONG)
def test_wrong_settings(case, rng):
    settings, error, words = WRONG[case]
    network = line()
    before = network.flat.copy()
    with pytest.raises(error, match=words):
        network.fit(*regression(rng), **{"loss": LOSS, **settings})
    np.testing.assert_array_equal(network.flat, before)
    assert network.step == 0


def test_settings_of_numpy_and_none(rng):
    x, y = regression(rng)
    history = line().fit(x, y, loss=LOSS, epochs=np.int64(2), batch_size=np.int64(8), metrics=None, callbacks=None)
    assert len(history) == 2
    assert line().evaluate(x, y, loss=LOSS, metrics=None).keys() == {"loss"}
    labels = rng.integers(0, 2, 40)
    network = xnn.Network([xnn.Dense(1)], inputs=3)
    network.fit(x, labels.astype(float), loss=xnn.BinaryCrossEntropy(), class_weight={0.0: 2.0})
    with pytest.raises(ValueError, match="no example has the label 17"):
        network.fit(x, labels, loss=xnn.BinaryCrossEntropy(), class_weight={17: 2.0})


def test_nothing_to_learn(rng):
    with pytest.raises(ValueError, match="nothing to learn"):
        xnn.Network([xnn.Tanh()], inputs=3).fit(*regression(rng), loss=LOSS)


def test_data_that_is_no_data():
    with pytest.raises(TypeError, match="y is missing"):
        line().fit(np.ones((3, 3)), loss=LOSS)
    with pytest.raises(ValueError, match="no examples"):
        line().fit(np.empty((0, 3)), np.empty((0, 1)), loss=LOSS)
