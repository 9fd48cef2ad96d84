"""Published routers as files beside ours: `DIR/rivals/KIND-BUDGET.safetensors`, tied to the model's weights.

With LoRA beside them they are `KIND+lora-BUDGET.safetensors`, which hold the changes of the model as well.
"""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from pointsman.core import BadRequest
from pointsman.engine import Decoder
from pointsman.engine.store import Store
from pointsman.engine.weights import weights_hash
from pointsman.unit.evaluation import Setting
from pointsman.unit.rivals.published import KINDS, Kind, Published
from pointsman.unit.rivals.training import PublishedTraining, Recipe, meet, published_setting
from pointsman.unit.rivals.tuning import adapted, tuned
from pointsman.unit.texts import Texts

FOLDER = "rivals"
_CHANGES = "lora."


@dataclass(frozen=True, slots=True)
class Fitted:
    """A published router for one budget.

    Attributes:
        published: it.
        budget: share of bytes that it was trained for.
        copy: of the model, tuned to it; None without LoRA.
    """

    published: Published
    budget: float
    copy: Decoder | None = None

    def setting(self, decoder: Decoder) -> Setting:
        """As it stands."""
        return published_setting(decoder, self.published, self.budget, self.copy)


def fit_published(
    kind: Kind,
    decoder: Decoder,
    learned: Texts,
    kept: Texts,
    budget: float,
    folder: Path,
    recipe: Recipe,
    on_step: Callable[[int], None] = lambda _: None,
    *,
    lora: bool = False,
) -> float:
    """Trains, meets the budget on `kept`, writes the file. Returns the share of bytes that is moved on `kept`.

    An interrupted fit goes on at the stage (forecasters, routers) that it was in. With `lora` the router that lies in
    the folder for this kind and budget is kept, and the model is tuned to it.

    Raises:
        BadRequest: `invalid_budget` for what is no share; as `load_published`.
    """
    if not 0 < budget < 1:
        problem = f"the budget is {budget:g}; expected a share of the model's bytes, above 0 and below 1"
        raise BadRequest(problem, code="invalid_budget", param="budget")
    path = folder / FOLDER / f"{kind}-{budget:g}.safetensors"
    if lora and path.exists():
        published = _load(path, kind, decoder, weights_hash(decoder)).published
    else:
        published = _trained(kind, decoder, learned, budget, folder, recipe, on_step)
        moved = meet(decoder, published, kept, budget)
        _save(path, published, decoder)
    if not lora:
        return moved
    copy, changes = tuned(decoder, published, learned, recipe, on_step)
    moved = meet(decoder, published, kept, budget, copy)
    _save(path.with_name(f"{kind}+lora-{budget:g}.safetensors"), published, decoder, changes)
    return moved


def _trained(
    kind: Kind,
    decoder: Decoder,
    learned: Texts,
    budget: float,
    folder: Path,
    recipe: Recipe,
    on_step: Callable[[int], None],
) -> Published:
    published, model = Published(kind, decoder), weights_hash(decoder)
    identity = sha256(repr((model, kind, budget, recipe, learned.fingerprint)).encode()).hexdigest()
    store = Store(folder / FOLDER / "work", identity)
    PublishedTraining(decoder, published, learned, budget, recipe, on_step).train(store)
    return published.requires_grad_(False)


def _save(path: Path, published: Published, decoder: Decoder, changes: nn.Module | None = None) -> None:
    tensors = dict(published.state_dict())
    if changes is not None:
        tensors |= {f"{_CHANGES}{name}": tensor for name, tensor in changes.state_dict().items()}
    whole = {name: tensor.detach().contiguous() for name, tensor in tensors.items()}
    save_file(whole, path, {"model": weights_hash(decoder)})


def load_published(folder: Path, decoder: Decoder) -> list[Fitted]:
    """All that were fitted into `folder` for this model, in order.

    Raises:
        BadRequest: `invalid_router` for a file that is none, `router_of_another_model`.
    """
    paths = [(kind, path) for kind in KINDS for path in sorted((folder / FOLDER).glob(f"{kind}[-+]*.safetensors"))]
    model = weights_hash(decoder) if paths else ""
    return [_load(path, kind, decoder, model) for kind, path in paths]


def _load(path: Path, kind: Kind, decoder: Decoder, model: str) -> Fitted:
    published, copy = Published(kind, decoder), None
    try:
        with safe_open(path, "pt") as file:
            found = (file.metadata() or {}).get("model")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  it is no mapping
        changed = {name: tensors.pop(name) for name in list(tensors) if name.startswith(_CHANGES)}
        published.load_state_dict(tensors)
        if changed:
            copy, changes = adapted(decoder)
            changes.load_state_dict({name.removeprefix(_CHANGES): tensor for name, tensor in changed.items()})
            changes.requires_grad_(False)
        budget = float(path.stem.removeprefix(kind).removeprefix("+lora").removeprefix("-"))
    except (SafetensorError, OSError, RuntimeError, ValueError) as exc:
        raise BadRequest(f"{path} is no router of {kind} for this model", code="invalid_router") from exc
    if found != model:
        problem = f"{path} was fitted to another model; fit one for this model"
        raise BadRequest(problem, code="router_of_another_model")
    return Fitted(published.requires_grad_(False), budget, copy)
