"""NumPy's namespace of the standard, made to record: ``import xnn.backends.numpy_recording as xp``.

Its functions and arrays are array-api-compat's NumPy where no derivative is being taken, and go by the rules of
``xnn.autodiff`` where one is. Every array that it gives answers with this module as its ``__array_namespace__``, so
code written with ``array_namespace(a, b)`` differentiates with plain and traced arrays side by side::

    import xnn.backends.numpy_recording as xp
    data = xp.asarray([1.0, 2.0])
    xnn.grad(lambda w: library_function(w, data))(xp.asarray([0.5, 0.5]))

The conformance suite of the standard (data-apis/array-api-tests) runs on it by
``ARRAY_API_TESTS_MODULE=xnn.backends.numpy_recording``.
"""

from __future__ import annotations

import sys

import array_api_compat.numpy

from xnn.autodiff.lifting import lift

lift(sys.modules[__name__], array_api_compat.numpy)
