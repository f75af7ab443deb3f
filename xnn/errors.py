"""The errors and warnings that are xnn's own; everywhere else Python's ValueError and TypeError are raised."""

from __future__ import annotations

__all__ = ["AnomalyError", "DivergenceWarning", "FileError", "NotFittedError", "OutOfMemoryError"]


class AnomalyError(FloatingPointError):
    """The first NaN or infinity under ``detect_anomaly``: names the layer, the operation and the step."""


class DivergenceWarning(RuntimeWarning):
    """A descent moves away from the minimum instead of towards it; the message says what to change."""


class FileError(Exception):
    """A file cannot be read, as a network or as data: says which, what was expected, what was found, and the fix."""


class NotFittedError(ValueError):
    """Something is asked of a layer or a network before it has seen the training data that it needs."""


class OutOfMemoryError(MemoryError):
    """The device has no room: says what was to be computed, what was free, and which batch size would fit."""
