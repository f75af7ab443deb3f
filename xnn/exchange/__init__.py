"""Networks to and from PyTorch, Keras and ONNX; those libraries are needed on use only.

========================================  =======================================================
``from_torch(module, inputs=64)``         a ``torch.nn.Sequential`` as a network
``from_torch(state_dict, into=network)``  a ``state_dict`` in a network that is there
``to_torch(network)``                     a network as a ``torch.nn.Sequential``, with its weights
``from_keras(model)``                     a ``keras.Sequential``, or a ``.keras`` file, as a network
``from_keras("a.weights.h5", into=…)``    weights that Keras saved
``to_keras(network)``                     a network as a ``keras.Sequential``
``to_onnx(network, "a.onnx")``            what a network predicts, as an ONNX file for any number of examples
========================================  =======================================================

Layers that only one side has are refused by name. What comes out predicts the same numbers, to rounding.
"""

from xnn.exchange.keras import from_keras, to_keras
from xnn.exchange.onnx import to_onnx
from xnn.exchange.torch import from_torch, to_torch

__all__ = ["from_keras", "from_torch", "to_keras", "to_onnx", "to_torch"]
