"""The unit level: inside one model, execute a block's attention or MLP, or forecast what it would add."""

from pointsman.unit.artefact import Card, load_router, save_router
from pointsman.unit.dial import Curve, Dial, Point, Timed
from pointsman.unit.distilling import Lessons
from pointsman.unit.drafting import drafting_batch, generate_drafted
from pointsman.unit.evaluation import Measured, Setting, measure, routed_at
from pointsman.unit.execution import Routing
from pointsman.unit.fitting import Fit, Settings
from pointsman.unit.prices import Currency, Prices
from pointsman.unit.router import Router, Shape, default_shape, tariff
from pointsman.unit.texts import Texts, generated, of_answers, of_stream
from pointsman.unit.timing import Clock, timed_prices
from pointsman.unit.writing import UnitBatch, UnitSampling, UnitText, routed

__all__ = [
    "Card",
    "Clock",
    "Currency",
    "Curve",
    "Dial",
    "Fit",
    "Lessons",
    "Measured",
    "Point",
    "Prices",
    "Router",
    "Routing",
    "Setting",
    "Settings",
    "Shape",
    "Texts",
    "Timed",
    "UnitBatch",
    "UnitSampling",
    "UnitText",
    "default_shape",
    "drafting_batch",
    "generate_drafted",
    "generated",
    "load_router",
    "measure",
    "of_answers",
    "of_stream",
    "routed",
    "routed_at",
    "save_router",
    "tariff",
    "timed_prices",
]
