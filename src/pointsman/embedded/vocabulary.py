"""The tokenizers of the pair and of the reader, each made from the wordings of the families and nothing else.

Words of the families are one token each, a name is two, a digit is one, and whatever else a text holds is spelled in
bytes, so every text can be encoded and comes back as it was. The vocabulary is small because each row of it costs
parameters: the small model has some hundred thousand of them in all.
"""

import json
import re
from collections import Counter
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, pre_tokenizers
from tokenizers.models import Unigram

from pointsman.embedded.families import FAMILIES, READING_FAMILIES, draw_all
from pointsman.embedded.pair import READER
from pointsman.embedded.problems import DIFFICULTIES
from pointsman.embedded.wording import ENDINGS, ONSETS, TOWN_ENDINGS

PAD, USER, SYSTEM, DIRECT, STEPS, END = "<pad>", "<user>", "<system>", "<direct>", "<steps>", "<end>"
SPECIALS = (PAD, USER, SYSTEM, DIRECT, STEPS, END)

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{% if message.role == 'user' %}{{ '<user> ' + message.content }}"
    "{% elif message.role == 'assistant' %}"
    "{{ ('<steps> ' if ' =>' in message.content else '<direct> ') + message.content + '<end>' }}"
    "{% elif message.role in ('system', 'developer') %}{{ '<system> ' + message.content }}"
    "{% else %}{{ raise_exception('roles are system, developer, user and assistant, not ' + message.role) }}"
    "{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<direct>' if mode == 'direct' else '<steps>' }}{% endif %}"
)
"""`mode` is `direct` or `steps`; a training text is this template over one question and its answer."""

_PIECES = r" ?[A-Za-z]+| ?[0-9]| ?[^\sA-Za-z0-9]|\s"
_NUM_SAMPLES = 200
_WORD_SCORE, _BYTE_SCORE = -1.0, -10.0
_LEAST_READ = 20
"""Times that a word occurs in the reader's samples to be a token; words that requests are about are made up."""


READER_TEMPLATE = CHAT_TEMPLATE.replace("'<direct>' if mode == 'direct' else '<steps>'", "'<direct>'")
"""The reader answers directly."""


def build_tokenizer(model: str) -> Tokenizer:
    """The tokenizer of a model; the same one in every process and on every machine."""
    splitter = pre_tokenizers.Split(Regex(_PIECES), behavior="isolated")
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    vocabulary = [(special, 0.0) for special in SPECIALS]
    vocabulary += [(symbol, _BYTE_SCORE) for symbol in sorted(pre_tokenizers.ByteLevel.alphabet())]
    vocabulary += [(word, _WORD_SCORE) for word in _words(model) if len(word) > 1]
    tokenizer = Tokenizer(Unigram(vocabulary, unk_id=0, byte_fallback=False))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([splitter, byte_level])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(list(SPECIALS))
    return tokenizer


def _words(model: str) -> list[str]:
    """Pieces of the families' texts in the byte alphabet, most frequent first; names are left to their parts."""
    is_name = re.compile(f"Ġ?({'|'.join(ONSETS)})({'|'.join((*ENDINGS, *TOWN_ENDINGS))})")
    counts: Counter[str] = Counter()
    families, most_asked, least = (READING_FAMILIES, None, _LEAST_READ) if model == READER else (FAMILIES, 1, 1)
    for family in families:
        for difficulty in DIFFICULTIES:
            for index in range(_NUM_SAMPLES):
                for problem in draw_all(family, difficulty, "train", f"vocabulary/{index}")[:most_asked]:
                    text = f" {problem.prompt}{problem.response('steps')}"
                    counts.update(piece.replace(" ", "Ġ") for piece in re.findall(_PIECES, text))
    words = [
        word
        for word, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        if count >= least and (word.isascii() or "Ġ" in word)
    ]
    parts = [*("Ġ" + onset for onset in ONSETS), *ENDINGS, *TOWN_ENDINGS]
    return list(dict.fromkeys([*(word for word in words if not is_name.fullmatch(word)), *parts]))


def save_tokenizer(folder: Path, model: str) -> None:
    """Writes `tokenizer.json` and `tokenizer_config.json` with the chat template."""
    build_tokenizer(model).save(str(folder / "tokenizer.json"))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "pad_token": PAD,
        "eos_token": END,
        "chat_template": READER_TEMPLATE if model == READER else CHAT_TEMPLATE,
        "clean_up_tokenization_spaces": False,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")
