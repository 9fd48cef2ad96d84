"""Chat templates: from messages to the text that a model was trained on. The only place that knows Jinja.

A template comes with a model from a stranger, so it runs in Jinja's sandbox, in the environment that `transformers`
gives it.

Covered: no access to Python's internals, no change of the messages, `range` bounded. Not covered: a template that loops
for long or makes a long text.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Never

from pointsman.core import BadRequest
from pointsman.engine.config import read_object

if TYPE_CHECKING:
    from jinja2 import Template

SETTINGS_FILE, TEMPLATE_FILE = "tokenizer_config.json", "chat_template.jinja"

_SPECIAL_TOKENS = ("bos_token", "eos_token", "unk_token", "pad_token")


class ChatTemplate:
    """One template.

    Args:
        source: in Jinja.
        variables: what it may read besides the messages, such as `bos_token`.
    """

    def __init__(self, source: str, variables: Mapping[str, object] | None = None) -> None:
        self._source = source
        self._variables = dict(variables or {})

    def render(self, messages: Sequence[Mapping[str, Any]], **variables: object) -> str:
        """The text of `messages`.

        Args:
            messages: with `role`, `content` and whatever else the template knows.
            variables: more to read, such as `add_generation_prompt`.

        Raises:
            BadRequest: `invalid_chat` where the template refuses the messages or fails on them,
                `invalid_chat_template` where it is no Jinja.
        """
        from jinja2 import TemplateError

        template = self._template
        known: dict[str, object] = {"tools": None, "documents": None} | self._variables | variables
        try:
            return template.render(messages=messages, **known)
        except TemplateError as exc:
            problem = f"the chat template refuses the messages: {exc}"
            raise BadRequest(problem, code="invalid_chat", param="messages") from exc
        except (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RuntimeError) as exc:
            problem = f"the chat template fails on the messages: {type(exc).__name__}: {exc}"
            raise BadRequest(problem, code="invalid_chat", param="messages") from exc

    @cached_property
    def _template(self) -> "Template":
        from jinja2 import TemplateSyntaxError
        from jinja2.sandbox import ImmutableSandboxedEnvironment

        loops = "jinja2.ext.loopcontrols"
        environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loops])
        environment.filters["tojson"] = _tojson
        environment.globals |= {"raise_exception": _raise_exception, "strftime_now": _strftime_now}
        try:
            return environment.from_string(self._source)
        except TemplateSyntaxError as exc:
            problem = f"the chat template is no Jinja: line {exc.lineno}: {exc.message}"
            raise BadRequest(problem, code="invalid_chat_template") from exc


def read_chat_template(folder: Path, settings: Mapping[str, Any]) -> ChatTemplate | None:
    """The template of a model: `chat_template.jinja`, or the one in its `tokenizer_config.json`, or None.

    Raises:
        BadRequest: `invalid_tokenizer` where the file cannot be read or the template is of the wrong kind.
    """
    variables = {name: token for name in _SPECIAL_TOKENS if (token := special_token(settings, name)) is not None}
    path = folder / TEMPLATE_FILE
    if path.is_file():
        return ChatTemplate(_read_text(path), variables)
    source = settings.get("chat_template")
    if isinstance(source, list):  # several with names
        named = {entry.get("name"): entry.get("template") for entry in source if isinstance(entry, dict)}
        source = named.get("default")
    if source is None:
        return None
    if not isinstance(source, str):
        problem = f"{folder / SETTINGS_FILE}: chat_template is {type(source).__name__}; expected a string or a list"
        raise BadRequest(problem, code="invalid_tokenizer")
    return ChatTemplate(source, variables)


def read_settings(folder: Path) -> dict[str, Any]:
    """What `tokenizer_config.json` says; nothing where there is none."""
    path = folder / SETTINGS_FILE
    return read_object(path, code="invalid_tokenizer") if path.exists() else {}


def special_token(settings: Mapping[str, Any], name: str) -> str | None:
    """The text of a special token, which is stored as it is or as an object with `content`."""
    token = settings.get(name)
    text = token.get("content") if isinstance(token, dict) else token
    return text if isinstance(text, str) else None


def _read_text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise BadRequest(f"cannot read {path}: {exc}", code="invalid_tokenizer") from exc


def _tojson(value: object, **options: Any) -> str:
    """JSON for a model: Jinja's own filter would write for HTML."""
    return json.dumps(value, **{"ensure_ascii": False} | options)


def _raise_exception(message: str) -> Never:
    from jinja2 import TemplateError

    raise TemplateError(message)


def _strftime_now(form: str) -> str:
    return datetime.now().strftime(form)
