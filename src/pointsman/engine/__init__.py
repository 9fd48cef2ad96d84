"""Decoder-only models in PyTorch: weights, KV cache, batches, sampling. Knows nothing of routing."""

from pointsman.engine.batch import Batch, generate
from pointsman.engine.config import ModelConfig, RopeConfig
from pointsman.engine.cost import Traffic
from pointsman.engine.execution import Attend, Branch, Execute
from pointsman.engine.load import LoadedModel, load_model
from pointsman.engine.model import Decoder
from pointsman.engine.sampling import Sampling, distribution
from pointsman.engine.service import ModelService
from pointsman.engine.session import Execution, Extension, NaiveSession, Session, TextRows
from pointsman.engine.weights import save_weights
from pointsman.engine.writing import Text, TokenReport, Writing

__all__ = [
    "Attend",
    "Batch",
    "Branch",
    "Decoder",
    "Execute",
    "Execution",
    "Extension",
    "LoadedModel",
    "ModelConfig",
    "ModelService",
    "NaiveSession",
    "RopeConfig",
    "Sampling",
    "Session",
    "Text",
    "TextRows",
    "TokenReport",
    "Traffic",
    "Writing",
    "distribution",
    "generate",
    "load_model",
    "save_weights",
]
