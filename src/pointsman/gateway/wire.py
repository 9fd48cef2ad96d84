"""The JSON that crosses the wire, and the only place where msgspec's exceptions are translated.

A request is decoded only as far as routing needs: messages stay raw until an arm reads one. The rest is skipped here; a
model of this machine reads it (`chat.py`), and an upstream receives the body's own bytes.

Not done here: validating fields that only an upstream reads.
"""

import re
from collections.abc import Callable, Mapping
from typing import Literal, TypeVar

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from pointsman.core import BadRequest, Cost

S = TypeVar("S")
T = TypeVar("T")

Inputs = dict[str, object] | list[object]

FinishReason = Literal["stop", "length"]
"""OpenAI's words for why a text ends."""


class StreamOptions(Struct, frozen=True):
    """OpenAI's `stream_options`, as far as it is read here."""

    include_usage: bool | None = None


class ChatRequest(Struct, frozen=True):
    """The part of a chat completion request that routing and programs read."""

    model: str
    messages: list[Raw] | UnsetType = UNSET
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    inputs: Raw | UnsetType = UNSET
    tools: Raw | UnsetType = UNSET
    functions: Raw | UnsetType = UNSET
    response_format: Raw | UnsetType = UNSET


class Part(Struct, frozen=True):
    """One part of a message's content; only text parts can be read here."""

    type: str
    text: str | UnsetType = UNSET


class Message(Struct, frozen=True):
    """One message of a request."""

    role: str
    content: str | list[Part] | None = None
    inputs: Raw | UnsetType = UNSET


class Usage(Struct, frozen=True):
    """Billed tokens."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class AnswerNote(Struct, frozen=True):
    """The `pointsman` field of an answer: who answered, why, and what it cost.

    States are those of a program; a budget is the share of its bytes that a model might move.
    """

    arm: str
    reason: str
    cost: Cost
    states_visited: int | UnsetType = UNSET
    budget: float | UnsetType = UNSET


class WrittenToken(Struct, frozen=True):
    """A token of two models' text, and which of them wrote it, or that it was looked up."""

    token: str
    writer: Literal["lookup", "small", "large"]


class PairNote(AnswerNote, frozen=True, kw_only=True):
    """The same where two models wrote: who wrote how much, and what that cost.

    `bytes` and `flops` are those of both models and of what decides; `rolled_back` are tokens that the small model
    wrote or that were looked up, and that the large one did not let stand.
    """

    method: str
    large_tokens: int
    small_tokens: int
    lookup_tokens: int
    rolled_back: int
    calls: int
    bytes: int
    flops: int
    writers: tuple[WrittenToken, ...] | UnsetType = UNSET


class TopLogprob(Struct, frozen=True):
    """A token that could have been written. `logprob` is a natural logarithm; `bytes` are the token's own."""

    token: str
    logprob: float
    bytes: tuple[int, ...]


class TokenLogprob(TopLogprob, frozen=True):
    """A token that was written, and the likeliest ones in its place."""

    top_logprobs: tuple[TopLogprob, ...]


class Logprobs(Struct, frozen=True):
    """OpenAI's `logprobs` of a choice."""

    content: tuple[TokenLogprob, ...]
    refusal: None = None


class AnswerMessage(Struct, frozen=True):
    """The message of an answer."""

    content: str
    role: Literal["assistant"] = "assistant"


class AnswerChoice(Struct, frozen=True):
    """The only choice of an answer."""

    message: AnswerMessage
    finish_reason: FinishReason
    index: int = 0
    logprobs: Logprobs | None = None


class Completion(Struct, frozen=True):
    """OpenAI's `chat.completion`; `pointsman` is ours."""

    id: str
    created: int
    model: str
    choices: tuple[AnswerChoice]
    pointsman: AnswerNote
    usage: Usage
    object: Literal["chat.completion"] = "chat.completion"


class Delta(Struct, frozen=True, omit_defaults=True):
    """What one chunk adds to the message."""

    role: Literal["assistant"] | None = None
    content: str | None = None


class ChunkChoice(Struct, frozen=True):
    """The only choice of a chunk."""

    delta: Delta
    finish_reason: FinishReason | None = None
    index: int = 0
    logprobs: Logprobs | None = None


class Chunk(Struct, frozen=True):
    """OpenAI's `chat.completion.chunk`; `pointsman` is ours and comes with the finish reason."""

    id: str
    created: int
    model: str
    choices: tuple[ChunkChoice, ...]
    usage: Usage | UnsetType | None = UNSET
    pointsman: AnswerNote | UnsetType = UNSET
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"


class ModelCard(Struct, frozen=True):
    """One row of `GET /v1/models`."""

    id: str
    owned_by: str
    description: str
    created: int = 0
    object: Literal["model"] = "model"


class ModelList(Struct, frozen=True):
    """The answer of `GET /v1/models`."""

    data: tuple[ModelCard, ...]
    object: Literal["list"] = "list"


class Feedback(Struct, frozen=True, forbid_unknown_fields=True):
    """The body of `POST /v1/pointsman/feedback/{id}`."""

    correct: bool


class Health(Struct, frozen=True):
    """The answer of `GET /healthz`."""

    version: str
    num_programs: int
    num_models: int
    num_upstreams: int
    status: Literal["ok"] = "ok"


class ErrorDetail(Struct, frozen=True):
    """The inside of OpenAI's error shape."""

    message: str
    type: str
    param: str | None
    code: str


class ErrorEnvelope(Struct, frozen=True):
    """OpenAI's error shape."""

    error: ErrorDetail


encode = msgspec.json.Encoder().encode
_decode_request = msgspec.json.Decoder(ChatRequest).decode
_decode_feedback = msgspec.json.Decoder(Feedback).decode
_decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_message = msgspec.json.Decoder(Message).decode
_decode_inputs = msgspec.json.Decoder().decode

_PATH = re.compile(r" - at `(?:key in )?\$\.?([^`]*)`$")
_MISSING = re.compile(r"missing required field `([^`]+)`")


def read(decode: Callable[[S], T], source: S, what: str, code: str, param: str | None = None) -> T:
    """`decode(source)`; raises `BadRequest` for whatever msgspec raises, naming `what` and never quoting a value.

    Args:
        decode: the decoder.
        source: what it reads.
        what: the name of the source, as the subject of a message.
        code: the code for text that is not JSON; JSON of the wrong shape has one of `_wrong_shape`'s.
        param: where `source` is in the request, or None for the whole body.
    """
    try:
        return decode(source)
    except msgspec.ValidationError as exc:
        raise _wrong_shape(what, str(exc), param) from exc
    except msgspec.DecodeError as exc:
        raise BadRequest(f"{what} is not JSON: {exc}", code=code, param=param) from exc
    except UnicodeDecodeError as exc:
        raise BadRequest(f"{what} is not JSON: a string is not UTF-8", code=code, param=param) from exc
    except RecursionError as exc:
        raise BadRequest(f"{what} is nested too deeply", code=code, param=param) from exc


def decode_request(body: bytes) -> ChatRequest:
    """The routing part of a request's body.

    Raises:
        BadRequest: `invalid_json`, `not_an_object`, `missing_field` or `invalid_type`.
    """
    return read(_decode_request, body, "the request body", "invalid_json")


def decode_feedback(body: bytes) -> Feedback:
    """What a client says of an answer. Raises BadRequest as `decode_request`, also for a field that there is not."""
    return read(_decode_feedback, body, "the feedback", "invalid_json")


def last_user_message(request: ChatRequest) -> Message:
    """The last message whose role is `user`.

    Raises:
        BadRequest: there is none, or a message after it is not a chat message.
    """
    message = _last_of_user(request)
    if message is None:
        raise BadRequest("messages holds no message with the role 'user'", code="no_user_message", param="messages")
    return message


def _last_of_user(request: ChatRequest) -> Message | None:
    messages = () if request.messages is UNSET else request.messages
    for index in range(len(messages) - 1, -1, -1):
        message = read(_decode_message, messages[index], "the message", "invalid_json", f"messages[{index}]")
        if message.role == "user":
            return message
    return None


def before_last_answer(request: ChatRequest) -> list[Raw]:
    """The messages before the assistant's last one; empty where there is none. Raises BadRequest as its messages do."""
    messages = [] if request.messages is UNSET else request.messages
    for index in range(len(messages) - 1, -1, -1):
        if read(_decode_message, messages[index], "the message", "invalid_json").role == "assistant":
            return messages[:index]
    return []


def text_of(message: Message) -> str:
    """A message's text, its text parts joined.

    Raises:
        BadRequest: `unsupported_content` where a part is not text.
    """
    if message.content is None or isinstance(message.content, str):
        return message.content or ""
    texts = [part.text for part in message.content if part.type == "text" and isinstance(part.text, str)]
    if len(texts) < len(message.content):
        raise BadRequest("only text parts can be read here", code="unsupported_content", param="messages")
    return "".join(texts)


def program_inputs(request: ChatRequest) -> Inputs:
    """A program's inputs: by name from a JSON object, by position from a JSON array.

    The request's own `inputs` field comes first, then that of the last user message, then that message's text; null is
    as good as absent. Of a key that an object has twice the last value counts.

    Raises:
        BadRequest: `invalid_inputs` where they are not JSON, or neither an object nor an array.
    """
    raw: Raw | str | None = _present(request.inputs)
    param = "inputs"
    if raw is None:
        message = last_user_message(request)
        param = "messages"
        raw = _present(message.inputs) or text_of(message)
        if isinstance(raw, str) and not raw.strip():
            problem = "the last user message is empty; a program's inputs are its text, as JSON, or the field 'inputs'"
            raise BadRequest(problem, code="invalid_inputs", param=param)
    inputs = read(_decode_inputs, raw, "the program's inputs", "invalid_inputs", param)
    if not isinstance(inputs, dict | list):
        message_text = "a program's inputs are a JSON object (by name) or a JSON array (by position)"
        raise BadRequest(message_text, code="invalid_inputs", param=param)
    return inputs


def free_words(request: ChatRequest) -> str | None:
    """The last user message, where it is neither a program's inputs nor brings them along.

    Raises:
        BadRequest: as its parts do, unless the request's own field `inputs` can do without the message.
    """
    try:
        message = _last_of_user(request)
        if message is None or _present(message.inputs) is not None:
            return None
        text = text_of(message)
    except BadRequest:
        if _present(request.inputs) is None:
            raise
        return None
    if not text.strip() or text.lstrip()[0] in "{[":
        return None
    return text


def given_inputs(request: ChatRequest) -> dict[str, object]:
    """Inputs that come beside a request in free words.

    Raises:
        BadRequest: `invalid_inputs` where they are no JSON object.
    """
    raw = _present(request.inputs)
    found = {} if raw is None else read(_decode_inputs, raw, "the program's inputs", "invalid_inputs", "inputs")
    if not isinstance(found, dict):
        raise BadRequest("inputs beside a request are a JSON object (by name)", code="invalid_inputs", param="inputs")
    return found


def sole_text(request: ChatRequest) -> str | None:
    """The text of a chat that is one user message and nothing else, without tools, a format or inputs; else None."""
    messages = () if request.messages is UNSET else request.messages
    others = (request.inputs, request.tools, request.functions, request.response_format)
    if len(messages) != 1 or any(_present(field) is not None for field in others):
        return None
    message = read(_decode_message, messages[0], "the message", "invalid_json", "messages[0]")
    is_text = message.role == "user" and isinstance(message.content, str) and _present(message.inputs) is None
    return text_of(message) if is_text else None


def with_model(body: bytes, model: str) -> bytes:
    """A request's body for another model, every other field as it came. Raises as `fields_of`."""
    return with_fields(body, {"model": model})


def with_fields(body: bytes, changes: Mapping[str, object]) -> bytes:
    """A request's body with some fields set anew, every other one as it came. Raises as `fields_of`."""
    return encode({**fields_of(body), **changes})


def fields_of(body: bytes) -> dict[str, Raw]:
    """A request's fields, each as it came.

    Raises:
        BadRequest: `invalid_json` for a name of a field that is not UTF-8; routing passes those by.
    """
    return read(_decode_fields, body, "the request body", "invalid_json")


def optional(fields: Mapping[str, object], name: str, kind: type[T]) -> T | None:
    """One of `fields_of`, decoded; None where it is absent or null.

    Raises:
        BadRequest: `invalid_type` where it is no `kind`.
    """
    raw = fields.get(name)
    if not isinstance(raw, Raw):
        return None
    return read(lambda source: msgspec.json.decode(source, type=kind | None), raw, name, "invalid_json", name)


def all_texts(request: ChatRequest) -> str | None:
    """The texts of all messages, in order; None where one is not text, or with tools, a format or inputs."""
    messages = () if request.messages is UNSET else request.messages
    others = (request.inputs, request.tools, request.functions, request.response_format)
    if not messages or any(_present(field) is not None for field in others):
        return None
    try:
        found = [read(_decode_message, message, "the message", "invalid_json") for message in messages]
        return "\n".join(map(text_of, found))
    except BadRequest:  # whoever answers says what is wrong
        return None


def _present(raw: Raw | UnsetType) -> Raw | None:
    if isinstance(raw, UnsetType):
        return None
    return None if memoryview(raw).nbytes == len(b"null") and bytes(raw) == b"null" else raw


def convert(value: object, kind: type[T], what: str) -> T:
    """`value`, made of dicts, lists and scalars, as a `kind`.

    Raises:
        BadRequest: `missing_field` or `invalid_type`.
    """
    return read(lambda source: msgspec.convert(source, kind), value, what, "invalid_type")


def _wrong_shape(what: str, detail: str, param: str | None) -> BadRequest:
    """The error for JSON of the wrong shape; `detail` is msgspec's text, which names types and fields only."""
    missing, path = _MISSING.search(detail), _PATH.search(detail)
    inner = _joined(path and path[1], missing and missing[1])
    where = _joined(param, inner) or None
    if missing:
        return BadRequest(f"{what} lacks the field {missing[1]!r}", code="missing_field", param=where)
    expected = _PATH.sub("", detail)
    at = f" at {inner}" if inner else ""
    code = "invalid_type" if where or not expected.startswith("Expected `object`") else "not_an_object"
    return BadRequest(f"{what} has the wrong shape{at}: {expected}", code=code, param=where)


def _joined(*parts: str | None) -> str:
    """A path of names and indices: `a`, `b` and `[0]` are `a.b[0]`."""
    return ".".join(part for part in parts if part).replace(".[", "[")
