"""The OpenAI-compatible server: compiled programs as models, everything else relayed to upstreams."""

from pointsman.gateway.app import create_app
from pointsman.gateway.config import Config, Overrides, ServerConfig, UpstreamConfig, load_config
from pointsman.gateway.programs import Program, ProgramAnswer, load_folder
from pointsman.gateway.server import serve

__all__ = [
    "Config",
    "Overrides",
    "Program",
    "ProgramAnswer",
    "ServerConfig",
    "UpstreamConfig",
    "create_app",
    "load_config",
    "load_folder",
    "serve",
]
