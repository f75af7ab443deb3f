"""xnn."""
import importlib
from xnn import initializers, layers, losses, optimizers, penalties, schedules, metrics
from xnn.anomaly import detect_anomaly
from xnn.arrays import Backend, BackendError, available_backends, get_backend, set_backend, to_numpy, use_backend
from xnn.callbacks import Callback, Checkpoint, CSVLogger, EarlyStopping, ReduceLROnPlateau
from xnn.clipping import clip_by_norm, clip_by_value
from xnn.errors import AnomalyError, DivergenceWarning, FileError, NotFittedError
from xnn.history import History
from xnn.layers import *
from xnn.losses import *
from xnn.minimize import Minimum, minimize
from xnn.network import Network
from xnn.optimizers import *
from xnn.penalties import L1, L2, ElasticNet
try:
    from xnn.files import load
except ImportError: pass
