"""The model `auto`; see `arm.py` for its tracks, and `building.py` for how it is put together."""

from pointsman.gateway.auto.arm import AUTO, AutoArm
from pointsman.gateway.auto.building import Auto, Opened, open_routing

__all__ = ["AUTO", "Auto", "AutoArm", "Opened", "open_routing"]
