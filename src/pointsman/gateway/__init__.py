"""The OpenAI-compatible server: programs and models of this machine, everything else relayed to upstreams."""

from pointsman.gateway.app import create_app
from pointsman.gateway.auto import Opened, open_routing
from pointsman.gateway.chat import TextRequest
from pointsman.gateway.config import (
    Config,
    ModelConfig,
    Overrides,
    PairConfig,
    ServerConfig,
    UpstreamConfig,
    load_config,
)
from pointsman.gateway.models import ModelSource, TextModel, Written
from pointsman.gateway.programs import Program, ProgramAnswer, load_folder
from pointsman.gateway.routing_config import RoutingConfig, RoutingFlags
from pointsman.gateway.server import serve

__all__ = [
    "Config",
    "ModelConfig",
    "ModelSource",
    "Opened",
    "Overrides",
    "PairConfig",
    "Program",
    "ProgramAnswer",
    "RoutingConfig",
    "RoutingFlags",
    "ServerConfig",
    "TextModel",
    "TextRequest",
    "UpstreamConfig",
    "Written",
    "create_app",
    "load_config",
    "load_folder",
    "open_routing",
    "serve",
]
