"""The model service: many callers, one batch, nobody left waiting."""

import threading
from collections.abc import Callable, Iterator
from queue import SimpleQueue

import pytest

from pointsman.core import BadRequest, InternalError, OverBudget
from pointsman.engine import Batch, Decoder, LoadedModel, ModelService, Sampling, Session, Text, generate, service

Ended = Text | BaseException


@pytest.fixture
def model(make_decoder: Callable[..., Decoder], letters: object) -> LoadedModel:
    decoder = make_decoder(3)
    return LoadedModel("tiny", decoder, letters, decoder.config)  # type: ignore[arg-type]


@pytest.fixture
def running(model: LoadedModel) -> Iterator[ModelService]:
    running = ModelService(Batch(model, 3))
    yield running
    running.close()


def test_many_threads_get_the_texts_that_they_would_get_alone(running: ModelService, model: LoadedModel) -> None:
    prompts = [[3 + index, 7, 9] for index in range(12)]
    ended: dict[int, SimpleQueue[Ended]] = {index: SimpleQueue() for index in range(12)}
    pieces: dict[int, list[str]] = {index: [] for index in range(12)}

    def ask(index: int) -> None:
        sampling = Sampling(max_tokens=4 + index, temperature=0.7, seed=index)
        running.submit(prompts[index], sampling, pieces[index].append, ended[index].put)

    threads = [threading.Thread(target=ask, args=(index,)) for index in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for index in range(12):
        text = ended[index].get(timeout=20)
        assert isinstance(text, Text)
        alone = generate(model, [prompts[index]], Sampling(max_tokens=4 + index, temperature=0.7, seed=index))[0]
        assert text.tokens == alone.tokens
        assert "".join(pieces[index]) == text.text


def test_a_cancelled_text_ends_early_and_once(running: ModelService) -> None:
    ended: SimpleQueue[Ended] = SimpleQueue()
    begun = threading.Event()
    ticket = running.submit([5], Sampling(allowed_tokens=(2,)), lambda _: begun.set(), ended.put)
    assert begun.wait(20)
    running.cancel(ticket)
    text = ended.get(timeout=20)
    assert isinstance(text, Text)
    assert text.finish_reason in ("cancelled", "length")
    running.cancel(ticket)  # of no effect
    assert ended.empty()


def test_a_callback_that_raises_harms_nobody_else(running: ModelService, caplog: pytest.LogCaptureFixture) -> None:
    def broken(_: object) -> None:
        raise ValueError("secret prompt")

    ended: SimpleQueue[Ended] = SimpleQueue()
    running.submit([5], Sampling(max_tokens=3), broken, broken)
    running.submit([6], Sampling(max_tokens=3), None, ended.put)
    assert isinstance(ended.get(timeout=20), Text)
    running.submit([7], Sampling(max_tokens=3), None, ended.put)
    assert isinstance(ended.get(timeout=20), Text)
    assert "ValueError" in caplog.text
    assert "secret" not in caplog.text


def test_a_step_that_fails_ends_its_texts_and_not_the_service(
    running: ModelService, model: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: SimpleQueue[Ended] = SimpleQueue()
    with monkeypatch.context() as patch:
        patch.setattr(Session, "extend", lambda *_: 1 / 0)
        running.submit([5], Sampling(max_tokens=3), None, ended.put)
        assert isinstance(ended.get(timeout=20), ZeroDivisionError)
    running.submit([5], Sampling(max_tokens=3), None, ended.put)
    assert isinstance(ended.get(timeout=20), Text)


def test_what_cannot_be_written_is_told_to_its_caller(running: ModelService) -> None:
    ended: SimpleQueue[Ended] = SimpleQueue()
    with pytest.raises(BadRequest, match="at most 63"):
        running.submit([5] * 64, Sampling(), None, ended.put)
    running.submit([5], Sampling(choices=("\udfff",)), None, ended.put)
    assert isinstance(ended.get(timeout=20), Exception)


def test_closing_ends_every_text(model: LoadedModel) -> None:
    closing = ModelService(Batch(model, 2))
    ended: SimpleQueue[Ended] = SimpleQueue()
    for _ in range(5):
        closing.submit([5], Sampling(allowed_tokens=(2,)), None, ended.put)
    closing.close()
    assert ended.qsize() == 5
    with pytest.raises(InternalError, match="shut down"):
        closing.submit([5], Sampling(), None, ended.put)


def test_too_many_texts_are_refused(running: ModelService, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "MAX_WAITING", 0)
    with pytest.raises(OverBudget, match="try again later") as caught:
        running.submit([5], Sampling(), None, lambda _: None)
    assert caught.value.code == "too_many_waiting"
