"""xnn: neural networks and their backprop, written once against the Python Array API standard.

The mathematics never names an array library; a backend runs it on NumPy, CuPy, PyTorch, JAX and
others. Start with ``Network``, ``Dense`` and ``Network.fit``.
"""

from typing import TYPE_CHECKING, Any

from xnn import initializers, layers, losses, metrics, optimizers, penalties, schedules
from xnn.anomaly import detect_anomaly
from xnn.arrays import available_backends, get_backend, set_backend, to_numpy, use_backend
from xnn.backup import BackupAndRestore
from xnn.callbacks import Callback, Checkpoint, CSVLogger, EarlyStopping, Record, ReduceLROnPlateau
from xnn.clipping import clip_by_norm, clip_by_value
from xnn.contract import Backend, BackendError
from xnn.errors import AnomalyError, DivergenceWarning, FileError, NotFittedError, OutOfMemoryError
from xnn.files import load
from xnn.history import History
from xnn.layers import (
    ELU,
    GELU,
    SELU,
    BatchNorm,
    Buffer,
    Dense,
    Dropout,
    Flatten,
    HardTanh,
    Identity,
    Layer,
    LayerNorm,
    LeakyReLU,
    LogSoftmax,
    Operation,
    Parameter,
    PReLU,
    ReLU,
    Reshape,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Standardize,
    Tanh,
)  # fmt: skip
from xnn.losses import (
    BinaryCrossEntropy,
    CrossEntropy,
    Hinge,
    Huber,
    LogCosh,
    Loss,
    MeanAbsoluteError,
    MeanSquaredError,
    PoissonNLL,
    SquaredError,
)  # fmt: skip
from xnn.minimize import Minimum, least_squares, minimize
from xnn.network import Network
from xnn.optimizers import (
    LBFGS,
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    GaussNewton,
    NAdam,
    NewtonCG,
    Optimizer,
    RAdam,
    RMSprop,
    Rprop,
    Solver,
)  # fmt: skip
from xnn.penalties import L1, L2, ElasticNet, Penalty

if TYPE_CHECKING:
    from xnn import autodiff, datasets, exchange, plot
    from xnn.autodiff.check import check_gradients
    from xnn.autodiff.custom import stop_gradient
    from xnn.autodiff.matrices import hessian, hvp, jacobian
    from xnn.autodiff.modes import derivative, derivatives, grad, jvp, linearize, value_and_grad, vjp
    from xnn.autodiff.recording import recording
    from xnn.autodiff.show import show

__version__ = "0.1.0"


#: Folders of modules that are imported when they are used first: many programs need none of them.
_ON_USE = ("autodiff", "datasets", "exchange", "plot")


def __getattr__(name: str) -> Any:
    """A folder of the above, or a name of automatic differentiation."""
    from importlib import import_module

    if name in _ON_USE:
        return import_module(f"xnn.{name}")
    if name in __all__:
        return getattr(import_module("xnn.autodiff"), name)
    raise AttributeError(f"module 'xnn' has no attribute {name!r}")


__all__ = [
    "ELU", "GELU", "L1", "L2", "LBFGS", "SELU", "SGD", "Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "AnomalyError",
    "Backend", "BackendError", "BackupAndRestore", "BatchNorm", "BinaryCrossEntropy", "Buffer", "CSVLogger", "Callback",
    "Checkpoint", "CrossEntropy", "Dense", "DivergenceWarning", "Dropout", "EarlyStopping", "ElasticNet", "FileError",
    "Flatten", "GaussNewton", "HardTanh", "Hinge", "History", "Huber", "Identity", "Layer", "LayerNorm", "LeakyReLU",
    "LogCosh", "LogSoftmax", "Loss", "MeanAbsoluteError", "MeanSquaredError", "Minimum", "NAdam", "Network", "NewtonCG",
    "NotFittedError", "Operation", "Optimizer", "OutOfMemoryError", "PReLU", "Parameter", "Penalty", "PoissonNLL",
    "RAdam", "RMSprop", "ReLU", "Record", "ReduceLROnPlateau", "Reshape", "Rprop", "SiLU", "Sigmoid", "Softmax",
    "Softplus", "Solver", "SquaredError", "Standardize", "Tanh", "autodiff", "available_backends", "check_gradients",
    "clip_by_norm", "clip_by_value", "datasets", "derivative", "derivatives", "detect_anomaly", "exchange",
    "get_backend", "grad", "hessian", "hvp", "initializers", "jacobian", "jvp", "layers", "least_squares", "linearize",
    "load", "losses", "metrics", "minimize", "optimizers", "penalties", "plot", "recording", "schedules", "set_backend",
    "show", "stop_gradient", "to_numpy", "use_backend", "value_and_grad", "vjp",
]  # fmt: skip
