"""To ONNX: the network runs once on arrays that write down what is done with them, those of ndonnx.

The equations of the layers are written in the functions of the Array API standard, which ndonnx has; there is no
table of layers here, and layers of one's own are exported, too.
"""

from __future__ import annotations

from typing import Any

from xnn.atomic import replacing
from xnn.exchange.need import check_fitted, need

__all__ = ["to_onnx"]


def to_onnx(network: Any, path: Any = None) -> Any:
    """The predictions of a network as an ONNX model, which is returned and, given a path, written there.

    The input ``x`` has shape (n, *inputs) for any n, the output ``y`` is that of ``network.predict``; both have the
    dtype of the network. It predicts: running statistics, no dropout::

        xnn.exchange.to_onnx(network, "digits.onnx")
        session = onnxruntime.InferenceSession("digits.onnx")
        (outputs,) = session.run(None, {"x": x.astype("float32")})

    It takes seconds for each Dense or normalization, however large: ndonnx works out the values of all constants as
    it goes, in a session of onnxruntime for every one, and cannot do without them. The file has no trace of that.

    Raises:
        ImportError: where onnx or ndonnx is not installed.
        ValueError: for a layer of one's own that does what ONNX cannot; it names the layer.
        NotFittedError: where a layer has not seen the training data that it needs.
    """
    onnx, ndonnx = need("onnx", "to_onnx"), need("ndonnx", "to_onnx")
    check_fitted(network)
    xp, to_numpy = Graph(ndonnx), network.backend.to_numpy
    parameters = network.layout.by_layer([ndonnx.asarray(to_numpy(a)) for a in network.parameters.values()])
    buffers: list[dict[str, Any]] = [{} for _ in network.layers]
    for key, array in network.buffers.items():
        layer, _, name = key.partition(".")
        buffers[int(layer)][name] = ndonnx.asarray(to_numpy(array))
    x = a = ndonnx.argument(shape=("n", *network.inputs), dtype=getattr(ndonnx, network.dtype))
    for i, (layer, own, θ) in enumerate(zip(network.layers, buffers, parameters, strict=True)):
        try:
            a, _ = layer.prediction(own).forward(xp, a, *θ)
        except Exception as error:  # of any kind: it depends on what the layer does
            raise ValueError(
                f"layer {i} ({type(layer).__name__}) cannot be written as ONNX, for any number of examples: "
                f"{type(error).__name__}: {error}"
            ) from error
    model = ndonnx.build({"x": x}, {"y": a})
    onnx.checker.check_model(model)
    if path is not None:
        with replacing(path) as file:
            file.write(model.SerializeToString())
    return model


class Graph:
    """The namespace of ndonnx, in which the number of examples is not known: it stands for −1 in a shape."""

    def __init__(self, ndonnx: Any) -> None:
        self._ndonnx = ndonnx

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ndonnx, name)

    def reshape(self, x: Any, shape: Any) -> Any:
        """``reshape`` with the one unknown length worked out by ONNX."""
        return self._ndonnx.reshape(x, tuple(-1 if n is None else n for n in shape))
