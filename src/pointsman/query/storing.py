"""A policy as a folder: what decides, the rows it comes from, and the certificate beside it. No pickle, no torch.

    policy.json           format version, what decides but for its arrays, where it and an embedding come from
    policy.safetensors    arrays of the space, the learners, the neighbours and the forest; of sequences, where adopted
    held_out.safetensors  forecasts of the fitted rows, their outcomes, and digests of the requests (`seen.py`)
    certificate.json      where it was calibrated; `certificate.dropped-N.json` are former ones, with the reason

Covered: each file is written whole or not at all, policy.json last, and names the sha256 of the others; what does not
belong together is refused, so that a save which ends early over another policy leaves a folder that does not load.
Not covered: who may write into the folder may write another policy there. An embedding stays where it is; its digest is
part of what decides, so that another one is refused.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Final

import msgspec

from pointsman.core import BadRequest
from pointsman.query.certifying import Setting
from pointsman.query.difficulty.joint import JointForecaster
from pointsman.query.difficulty.serving import Server
from pointsman.query.embedding import Embedder, SourceOf, load_known_embedder
from pointsman.query.folders import Arrays, bad_policy, encode_arrays, read_arrays, read_file, read_record, write_whole
from pointsman.query.packing import Packed, pack, unpack
from pointsman.query.policy import POLICY_VERSION, Certificate, Kind, Policy
from pointsman.query.promise import Promise
from pointsman.query.prompts import PromptLengths
from pointsman.query.seen import SeenRows
from pointsman.query.sequences import Look, Sequences

__all__ = [
    "FORMAT_VERSION",
    "Origin",
    "StoredPolicy",
    "drop_certificate",
    "load_policy",
    "load_stored",
    "policy_of",
    "save_certificate",
    "save_policy",
]

FORMAT_VERSION: Final = 1
_POLICY, _ARRAYS, _HELD_OUT, _CERTIFICATE = (
    "policy.json",
    "policy.safetensors",
    "held_out.safetensors",
    "certificate.json",
)
_LIBRARIES = ("pointsman", "numpy", "scikit-learn")


class Origin(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a policy comes from; nothing of it decides.

    Attributes:
        data_sha256: of the outcomes, see `seen.digest_of`.
        num_rows: of them.
        seed: of the fit.
        versions: of the libraries that fitted.
        joined: arms that joined later, in order.
    """

    data_sha256: str
    num_rows: int
    seed: int
    versions: dict[str, str] = msgspec.field(default_factory=lambda: {name: version(name) for name in _LIBRARIES})
    joined: list[str] = []


class _Embedding(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    sha256: str
    num_dims: Annotated[int, msgspec.Meta(ge=1)]


class _Decides(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`looks`: arms of each, absent where no sequences were adopted. `embedding`: absent where there was none."""

    rule: str
    arms: list[str]
    reference: str
    kind: Kind
    arrays_sha256: str
    forecaster: Packed
    looks: list[list[int]] | msgspec.UnsetType = msgspec.UNSET
    embedding: _Embedding | msgspec.UnsetType = msgspec.UNSET

    @property
    def digest(self) -> str:
        return sha256(msgspec.json.encode(self)).hexdigest()


class _PolicyFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`embedding_folder`: as it was given; decides nothing."""

    format: int
    decides: _Decides
    origin: Origin
    held_out_sha256: str
    prompts: PromptLengths | None = None
    embedding_folder: str | msgspec.UnsetType = msgspec.UNSET


class _CertificateFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`price`: None where it is infinite. `policy`: digest of what decides. `looks`: absent where none is taken."""

    format: int
    policy: str
    loss: float
    confidence: float
    kept: float
    price: float | None
    caution: float
    most_novel: float
    usual_novelty: float
    num_rows: int
    saving: float
    arms: list[str]
    data_sha256: str
    num_taken: int = 0
    dropped: str | None = None
    looks: bool | msgspec.UnsetType = msgspec.UNSET


@dataclass(frozen=True, slots=True)
class StoredPolicy:
    """A policy with what stands beside it in its folder. `prompts`: None where tables did not count prompts."""

    policy: Policy
    origin: Origin
    seen: SeenRows
    prompts: PromptLengths | None = None


def policy_of(
    arms: tuple[str, ...],
    reference: str,
    fitted: JointForecaster,
    certificate: Certificate | None = None,
    kind: Kind = "nano_usd",
    sequences: Sequences | None = None,
    embedder: Embedder | None = None,
) -> Policy:
    """A policy whose version is a digest of what decides. Raises as `Policy`, and BadRequest `not_storable`."""
    bare = Policy(arms, reference, kind, Server.of(fitted), certificate, POLICY_VERSION, sequences, embedder)
    return replace(bare, version=_version(_decides(bare)[0], certificate))


def save_policy(stored: StoredPolicy, folder: Path) -> None:
    """Writes a policy; a certificate of another one is dropped first, and the policy's own is written last.

    Raises:
        BadRequest: `not_storable` for learners that are not ours.
        OSError: where the folder cannot be written.
    """
    policy = stored.policy
    decides, arrays = _decides(policy)
    place = msgspec.UNSET if policy.embedder is None else str(policy.embedder.folder)
    held_out = encode_arrays(stored.seen.arrays())
    digest = sha256(held_out).hexdigest()
    record = _PolicyFile(FORMAT_VERSION, decides, stored.origin, digest, stored.prompts, place)
    folder.mkdir(parents=True, exist_ok=True)
    drop_certificate(folder, "another policy was written into its folder")
    write_whole(folder / _ARRAYS, arrays)
    write_whole(folder / _HELD_OUT, held_out)
    write_whole(folder / _POLICY, msgspec.json.format(msgspec.json.encode(record), indent=1) + b"\n")
    if policy.certificate is not None:
        save_certificate(policy.certificate, folder)


def load_policy(folder: Path, embedding: Path | None = None, source_of: SourceOf = str) -> Policy:
    """The policy in a folder, with its certificate where there is one.

    Args:
        folder: of the policy.
        embedding: folder of what it has learned with, or a model's name; None where that is where it was.
        source_of: finds models by their names.

    Raises:
        BadRequest: `bad_policy`, naming the file and the field, for what is missing, damaged, of another format or does
            not belong together; `other_certificate` for the certificate of another policy; `other_embedding` for an
            embedding that it has not learned with; as `load_embedder`.
        Unsupported: as `load_embedder`.
    """
    return _loaded_whole(folder, embedding, source_of)[1]


def load_stored(folder: Path, embedding: Path | None = None, source_of: SourceOf = str) -> StoredPolicy:
    """The same with all that stands beside it. Raises as `load_policy`."""
    record, policy = _loaded_whole(folder, embedding, source_of)
    held_out, with_answers = read_arrays(folder / _HELD_OUT, record.held_out_sha256), policy.sequences is not None
    seen = SeenRows.read(held_out, len(policy.arms), with_answers=with_answers)
    prompts = record.prompts
    if prompts is not None and {len(prompts.base), len(prompts.per_byte), len(prompts.error)} != {len(policy.arms)}:
        raise bad_policy(folder / _POLICY, "prompts", f"must have a number for each of {len(policy.arms)} arms")
    return StoredPolicy(policy, record.origin, seen, prompts)


def save_certificate(certificate: Certificate, folder: Path) -> None:
    """Writes the certificate of the policy in the folder; a former one is kept as dropped.

    Raises BadRequest: `bad_policy`; `other_certificate` where its arms are not the policy's.
    """
    record, policy = _loaded(folder)
    replace(policy, certificate=certificate)  # refuses other arms
    drop_certificate(folder, "replaced by a newer one")
    write_whole(folder / _CERTIFICATE, msgspec.json.encode(_certificate_file(certificate, record.decides)) + b"\n")


def drop_certificate(folder: Path, reason: str) -> Path | None:
    """Renames the certificate to `certificate.dropped-N.json`, with the reason in it; None where there is none.

    What cannot be read as a certificate is moved as it is, with the reason in a file beside it.
    """
    path = folder / _CERTIFICATE
    if not path.exists():
        return None
    number = 1
    while (target := folder / f"certificate.dropped-{number}.json").exists():
        number += 1
    data = read_file(path)
    try:
        record = read_record(data, _CertificateFile, path, FORMAT_VERSION)
    except BadRequest:
        write_whole(target.with_suffix(".reason.txt"), reason.encode() + b"\n")
        path.replace(target)
        return target
    write_whole(target, msgspec.json.encode(msgspec.structs.replace(record, dropped=reason)) + b"\n")
    path.unlink()
    return target


def _decides(policy: Policy) -> tuple[_Decides, bytes]:
    record, arrays = pack(policy.server.fitted)
    sequences, embedder = policy.sequences, policy.embedder
    looks: list[list[int]] | msgspec.UnsetType = msgspec.UNSET
    embedding = msgspec.UNSET if embedder is None else _Embedding(embedder.digest, embedder.num_dims)
    if sequences is not None:
        arrays = arrays | {f"sequences.{name}": getattr(sequences, name) for name in ("agreeing", "moved")}
        looks = [list(look.arms) for look in sequences.looks]
    data = encode_arrays(arrays)
    named = POLICY_VERSION, list(policy.arms), policy.reference, policy.kind
    return _Decides(*named, sha256(data).hexdigest(), record, looks, embedding), data


def _sequences(decides: _Decides, arrays: Arrays, path: Path) -> Sequences | None:
    if decides.looks is msgspec.UNSET:
        return None
    looks, num_arms = tuple(Look(tuple(arms)) for arms in decides.looks), len(decides.arms)
    for look in looks:
        if not 1 <= len(look.arms) == len(set(look.arms)) <= 2 or not all(0 <= arm < num_arms for arm in look.arms):
            problem = f"have {list(look.arms)}; expected one arm or two different ones, from 0 to {num_arms - 1}"
            raise bad_policy(path, "decides.looks", problem)
    if not looks:
        raise bad_policy(path, "decides.looks", "are none; expected one or more, or no such field")
    agreeing = arrays.take("sequences.agreeing", "float64", len(looks), 2)
    return Sequences(looks, agreeing, arrays.take("sequences.moved", "float64", len(looks), 2, num_arms, 2))


def _version(decides: _Decides, certificate: Certificate | None) -> str:
    """`joint/1+` and a digest of what decides: the forecaster, and the certificate where there is one."""
    digest = decides.digest
    if certificate is not None:
        digest = sha256(msgspec.json.encode(_certificate_file(certificate, decides))).hexdigest()
    return f"{POLICY_VERSION}+{digest[:16]}"


def _loaded_whole(folder: Path, embedding: Path | None, source_of: SourceOf) -> tuple[_PolicyFile, Policy]:
    record, policy = _loaded(folder)
    certificate = _load_certificate(folder, record.decides)
    embedder = _load_embedder(record, embedding, folder, source_of)
    version = _version(record.decides, certificate)
    return record, replace(policy, certificate=certificate, version=version, embedder=embedder)


def _loaded(folder: Path) -> tuple[_PolicyFile, Policy]:
    """Without the certificate and the embedder."""
    path = folder / _POLICY
    record = read_record(read_file(path), _PolicyFile, path, FORMAT_VERSION)
    decides = record.decides
    if decides.rule != POLICY_VERSION:
        raise bad_policy(path, "decides.rule", f"is {decides.rule!r}; this version decides by {POLICY_VERSION!r}")
    if len(decides.arms) < 2 or len(set(decides.arms)) < len(decides.arms):
        raise bad_policy(path, "decides.arms", f"are {decides.arms!r}; expected two or more, all different")
    if decides.reference not in decides.arms:
        raise bad_policy(path, "decides.reference", f"{decides.reference!r} is none of {', '.join(decides.arms)}")
    arrays = read_arrays(folder / _ARRAYS, decides.arrays_sha256)
    fitted = unpack(decides.forecaster, arrays, len(decides.arms), path)
    _require_dims(decides, fitted, path)
    server, sequences = Server.of(fitted), _sequences(decides, arrays, path)
    version = _version(decides, None)
    return record, Policy(tuple(decides.arms), decides.reference, decides.kind, server, None, version, sequences)


def _require_dims(decides: _Decides, fitted: JointForecaster, path: Path) -> None:
    num_dims = 0 if decides.embedding is msgspec.UNSET else decides.embedding.num_dims
    if num_dims != fitted.space.num_extra:
        problem = f"has {num_dims} dimensions; the forecaster has learned with {fitted.space.num_extra}"
        raise bad_policy(path, "decides.embedding", problem)


def _load_embedder(record: _PolicyFile, given: Path | None, folder: Path, source_of: SourceOf) -> Embedder | None:
    wanted, stored = record.decides.embedding, record.embedding_folder
    if wanted is msgspec.UNSET:
        if given is not None:
            problem = f"the policy in {folder} has learned without an embedding; leave {str(given)!r} out"
            raise BadRequest(problem, code="other_embedding", param="embedding")
        return None
    if stored is msgspec.UNSET:
        raise bad_policy(folder / _POLICY, "embedding_folder", "is missing; expected where the embedding is")
    return load_known_embedder(wanted.sha256, Path(stored), given, source_of)


def _certificate_file(certificate: Certificate, decides: _Decides) -> _CertificateFile:
    promise, setting = certificate.promise, certificate.setting
    return _CertificateFile(
        format=FORMAT_VERSION,
        policy=decides.digest,
        loss=promise.loss,
        confidence=promise.confidence,
        kept=promise.kept,
        price=None if setting.price == float("inf") else setting.price,
        caution=setting.caution,
        most_novel=certificate.most_novel,
        usual_novelty=certificate.usual_novelty,
        num_rows=certificate.num_rows,
        saving=certificate.saving,
        arms=list(certificate.arms),
        data_sha256=certificate.data,
        num_taken=certificate.num_taken,
        looks=setting.looks or msgspec.UNSET,
    )


def _load_certificate(folder: Path, decides: _Decides) -> Certificate | None:
    path = folder / _CERTIFICATE
    if not path.exists():
        return None
    record = read_record(read_file(path), _CertificateFile, path, FORMAT_VERSION)
    if record.policy != decides.digest:
        problem = f"{path} was made for policy {record.policy[:16]}; this one is {decides.digest[:16]}"
        raise BadRequest(f"{problem}; calibrate again", code="other_certificate")
    try:
        promise = Promise(record.loss, record.confidence, record.kept)
    except BadRequest as exc:
        raise bad_policy(path, "promise", exc.message) from exc
    price = float("inf") if record.price is None else record.price
    setting = Setting(price, record.caution, record.looks is True)
    shares = record.most_novel, record.usual_novelty
    if (
        setting.price < 0
        or not all(0 <= share <= 1 for share in shares)
        or not 0 <= record.num_taken <= record.num_rows > 0
    ):
        raise bad_policy(path, "setting", "has a price, a novelty or a number of rows out of range")
    arms = tuple(record.arms)
    return Certificate(
        *(promise, setting, record.most_novel, record.usual_novelty, record.num_rows, record.saving, arms),
        *(record.data_sha256, record.num_taken),
    )
