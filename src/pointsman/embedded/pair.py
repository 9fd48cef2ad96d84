"""Where the trained models are that ship in the package: the pair, and the reader."""

from pathlib import Path
from typing import Literal, get_args

from pointsman.core import NotFound

Size = Literal["large", "small"]
SIZES: tuple[Size, ...] = get_args(Size)
READER = "reader"
MODELS: tuple[str, ...] = (*SIZES, READER)


def model_folder(model: str) -> Path:
    """The folder of `embedded/large`, `embedded/small` or `embedded/reader`, in Hugging Face's layout.

    Raises:
        NotFound: `model_not_found` for another name.
    """
    if model not in MODELS:
        raise NotFound(f"there is no embedded model {model!r}; there is {', '.join(MODELS)}", code="model_not_found")
    return Path(__file__).parent / "models" / model


def units_folder() -> Path:
    """The folder with the forecasters and gates of `embedded/large`, for the unit level."""
    return Path(__file__).parent / "models" / "units"


def router_folder() -> Path:
    """The folder with the gates of the embedded pair, for the token level."""
    return Path(__file__).parent / "models" / "router"
