"""A fitted router as files: `router.safetensors`, and `router.json`, which names the model by the hash of its weights.

The description is written last, so a folder with it is whole.
"""

from dataclasses import dataclass
from pathlib import Path

import msgspec
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from pointsman.core import BadRequest, NotFound
from pointsman.engine import Decoder
from pointsman.engine.weights import weights_hash
from pointsman.unit.dial import Curve, Dial, Timed
from pointsman.unit.prices import Currency
from pointsman.unit.router import Router, Shape

CARD_FILE, WEIGHTS_FILE = "router.json", "router.safetensors"
FORMAT = 2


@dataclass(frozen=True, slots=True)
class Card:
    """What a router is, and what was seen of it.

    Attributes:
        model: SHA-256 of the weights that it belongs to; see `weights_hash`.
        shape: of its forecasters.
        data: what it was fitted to.
        seconds: that fitting took.
        curve: what rates cost and save in bytes, on texts that it was not fitted to.
        timed: the same in milliseconds, where they were measured.
        prompts: the same in multiplications with all attentions executed, for prompts; None where it was fitted to
            answers, whose prompts its gates have not seen.
        format: of the files.
    """

    model: str
    shape: Shape
    data: str
    seconds: float
    curve: Curve
    timed: Timed | None = None
    prompts: Curve | None = None
    format: int = FORMAT

    def dial(self, currency: Currency) -> Dial:
        """By bytes or by milliseconds. Raises `NotFound` (`no_clock`) where these were not measured."""
        if currency == "bytes":
            return Dial(self.curve, None)
        if self.timed is None:
            problem = "no milliseconds were measured for this router"
            raise NotFound(
                f"{problem}; `pointsman fit unit --prices ms -o FOLDER` does",
                code="no_clock",
            )
        return Dial(self.timed.curve, self.timed.prices)

    def prompt_rate(self, budget: float) -> float:
        """For a share of a prompt's multiplications.

        Raises:
            NotFound: `no_prompts` where it was fitted to answers.
            BadRequest: as `Curve.rate_for_budget`.
        """
        if budget == 1:
            return 0.0
        if self.prompts is None:
            problem = f"this router was fitted to {self.data}, where prompts are always executed"
            raise NotFound(f"{problem}; fit one to a text file or to generated texts", code="no_prompts")
        return self.prompts.rate_for_budget(budget)


def save_router(folder: Path, router: Router, card: Card) -> None:
    """Writes both files; weights rounded to bf16, see `rounded`."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: tensor.to(torch.bfloat16).contiguous() for name, tensor in router.state_dict().items()}
    save_file(tensors, folder / WEIGHTS_FILE)
    (folder / CARD_FILE).write_bytes(msgspec.json.format(msgspec.json.encode(card, order="deterministic"), indent=1))


def rounded(router: Router) -> None:
    """Rounds a router in place to what its file holds, so that what is measured of it is what is loaded."""
    router.load_state_dict({name: tensor.to(torch.bfloat16) for name, tensor in router.state_dict().items()})


def load_router(folder: Path, decoder: Decoder) -> tuple[Router, Card]:
    """The router that lies in `folder`, float32 on the CPU, for this model.

    Raises:
        NotFound: `router_not_found` where there is none.
        BadRequest: `invalid_router` for files that are broken, `router_of_another_model` where it was made for another.
    """
    card = _read_card(folder / CARD_FILE)
    if (found := weights_hash(decoder)) != card.model:
        problem = f"the router in {folder} was fitted to another model: its weights are {card.model[:12]}..."
        raise BadRequest(f"{problem}, these {found[:12]}...; fit one for this model", code="router_of_another_model")
    router = Router(decoder.config, card.shape)
    try:
        router.load_state_dict(load_file(folder / WEIGHTS_FILE))
    except (SafetensorError, OSError, RuntimeError) as exc:
        problem = f"{folder / WEIGHTS_FILE} does not hold the weights that {CARD_FILE} describes"
        raise BadRequest(problem, code="invalid_router") from exc
    return router.requires_grad_(False), card


def _read_card(path: Path) -> Card:
    try:
        card = msgspec.json.decode(path.read_bytes(), type=Card)
    except FileNotFoundError as exc:
        raise NotFound(f"there is no router in {path.parent}; expected {path.name}", code="router_not_found") from exc
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise BadRequest(f"{path} is no description of a router: {exc}", code="invalid_router") from exc
    if card.format != FORMAT:
        raise BadRequest(f"{path} has format {card.format}; expected {FORMAT}", code="invalid_router")
    return card
