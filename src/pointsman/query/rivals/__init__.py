"""Published query routers and baselines, as methods that are fitted to the same rows and features as ours.

What they share: whoever follows their forecasts takes the arm of the largest `right - price * nano_usd`, and sweeps the
price. Some methods forecast a score and not a chance, or means of costs; each module says so, and how it differs from
what was published. Where a paper fixes a constant that can be chosen on the training rows, it is chosen.

Only benchmarks use this package; it needs scikit-learn.
"""

from pointsman.query.forecasting import Method
from pointsman.query.rivals.boosting import Boosting
from pointsman.query.rivals.clusters import Clusters
from pointsman.query.rivals.frugal import Frugal
from pointsman.query.rivals.hybrid import Hybrid
from pointsman.query.rivals.item_response import ItemResponse
from pointsman.query.rivals.played import Cascade, CascadeMethod, Played
from pointsman.query.rivals.r2 import R2Ridge
from pointsman.query.rivals.routellm import MatrixFactorisation, SimilarityRanking
from pointsman.query.rivals.simple import (
    AllocationOnly,
    BestSingle,
    NearestNeighbours,
    RandomMixture,
    RouteThenAllocate,
    RoutingOnly,
)

__all__ = [
    "AllocationOnly",
    "BestSingle",
    "Boosting",
    "Cascade",
    "CascadeMethod",
    "Clusters",
    "Frugal",
    "Hybrid",
    "ItemResponse",
    "MatrixFactorisation",
    "NearestNeighbours",
    "Played",
    "R2Ridge",
    "RandomMixture",
    "RouteThenAllocate",
    "RoutingOnly",
    "SimilarityRanking",
    "cascades",
    "rivals",
    "single_axes",
]


def rivals() -> dict[str, Method]:
    """Every rival that forecasts, by name."""
    methods: tuple[Method, ...] = (
        BestSingle(),
        RandomMixture(),
        NearestNeighbours(),
        MatrixFactorisation(),
        SimilarityRanking(),
        Hybrid("deterministic"),
        Hybrid("probabilistic"),
        Hybrid("transformed"),
        Clusters(),
        Clusters(is_scaled=False),
        R2Ridge(),
        ItemResponse(),
        Boosting(),
    )
    return {method.name: method for method in methods}


def cascades() -> dict[str, CascadeMethod]:
    """Every rival that looks at answers, by name."""
    methods: tuple[CascadeMethod, ...] = (Frugal(),)
    return {method.name: method for method in methods}


def single_axes(method: Method) -> dict[str, Method]:
    """`method` with the choice of model and budget split, by name: what choosing both together has to beat."""
    methods: tuple[Method, ...] = (
        RoutingOnly(method, 0),
        RoutingOnly(method, -1),
        AllocationOnly(method),
        RouteThenAllocate(method),
    )
    return {each.name: each for each in methods}
