"""Optimizers: the update equations of descent, and the two ways to run them.

Pure, on arrays of any library, without a network::

    optimizer = xnn.Adam(lr=0.01)
    state = optimizer.init(theta)
    theta, state = optimizer.update(theta, gradient, state)

and in place, on one flat vector, as ``fit`` does (``begin`` and ``step``). A solver is handed the function that
gives the cost and its gradient in place of one gradient, because it evaluates it several times an update::

    solver = xnn.LBFGS()
    theta, state = solver.update(theta, xnn.value_and_grad(cost), solver.init(theta))

Names, arguments and defaults are PyTorch's, and so are the numbers.
"""

from __future__ import annotations

from xnn.optimizers.adagrad import Adadelta, Adagrad
from xnn.optimizers.adam import Adam, Adamax, AdamW
from xnn.optimizers.base import Descent, Optimizer
from xnn.optimizers.gauss_newton import GaussNewton
from xnn.optimizers.lbfgs import LBFGS
from xnn.optimizers.nadam import NAdam
from xnn.optimizers.newton import NewtonCG
from xnn.optimizers.radam import RAdam
from xnn.optimizers.rmsprop import RMSprop
from xnn.optimizers.rprop import Rprop
from xnn.optimizers.sgd import SGD
from xnn.optimizers.solver import Problem, Solver, flatten

__all__ = [
    "LBFGS", "SGD", "Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "Descent", "GaussNewton", "NAdam", "NewtonCG",
    "Optimizer", "Problem", "RAdam", "RMSprop", "Rprop", "Solver", "flatten",
]  # fmt: skip
