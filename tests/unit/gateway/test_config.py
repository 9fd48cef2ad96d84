import os
from pathlib import Path

import pytest

from pointsman.core import BadRequest
from pointsman.gateway import (
    Config,
    ModelConfig,
    Overrides,
    PairConfig,
    RoutingConfig,
    RoutingFlags,
    ServerConfig,
    UpstreamConfig,
    load_config,
)

UPSTREAM = '[[upstream]]\nname = "local"\nbase_url = "http://127.0.0.1:8000/v1"\nmodels = ["a", "b"]\n'


MODEL = '[[model]]\nsource = "Qwen/Qwen3-0.6B"\n'


ROUTING = (
    *("policy.folder", "policy.audit_share", "policy.max_audits", "policy.comparer", "policy.most_reference"),
    *("policy.shift_tolerance", "policy.prompt_cache_s", "policy.prompt_cache_tokens"),
    *("policy.shift_tolerance", "policy.embedding"),
    *("memory.path", "memory.capacity_bytes", "memory.seconds_to_live", "memory.semantic"),
    *("solver.on", "parts.on", "ledger.path", "ledger.heat_maps", "explain.keep"),
)


def written(folder: Path, text: str) -> Path:
    path = folder / "pointsman.toml"
    path.write_text(text)
    return path


def test_defaults_listen_on_loopback_only() -> None:
    config = load_config(environ={})
    assert config == Config(ServerConfig("127.0.0.1", 8400, 16 * 2**20, ()), ())
    settings = ("host", "port", "max_body_bytes", "programs", "readers", "infer")
    assert config.origins == dict.fromkeys((*settings, *ROUTING), "default")


def test_a_file_sets_everything(tmp_path: Path) -> None:
    server = '[server]\nhost = "::1"\nport = 1\nmax_body_bytes = 2\nprograms = ["p", "/q/x.route.json"]\n'
    path = written(tmp_path, server + UPSTREAM + 'timeout_s = 3\napi_key_env = "LOCAL_KEY"\n')
    config = load_config(path, environ={"LOCAL_KEY": "k"})
    assert config.server == ServerConfig("::1", 1, 2, (tmp_path / "p", Path("/q/x.route.json")))
    assert config.upstreams == (UpstreamConfig("local", "http://127.0.0.1:8000/v1", ("a", "b"), 3.0, "k"),)


def test_the_later_source_wins_and_is_named(tmp_path: Path) -> None:
    path = written(tmp_path, '[server]\nhost = "file"\nport = 1\nmax_body_bytes = 1\n')
    environ = {"POINTSMAN_PORT": "2", "POINTSMAN_MAX_BODY_BYTES": "2"}
    config = load_config(path, environ, Overrides(max_body_bytes=3))
    assert config.server == ServerConfig("file", 2, 3, ())
    given = {"host": str(path), "port": "environment", "max_body_bytes": "flag"}
    others = dict.fromkeys(("programs", "readers", "infer", *ROUTING), "default")
    assert config.origins == {**given, **others}


def test_the_environment_and_flags_set_programs_and_host(tmp_path: Path) -> None:
    environ = {"POINTSMAN_PROGRAMS": f"a{os.pathsep}b", "POINTSMAN_HOST": "h"}
    assert load_config(environ=environ).server == ServerConfig("h", programs=(Path("a"), Path("b")))
    flags = Overrides(programs=(Path("c"),))
    assert load_config(environ=environ, flags=flags).server.programs == (Path("c"),)


def test_who_infers_comes_from_the_file_or_a_flag(tmp_path: Path) -> None:
    path = written(tmp_path, '[server]\ninfer = "a"\n' + UPSTREAM)
    config = load_config(path, environ={})
    assert (config.server.infer, config.origins["infer"]) == ("a", str(path))
    config = load_config(path, environ={}, flags=Overrides(infer="b"))
    assert (config.server.infer, config.origins["infer"]) == ("b", "flag")


def test_readers_are_here_on_the_hub_or_behind_a_url(tmp_path: Path) -> None:
    (tmp_path / "models/mine").mkdir(parents=True)
    listed = '["models/mine", "Qwen/Qwen3-0.6B", "http://127.0.0.1:8000/v1#m"]'
    config = load_config(written(tmp_path, f"[server]\nreaders = {listed}\n"), environ={})
    assert config.server.readers == (str(tmp_path / "models/mine"), "Qwen/Qwen3-0.6B", "http://127.0.0.1:8000/v1#m")


def test_upstreams_have_prices(tmp_path: Path) -> None:
    text = UPSTREAM + 'prices = { "a" = [0.5, 2] }\n'
    (upstream,) = load_config(written(tmp_path, text), environ={}).upstreams
    assert upstream.nano_usd("a", 1_000_000, 100_000) == 700_000_000
    assert upstream.nano_usd("a", 1_000_000, 100_000, 1_000_000) == 700_000_000, "the cache has no price of its own"
    assert upstream.nano_usd("b", 1, 1, 1) is None
    assert (upstream.cache_saves("a"), upstream.cache_saves("b")) == (0, 0)


def test_prompt_tokens_from_the_cache_may_have_a_price(tmp_path: Path) -> None:
    text = UPSTREAM + 'prices = { "a" = [0.5, 2, 0.125], "b" = [1, 1, 0] }\n'
    (upstream,) = load_config(written(tmp_path, text), environ={}).upstreams
    assert upstream.cache_saves("a") == 375, "nano-dollars a token"
    assert upstream.nano_usd("a", 1_000, 100) == 700_000
    assert upstream.nano_usd("a", 1_000, 100, 800) == 400_000, "200 at 500, 800 at 125, 100 at 2,000"
    assert upstream.nano_usd("b", 1_000, 0, 1_000) == 0


def test_an_embedding_may_be_a_model_that_ships(tmp_path: Path) -> None:
    path = written(tmp_path, '[policy]\nfolder = "."\nembedding = "embedded/small"\n')
    assert load_config(path, environ={}).routing.embedding == Path("embedded/small")
    (tmp_path / "embedded/small").mkdir(parents=True)
    assert load_config(path, environ={}).routing.embedding == tmp_path / "embedded/small", "what is there has the name"


def test_what_auto_is_told(tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    text = (
        '[policy]\nfolder = "p"\naudit_share = 0.1\nmax_audits = 3\ncomparer = "reference_is_right"\n'
        "most_reference = 5e6\nshift_tolerance = 0.2\nprompt_cache_s = 60\nprompt_cache_tokens = 9\n"
        'embedding = "e"\n'
        '[memory]\npath = "m"\ncapacity_bytes = 9\nseconds_to_live = 8\nsemantic = true\n'
        '[solver]\non = false\n[parts]\non = true\n[ledger]\npath = "l"\nheat_maps = false\n[explain]\nkeep = 7\n'
    )
    path = written(tmp_path, text)
    config = load_config(path, environ={})
    expected = RoutingConfig(
        *(tmp_path / "p", 0.1, 3, "reference_is_right", 5e6, 0.2, 60.0, 9, tmp_path / "e"),
        *(tmp_path / "m", 9, 8.0, True, False, True, tmp_path / "l", False, 7),
    )
    assert config.routing == expected
    assert {config.origins[key] for key in ROUTING} == {str(path)}
    flags = RoutingFlags(memory=tmp_path / "n", solver=True)
    config = load_config(path, environ={}, routing=flags)
    assert (config.routing.memory, config.routing.solver) == (tmp_path / "n", True)
    assert (config.origins["memory.path"], config.origins["ledger.path"]) == ("flag", str(path))


PAIR = '[[pair]]\nname = "two"\nsmall = "a/b"\nlarge = "models/mine"\nrouter = "router"\n'


def test_pairs_are_two_models_and_a_router(tmp_path: Path) -> None:
    (tmp_path / "models/mine").mkdir(parents=True)
    (tmp_path / "router").mkdir()
    path = tmp_path / "pointsman.toml"
    path.write_text(PAIR + 'method = "citer"\ndials = { threshold = 0.9 }\nnum_rows = 3\n')
    (pair,) = load_config(path, environ={}).pairs
    large, router = str(tmp_path / "models/mine"), tmp_path / "router"
    assert pair == PairConfig("two", "a/b", large, router, "citer", {"threshold": 0.9}, 3)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (PAIR.replace("models/mine", "none"), "there is no model 'none'"),
        (PAIR.replace('"router"', '"none"'), "expected one of `fit token`"),
        (PAIR.replace("two", "t wo"), "expected a name of letters"),
        (PAIR.replace('small = "a/b"\n', ""), "lacks the field"),
        (PAIR + "colour = 1\n", "colour"),
        (PAIR + PAIR, "the model 'two' is listed twice: by the pair of 'a/b'"),
    ],
)
def test_a_pair_that_cannot_be_is_an_error(text: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "models/mine").mkdir(parents=True)
    (tmp_path / "router").mkdir()
    path = tmp_path / "pointsman.toml"
    path.write_text(text)
    with pytest.raises(BadRequest, match=told):
        load_config(path, environ={})


def test_models_are_folders_files_and_ids(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "models/mine").mkdir(parents=True)
    (tmp_path / "models/stories.bin").touch()
    settings = 'name = "x/y:1"\nnum_rows = 2\ncontext_tokens = 64\ndtype = "bfloat16"\ndevice = "cpu"\n'
    mine, stories = (f'[[model]]\nsource = "models/{name}"\n' for name in ("mine", "stories.bin"))
    config = load_config(written(tmp_path, MODEL + settings + mine + stories), environ={})
    assert config.models == (
        ModelConfig("x/y:1", "Qwen/Qwen3-0.6B", 2, 64, "bfloat16", "cpu"),
        ModelConfig("mine", str(tmp_path / "models/mine")),
        ModelConfig("stories", str(tmp_path / "models/stories.bin")),
    )
    (tmp_path / "units").mkdir()
    unit = 'unit = "units"\nbudget = 0.6\nprices = "ms"\nprompt_budget = 0.8\n'
    config = load_config(written(tmp_path, MODEL + unit), environ={})
    expected = {"unit": tmp_path / "units", "budget": 0.6, "prices": "ms", "prompt_budget": 0.8}
    assert config.models == (ModelConfig("Qwen/Qwen3-0.6B", "Qwen/Qwen3-0.6B", **expected),)
    config = load_config(written(tmp_path, MODEL + settings + mine + stories), environ={})
    monkeypatch.chdir(tmp_path / "models")
    config = load_config(tmp_path / "pointsman.toml", environ={}, models=["a/b", "."])
    assert config.models[3:] == (ModelConfig("a/b", "a/b"), ModelConfig("models", ".")), "flags add to the file"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[server", "is not TOML"),
        ("[sever]\n", "unknown field `sever`"),
        ("[server]\nprot = 1\n", "unknown field `prot`"),
        ('[server]\nport = "x"\n', "server.port"),
        ("[server]\nport = 65536\n", "65535"),
        ("[server]\nmax_body_bytes = 0\n", "max_body_bytes"),
        ('[server]\nprograms = "p"\n', "Expected `array | null`"),
        ('[[upstream]]\nname = "x"\n', "lacks the field"),
        ("[server]\ninfer = 1\n", "server.infer"),
        ('[server]\ninfer = ""\n', "server.infer"),
        (UPSTREAM + "key = 1\n", "unknown field `key`"),
        (UPSTREAM + "timeout_s = 0\n", "timeout_s"),
        (UPSTREAM.replace('["a", "b"]', "[]"), "models"),
        (UPSTREAM.replace('"local"', '"a b"'), "name"),
        (UPSTREAM.replace("http:", "ftp:"), "base_url"),
        (UPSTREAM.replace("/v1", "/v1?key=1"), "base_url"),
        (UPSTREAM.replace("127.0.0.1:8000", "[::1"), "base_url"),
        (UPSTREAM.replace(":8000", ":99999"), "base_url"),
        (UPSTREAM.replace("127.0.0.1", "a b"), "base_url"),
        (UPSTREAM.replace("127.0.0.1:8000", ""), "base_url"),
        ('[server]\nhost = ""\n', "expected an address"),
        (UPSTREAM + 'api_key_env = "UNSET_KEY"\n', "'UNSET_KEY' of api_key_env is not set"),
        (UPSTREAM + UPSTREAM, "two upstreams are named 'local'"),
        (UPSTREAM + UPSTREAM.replace("local", "other"), "'a' is listed twice: by the upstream 'local' and"),
        (UPSTREAM.replace('"b"', '"a"'), "'a' is listed twice"),
        (UPSTREAM.replace('"a"', '"program/a"'), "reserved"),
        ("[[model]]\n", "lacks the field"),
        (MODEL + "rows = 1\n", "unknown field `rows`"),
        (MODEL + "num_rows = 0\n", "num_rows"),
        (MODEL + "context_tokens = 0\n", "context_tokens"),
        (MODEL + 'dtype = "int8"\n', "dtype: Invalid enum value 'int8'"),
        (MODEL + 'device = "tpu"\n', "device: Invalid enum value 'tpu'"),
        (MODEL + "budget = 0.5\n", "has a budget or prices without a unit"),
        (MODEL + 'prices = "ms"\n', "has a budget or prices without a unit"),
        (MODEL + "prompt_budget = 0.5\n", "has a budget or prices without a unit"),
        (MODEL + 'prices = "dollars"\n', "prices: Invalid enum value 'dollars'"),
        (MODEL + "prompt_budget = 0\n", "prompt_budget"),
        (MODEL + 'unit = "nowhere"\n', "there is no folder"),
        (MODEL + 'name = "a b"\n', "is named 'a b'; expected a name of letters"),
        (MODEL + 'name = ""\n', "is named ''"),
        (MODEL + 'name = "program/a"\n', "reserved"),
        (MODEL.replace("Qwen/Qwen3-0.6B", "none"), "there is no model 'none'; expected a folder"),
        (MODEL.replace("Qwen/Qwen3-0.6B", "./none"), "there is no model './none'"),
        (MODEL.replace("Qwen/Qwen3-0.6B", "a/none.bin"), "there is no model 'a/none.bin'"),
        (MODEL + MODEL, "the model 'Qwen/Qwen3-0.6B' is listed twice"),
        (UPSTREAM + 'prices = { "c" = [1, 1] }\n', "prices name 'c'"),
        (UPSTREAM + 'prices = { "a" = [1] }\n', "prices"),
        (UPSTREAM + 'prices = { "a" = [1, -1] }\n', "prices"),
        (UPSTREAM + 'prices = { "a" = [1, 1, -1] }\n', "prices"),
        (UPSTREAM + 'prices = { "a" = [1, 1, 1, 1] }\n', "prices"),
        (UPSTREAM + 'prices = { "a" = [1, 9, 1.5] }\n', "'a' for cached prompt tokens is 1.5, above 1 for others"),
        ('[policy]\nfolder = "none"\n', "there is no folder"),
        ('[policy]\nfolder = "."\n[server]\ninfer = "m"\n', "infer is 'm', and there is a policy"),
        ("[policy]\naudit_share = 0.1\n", "policy.audit_share is set without policy.folder"),
        ('[policy]\nembedding = "e"\n', "policy.embedding is set without policy.folder"),
        ('[policy]\nfolder = "."\nembedding = ""\n', "embedding"),
        ('[policy]\nfolder = "."\naudit_share = 2\n', "audit_share"),
        ('[policy]\nfolder = "."\nmax_audits = 0\n', "max_audits"),
        ('[policy]\nfolder = "."\ncomparer = "taste"\n', "comparer"),
        ('[policy]\nfolder = "."\nmost_reference = 0\n', "most_reference"),
        ('[policy]\nfolder = "."\nshift_tolerance = 2\n', "shift_tolerance"),
        ('[policy]\nfolder = "."\nprompt_cache_s = 0\n', "prompt_cache_s"),
        ('[policy]\nfolder = "."\nprompt_cache_tokens = 0\n', "prompt_cache_tokens"),
        ("[policy]\nprompt_cache_s = 9\n", "policy.prompt_cache_s is set without policy.folder"),
        ('[policy]\nfile = "."\n', "unknown field `file`"),
        ("[memory]\nsemantic = true\n", "memory.semantic is set without memory.path"),
        ('[memory]\npath = "none/m"\n', "there is no folder"),
        ('[memory]\npath = "m"\ncapacity_bytes = 0\n', "capacity_bytes"),
        ('[memory]\npath = "m"\nseconds_to_live = 0\n', "seconds_to_live"),
        ('[memory]\npath = "m"\n[ledger]\npath = "m"\n', "expected two files"),
        ('[ledger]\npath = ""\n', "ledger.path"),
        ('[ledger]\npath = "l"\nheat_maps = 3\n', "ledger.heat_maps"),
        ("[ledger]\nheat_maps = true\n", "ledger.heat_maps is set without ledger.path"),
        ('[solver]\non = "yes"\n', "solver.on"),
        ("[parts]\nof = true\n", "unknown field `of`"),
        ("[explain]\nkeep = 0\n", "explain.keep"),
        (UPSTREAM + MODEL + 'name = "b"\n', "'b' is listed twice: by the upstream 'local' and by the model of"),
    ],
)
def test_an_unknown_or_conflicting_key_fails_first(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(BadRequest) as caught:
        load_config(written(tmp_path, text), environ={})
    assert caught.value.code == "invalid_config"
    assert says in caught.value.message


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match=r"cannot read .*none\.toml: No such file"):
        load_config(tmp_path / "none.toml", environ={})


@pytest.mark.parametrize(
    ("name", "value"),
    [("POINTSMAN_PORT", "x"), ("POINTSMAN_PORT", "-1"), ("POINTSMAN_PORT", "65536"), ("POINTSMAN_MAX_BODY_BYTES", "0")],
)
def test_a_bad_variable_is_named_with_what_was_expected(name: str, value: str) -> None:
    with pytest.raises(BadRequest, match=rf"{name} is '{value}'; expected a") as caught:
        load_config(environ={name: value})
    assert caught.value.code == "invalid_config"


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (Overrides(port=99999), r"port \(flag\) is 99999; expected a port from 0 to 65535"),
        (Overrides(port=-1), r"port \(flag\) is -1"),
        (Overrides(host=""), r"host \(flag\) is ''; expected an address"),
        (Overrides(host=" "), "expected an address"),
    ],
)
def test_a_flag_that_is_no_address_is_refused(flags: Overrides, says: str) -> None:
    with pytest.raises(BadRequest, match=says) as caught:
        load_config(environ={}, flags=flags)
    assert caught.value.code == "invalid_config"


@pytest.mark.parametrize("key", ["sk-a\n", "sk-a\r\nX: y", "sk-\u00e9"])
def test_a_key_that_no_header_can_carry_is_refused_and_not_shown(tmp_path: Path, key: str) -> None:
    with pytest.raises(BadRequest, match="'K' of api_key_env holds a line break") as caught:
        load_config(written(tmp_path, UPSTREAM + 'api_key_env = "K"\n'), environ={"K": key})
    assert "sk-" not in caught.value.message
