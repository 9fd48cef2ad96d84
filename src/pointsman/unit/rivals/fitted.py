"""Published routers as files beside ours: `DIR/rivals/KIND-BUDGET.safetensors`, tied to the model's weights."""

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from pointsman.core import BadRequest
from pointsman.engine import Decoder
from pointsman.engine.store import Store
from pointsman.engine.weights import weights_hash
from pointsman.unit.rivals.published import KINDS, Kind, Published
from pointsman.unit.rivals.training import PublishedTraining, Recipe, meet
from pointsman.unit.texts import Texts

FOLDER = "rivals"


def fit_published(
    kind: Kind,
    decoder: Decoder,
    learned: Texts,
    kept: Texts,
    budget: float,
    folder: Path,
    recipe: Recipe,
    on_step: Callable[[int], None] = lambda _: None,
) -> float:
    """Trains, meets the budget on `kept`, writes the file. Returns the share of bytes that is moved on `kept`.

    An interrupted fit goes on at the stage (forecasters, routers) that it was in.

    Raises:
        BadRequest: `invalid_budget` for what is no share.
    """
    if not 0 < budget < 1:
        problem = f"the budget is {budget:g}; expected a share of the model's bytes, above 0 and below 1"
        raise BadRequest(problem, code="invalid_budget", param="budget")
    published, model = Published(kind, decoder), weights_hash(decoder)
    identity = sha256(repr((model, kind, budget, recipe, learned.tokens.shape)).encode()).hexdigest()
    store = Store(folder / FOLDER / "work", identity)
    PublishedTraining(decoder, published, learned, budget, recipe, on_step).train(store)
    moved = meet(decoder, published, kept, budget)
    tensors = {name: tensor.contiguous() for name, tensor in published.state_dict().items()}
    save_file(tensors, folder / FOLDER / f"{kind}-{budget:g}.safetensors", {"model": model})
    return moved


def load_published(folder: Path, decoder: Decoder) -> list[tuple[Published, float]]:
    """All that were fitted into `folder` for this model, with their budgets, in order.

    Raises:
        BadRequest: `invalid_router` for a file that is none, `router_of_another_model`.
    """
    found = []
    for kind in KINDS:
        for path in sorted((folder / FOLDER).glob(f"{kind}-*.safetensors")):
            published = Published(kind, decoder)
            try:
                with safe_open(path, "pt") as file:
                    model = (file.metadata() or {}).get("model")
                    published.load_state_dict({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118
                budget = float(path.stem.removeprefix(f"{kind}-"))
            except (SafetensorError, OSError, RuntimeError, ValueError) as exc:
                raise BadRequest(f"{path} is no router of {kind} for this model", code="invalid_router") from exc
            if model != weights_hash(decoder):
                problem = f"{path} was fitted to another model; fit one for this model"
                raise BadRequest(problem, code="router_of_another_model")
            found.append((published.requires_grad_(False), budget))
    return found
