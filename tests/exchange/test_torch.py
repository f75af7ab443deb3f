"""PyTorch runs, and says the same, for the layers that both have: from it, to it, and by state_dict."""

import numpy as np
import pytest

import xnn
from xnn.exchange import from_torch, to_torch
from xnn.layers import LAYERS

torch = pytest.importorskip("torch")
nn = torch.nn
TOLERANCE = {"float32": 1e-6, "float64": 1e-12}

MODULES = [
    lambda: nn.Linear(6, 3), lambda: nn.Linear(6, 3, bias=False), lambda: nn.LayerNorm(6, eps=1e-3), nn.Identity,
    nn.Sigmoid, nn.Tanh, nn.ReLU, nn.ReLU6, lambda: nn.LeakyReLU(0.2), nn.PReLU, lambda: nn.ELU(0.5), nn.SELU, nn.GELU,
    lambda: nn.GELU("tanh"), nn.SiLU, lambda: nn.Softplus(2.0, 3.0), lambda: nn.Hardtanh(-0.5, 2.0),
    lambda: nn.Softmax(-1), lambda: nn.LogSoftmax(-1), lambda: nn.Dropout(0.3), nn.Flatten,
]  # fmt: skip


def same(module, network, tolerance=None):
    x = 3 * np.random.default_rng(1).normal(size=(5, *network.inputs)).astype(network.dtype)
    with torch.no_grad():
        theirs = module.eval()(torch.tensor(x)).numpy()
    mine = xnn.to_numpy(network.predict(x))
    assert (mine.shape, mine.dtype) == (theirs.shape, theirs.dtype)
    tolerance = tolerance or TOLERANCE[network.dtype]
    np.testing.assert_allclose(mine, theirs, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("inputs", [(6,), (2, 6)], ids=str)
def test_every_layer_that_both_have(inputs, dtype):
    for make in MODULES:
        module = make().to(getattr(torch, dtype))
        network = from_torch(module, inputs=inputs, dtype=dtype)
        same(module, network)
        same(to_torch(network), network)  # and back


def test_every_layer_of_xnn_goes_and_comes_back():
    rng = np.random.default_rng(0)
    for name, kind in LAYERS.items():
        layer = kind(4) if name == "Dense" else kind((3, 2)) if name == "Reshape" else kind()
        made = xnn.Network([layer], inputs=6, dtype="float64", seed=0)
        if name == "Standardize":
            made.set_buffers({"0.mean": rng.normal(size=6), "0.scale": rng.uniform(1, 2, 6)})
        module = to_torch(made)
        same(module, made)
        again = from_torch(module[0] if name != "Reshape" else module, inputs=6, dtype="float64")
        same(module, again)


def sequential():
    torch.manual_seed(0)
    made = nn.Sequential(
        nn.Sequential(nn.Linear(8, 6), nn.BatchNorm1d(6, momentum=0.2), nn.ReLU()), nn.Dropout(0.4),
        nn.Unflatten(1, (2, 3)), nn.LayerNorm(3), nn.Flatten(), nn.Linear(6, 3, bias=False), nn.PReLU(),
        nn.Softmax(dim=1),
    )  # fmt: skip
    for _ in range(3):
        made(torch.randn(9, 8))  # running statistics that are not 0 and 1
    return made


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_a_whole_network(backend, dtype):
    module = sequential().to(getattr(torch, dtype))
    network = from_torch(module, backend=backend)
    assert (network.inputs, network.dtype, network.backend) == ((8,), dtype, backend)
    assert network.layers[1] == xnn.BatchNorm(momentum=0.2)
    same(module, network)
    same(to_torch(network), network)


def test_the_copies_are_ones_own():
    module = sequential()
    network = from_torch(module)
    before = network.parameters
    with torch.no_grad():
        module[0][0].weight.zero_()
    assert all((network.parameters[name] == before[name]).all() for name in before)
    to_torch(network)[0].weight.data.zero_()
    assert all((network.parameters[name] == before[name]).all() for name in before)


def test_training_goes_on_in_the_same_way():
    """One step of gradient descent from the same weights."""
    module = nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Tanh(), nn.Linear(5, 1)).double()
    network = from_torch(module)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(7, 4)), rng.normal(size=(7, 1))
    network.fit(x, y, loss=xnn.MeanSquaredError(), optimizer=xnn.SGD(lr=0.1), batch_size=None, shuffle=False)
    descent = torch.optim.SGD(module.parameters(), lr=0.1)
    nn.functional.mse_loss(module(torch.tensor(x)), torch.tensor(y)).backward()
    descent.step()
    same(module, network, 1e-11)


class Named(nn.Module):
    """A network as people write it."""

    def __init__(self):
        super().__init__()
        self.hidden, self.norm, self.out = nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Linear(6, 2)

    def forward(self, x):
        return self.out(torch.relu(self.norm(self.hidden(x))))


class Block(nn.Sequential):
    """A Sequential under a name of its own."""

    def __init__(self, inputs, outputs):
        super().__init__(nn.Linear(inputs, outputs), nn.ReLU())


class Doubled(nn.Sequential):
    """A Sequential that does something else."""

    def forward(self, x):
        return 2 * super().forward(x)


def test_classes_that_are_sequential():
    module = Block(4, 3)
    same(module, from_torch(module))
    both = nn.Sequential(module, Block(3, 2))
    same(both, from_torch(both))


def test_what_is_no_state_dict_is_told():
    network = xnn.Network([xnn.Dense(6)], inputs=4)
    with pytest.raises(TypeError, match="got int as 'epoch'; it may be in 'model'"):
        from_torch({"epoch": 3, "model": nn.Linear(4, 6).state_dict()}, into=network)
    with pytest.raises(TypeError, match=r"got str\. A file is read by torch\.load"):
        from_torch("net.pt")
    for given in (nn.Linear(4, 6), [xnn.Dense(3)]):
        with pytest.raises(TypeError, match=r"expected an xnn\.Network; got (Linear|list)"):
            to_torch(given)


def test_a_state_dict_of_any_module(tmp_path):
    module = Named()
    module(torch.randn(20, 4))
    torch.save(module.state_dict(), tmp_path / "net.pt")
    network = xnn.Network([xnn.Dense(6), xnn.BatchNorm(), xnn.ReLU(), xnn.Dense(2)], inputs=4)
    found = from_torch(torch.load(tmp_path / "net.pt", weights_only=True), into=network)
    assert found is network
    same(module, network)
    with_preparation = xnn.Network(
        [xnn.Standardize(0.0, 1.0), xnn.Dense(6), xnn.BatchNorm(), xnn.ReLU(), xnn.Dense(2)], inputs=4
    )
    same(module, from_torch(module, into=with_preparation))


def test_a_state_dict_back_to_pytorch():
    network = xnn.Network([xnn.Dense(6), xnn.BatchNorm(), xnn.ReLU(), xnn.Dense(2)], inputs=4, seed=0)
    theirs = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 2))
    theirs.load_state_dict(to_torch(network).state_dict())
    same(theirs, network)


class Linear(nn.Linear):
    """Not the one of PyTorch."""

    def forward(self, x):
        return 2 * super().forward(x)


def test_a_class_of_ones_own_with_the_forward_of_pytorch_is_what_it_derives_from():
    own = type("Linear", (nn.Linear,), {"__module__": __name__})
    theirs = nn.Sequential(own(4, 2))
    same(theirs, from_torch(theirs, inputs=4))


def pruned(module):
    from torch.nn.utils import prune

    return prune.random_unstructured(module, "weight", 0.5)


def hooked(module):
    module.register_forward_hook(lambda module, inputs, outputs: 2 * outputs)
    return module


WRONG = {
    "unknown": (lambda: nn.Sequential(nn.Linear(4, 4), nn.Conv1d(1, 1, 1)), r"layer 1 \(Conv1d\): xnn has no"),
    "setting": (lambda: nn.Sequential(nn.PReLU(3)), r"layer 0 \(PReLU\): expected num_parameters=1"),
    "flatten": (lambda: nn.Flatten(2), r"layer 0 \(Flatten\): expected start_dim=1"),
    "statistics": (lambda: nn.BatchNorm1d(3, track_running_stats=False), "expected track_running_stats=True"),
    "average": (lambda: nn.BatchNorm1d(3, momentum=None), r"layer 0 \(BatchNorm1d\): expected a number as momentum"),
    "axes": (lambda: nn.LayerNorm((2, 3)), r"over the last axis; got the shape \(2, 3\)"),
    "softmax": (lambda: nn.Sequential(nn.Linear(4, 2), nn.Softmax(dim=0)), "last axis, dim=-1; got dim=0"),
    "inputs": (lambda: nn.Sequential(nn.Flatten(), nn.Linear(4, 2)), "give inputs=, such as inputs=64"),
    "a module of one's own": (Named, r"layer 0 \(Named\): xnn has no such layer.*own, into=network takes the arrays"),
    "another forward": (lambda: Doubled(nn.Linear(4, 2)), r"layer 0 \(Doubled\): xnn has no such layer"),
    "a class of the same name": (lambda: nn.Sequential(Linear(4, 2)), r"layer 0 \(Linear\): it has .* a forward"),
    "a pruned weight": (lambda: nn.Sequential(pruned(nn.Linear(4, 2))), r"layer 0 \(Linear\): it has hooks"),
    "a hook": (lambda: hooked(nn.Sequential(nn.Linear(4, 2))), r"layer 0 \(Sequential\): it has hooks"),
    "no into": (lambda: Named().state_dict(), "give into=network"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_does_not_fit(name):
    make, words = WRONG[name]
    with pytest.raises(ValueError, match=words):
        from_torch(make())


def test_arrays_that_do_not_fit_change_nothing():
    network = xnn.Network([xnn.Dense(6), xnn.Dense(2)], inputs=4)
    before = network.parameters
    state = nn.Sequential(nn.Linear(4, 6), nn.Linear(6, 2)).state_dict()
    for change, words in (
        ({"1.weight": torch.ones(3, 3)}, r"'1.weight' has shape \(2, 6\)"),
        ({"1.scale": torch.ones(3)}, r"'1' of the state_dict has .*'scale'.*; layer 1 \(Dense\) takes"),
        ({"2.weight": torch.ones(3)}, r"arrays for 3 layers \(0, 1, 2\), the network 2 layers .*'0 Dense', '1 Dense'"),
    ):
        with pytest.raises(ValueError, match=words):
            from_torch({**state, **change}, into=network)
    with pytest.raises(TypeError, match=r"expected a torch\.nn\.Sequential or a state_dict; got int"):
        from_torch(3)
    assert all((network.parameters[name] == before[name]).all() for name in before)
    with pytest.raises(ValueError, match=r"layer 0 \(Mine\): PyTorch has no such layer"):
        to_torch(xnn.Network([type("Mine", (xnn.Identity,), {})()], inputs=2))
    with pytest.raises(xnn.NotFittedError):
        to_torch(xnn.Network([xnn.Standardize()], inputs=2))


def test_half_precision_becomes_single():
    network = from_torch(nn.Linear(3, 2).to(torch.bfloat16))
    assert network.dtype == "float32"
