"""From names to files, with a Hub that is not there."""

import json
from pathlib import Path

import httpx2
import huggingface_hub
import pytest
from huggingface_hub import errors

from pointsman.core import BadRequest, NotFound, PointsmanError, UpstreamError
from pointsman.engine.source import FILES, resolve_model

NAME = "someone/some-model"


class FakeHub:
    """Stands for `snapshot_download`: what the cache and the Hub answer, and what was asked."""

    def __init__(self) -> None:
        self.cached: Path | Exception = errors.LocalEntryNotFoundError("nothing cached")
        self.online: Path | Exception = httpx2.ConnectError("no network")
        self.calls: list[str] = []

    def __call__(self, name: str, *, allow_patterns: list[str], local_files_only: bool = False) -> str:
        assert name == NAME
        assert allow_patterns == list(FILES)
        self.calls.append("cache" if local_files_only else "hub")
        answer = self.cached if local_files_only else self.online
        if isinstance(answer, Exception):
            raise answer
        return str(answer)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeHub:
    fake = FakeHub()
    monkeypatch.setattr(huggingface_hub, "snapshot_download", fake)
    monkeypatch.chdir(tmp_path)
    return fake


def answered(kind: type[errors.HfHubHTTPError], status: int) -> errors.HfHubHTTPError:
    return kind("the Hub said no", response=httpx2.Response(status, request=httpx2.Request("GET", "http://hub/")))


def test_a_folder_is_itself(tmp_path: Path, hub: FakeHub) -> None:
    assert resolve_model(str(tmp_path)) == tmp_path
    assert hub.calls == []


def test_a_folder_comes_before_the_hub(tmp_path: Path, hub: FakeHub) -> None:
    (tmp_path / NAME).mkdir(parents=True)
    assert resolve_model(NAME) == Path(NAME)
    assert hub.calls == []


def test_a_bin_file_is_itself(tmp_path: Path) -> None:
    (tmp_path / "small.bin").touch()
    assert resolve_model(str(tmp_path / "small.bin")) == tmp_path / "small.bin"


def test_another_file_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "weights.pt").touch()
    with pytest.raises(BadRequest, match=r"weights\.pt' is a file; expected a folder or a llama2\.c \.bin file"):
        resolve_model(str(tmp_path / "weights.pt"))


NO_MODELS = [
    "",
    "llama",
    "/absent/folder",
    "./absent/folder",
    "absent/model.bin",
    "a/b/c",
    "a b/c",
    "~nobody/x",
    "x" * 999,
]


@pytest.mark.parametrize("name", NO_MODELS)
def test_a_name_that_can_be_nothing(name: str, hub: FakeHub) -> None:
    with pytest.raises(NotFound, match=r"expected a folder, a llama2\.c \.bin file or an id such as") as caught:
        resolve_model(name)
    assert caught.value.code == "model_not_found"
    assert hub.calls == []


@pytest.mark.parametrize("is_split", [False, True])
def test_a_complete_cache_is_taken_without_asking_the_hub(is_split: bool, hub: FakeHub, tmp_path: Path) -> None:
    hub.cached = tmp_path
    if is_split:
        (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": "one", "b": "two"}}))
        (tmp_path / "one").touch()
        (tmp_path / "two").touch()
    else:
        (tmp_path / "model.safetensors").touch()
    assert resolve_model(NAME) == tmp_path
    assert hub.calls == ["cache"]


@pytest.mark.parametrize("index", [None, {"weight_map": {"a": "one"}}, {}])
def test_a_part_of_a_model_in_the_cache_is_completed(index: object, hub: FakeHub, tmp_path: Path) -> None:
    hub.cached, hub.online = tmp_path, tmp_path / "whole"
    if index is not None:
        (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    assert resolve_model(NAME) == tmp_path / "whole"
    assert hub.calls == ["cache", "hub"]


def test_what_is_not_cached_is_downloaded(hub: FakeHub, tmp_path: Path) -> None:
    hub.online = tmp_path
    assert resolve_model(NAME) == tmp_path


@pytest.mark.parametrize(
    "failure",
    [
        httpx2.ConnectError("no network"),
        httpx2.ReadTimeout("slow"),
        errors.OfflineModeIsEnabled("offline"),
        errors.LocalEntryNotFoundError("no network"),
        errors.IncompleteSnapshotError("no network", snapshot_path="/x"),
    ],
    ids=lambda failure: type(failure).__name__,
)
def test_offline_says_what_to_download_and_where_to_put_it(failure: Exception, hub: FakeHub) -> None:
    hub.online = failure
    with pytest.raises(UpstreamError) as caught:
        resolve_model(NAME)
    assert (caught.value.code, caught.value.retryable) == ("hub_unreachable", True)
    assert "neither a folder here nor in the Hub's cache" in caught.value.message
    assert all(file in caught.value.message for file in FILES)
    assert f"of https://huggingface.co/{NAME} into a folder and name that folder" in caught.value.message
    assert caught.value.__cause__ is failure


@pytest.mark.parametrize(
    ("failure", "kind", "code"),
    [
        (answered(errors.RepositoryNotFoundError, 404), NotFound, "model_not_found"),
        (answered(errors.RevisionNotFoundError, 404), NotFound, "model_not_found"),
        (errors.HFValidationError("bad id"), NotFound, "model_not_found"),
        (answered(errors.GatedRepoError, 403), UpstreamError, "hub_refused"),
        (answered(errors.HfHubHTTPError, 503), UpstreamError, "hub_failed"),
        (OSError(28, "No space left on device"), UpstreamError, "hub_failed"),
        (RuntimeError("the transfer broke off"), UpstreamError, "hub_failed"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_each_failure_of_the_hub_has_its_error(
    failure: Exception, kind: type[PointsmanError], code: str, hub: FakeHub
) -> None:
    hub.online = failure
    with pytest.raises(kind, match=NAME) as caught:
        resolve_model(NAME)
    assert caught.value.code == code


# what other functions of the library raise
ELSEWHERE = (
    "Bucket",
    "CLI",
    "Cache",
    "Confirmation",
    "Corrupted",
    "DDUF",
    "Device",
    "File",
    "Inference",
    "Job",
    "OIDC",
)
ELSEWHERE += ("RevisionResolution", "Safetensors", "NotASafetensors", "Sandbox", "Strict", "Xet", "HfUri")


THEIRS = [
    value
    for name, value in vars(errors).items()
    if isinstance(value, type) and issubclass(value, Exception) and not name.startswith(ELSEWHERE)
]


@pytest.mark.parametrize("kind", THEIRS, ids=lambda kind: kind.__name__)
def test_no_exception_of_the_library_is_unmapped(kind: type[Exception], hub: FakeHub) -> None:
    hub.online = kind.__new__(kind, "failed")  # their constructors want all sorts of things
    with pytest.raises(PointsmanError):
        resolve_model(NAME)
