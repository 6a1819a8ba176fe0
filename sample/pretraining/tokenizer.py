"""Trains byte-level BPE tokenizers with the special tokens of each family's real tokenizer."""

from collections.abc import Iterable
from dataclasses import dataclass

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast


@dataclass(frozen=True)
class Frame:
    """Special tokens in the order of their ids, the role of each, and the template of a text."""

    special: tuple[str, ...]
    roles: dict[str, str]
    template: str


FRAMES = {
    # OPT and Llama begin a text and do not end it; T5 ends it and does not begin it.
    "blip2_opt": Frame(
        ("<s>", "<pad>", "</s>", "<unk>", "<image>"),
        {"bos": "</s>", "eos": "</s>", "pad": "<pad>", "unk": "<unk>"},
        "</s> $A",
    ),
    "blip2_t5": Frame(
        ("<pad>", "</s>", "<unk>", "<image>"), {"eos": "</s>", "pad": "<pad>", "unk": "<unk>"}, "$A </s>"
    ),
    "llava": Frame(
        ("<unk>", "<s>", "</s>", "<pad>", "<image>"),
        {"bos": "<s>", "eos": "</s>", "pad": "<pad>", "unk": "<unk>"},
        "<s> $A",
    ),
    "clip": Frame(
        ("<|startoftext|>", "<|endoftext|>"),
        {"bos": "<|startoftext|>", "eos": "<|endoftext|>", "pad": "<|endoftext|>"},
        "<|startoftext|> $A <|endoftext|>",
    ),
}


CLIP_TOKENS = 77  # at most, as in the published models: longer texts are cut


def train_tokenizer(family: str, texts: Iterable[str], vocabulary: int) -> PreTrainedTokenizerFast:
    """Fit a tokenizer to the texts, with `vocabulary` entries, special tokens and the 256 bytes included."""
    frame = FRAMES[family]
    tokenizer = Tokenizer(models.BPE())
    if family == "clip":
        tokenizer.normalizer = normalizers.Lowercase()  # as the published tokenizer does
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary, special_tokens=list(frame.special), initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    used = sorted(token for token in frame.special if token in frame.template)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=frame.template, special_tokens=[(token, tokenizer.token_to_id(token)) for token in used]
    )
    roles: dict[str, str | int] = {f"{role}_token": token for role, token in frame.roles.items()}
    if family == "clip":
        roles["model_max_length"] = CLIP_TOKENS
    extra = ["<image>"] if "<image>" in frame.special else []
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, additional_special_tokens=extra, clean_up_tokenization_spaces=False, **roles
    )
