"""Small vision-language models of newer classes with random weights, their processors and chat templates."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    CLIPImageProcessorPil,
    Florence2Config,
    Florence2ForConditionalGeneration,
    Florence2Processor,
    Gemma3Config,
    Gemma3ForConditionalGeneration,
    Gemma3ImageProcessorPil,
    Gemma3Processor,
    Idefics3Config,
    Idefics3ForConditionalGeneration,
    Idefics3ImageProcessorPil,
    Idefics3Processor,
    PaliGemmaConfig,
    PaliGemmaForConditionalGeneration,
    PaliGemmaProcessor,
    PreTrainedTokenizerFast,
    Qwen2VLConfig,
    Qwen2VLForConditionalGeneration,
    Qwen2VLImageProcessorPil,
    Qwen2VLProcessor,
    Qwen2VLVideoProcessor,
    SiglipImageProcessorPil,
    SmolVLMConfig,
    SmolVLMForConditionalGeneration,
    SmolVLMImageProcessorPil,
    SmolVLMProcessor,
    SmolVLMVideoProcessor,
)

from captioning.families import auto
from captioning.modelling import Captioner

TEXTS = [
    "a red shirt with short sleeves",
    "striped blue trousers in cotton twill with a zip fly and button",
    auto.PROMPT,
]
SIGLIP = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "patch_size": 8}
TEXT = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}
# The published templates, without what concerns videos, tools and system prompts of the user.
QWEN2_VL = (
    "{% for message in messages %}{% if loop.first and message['role'] != 'system' %}<|im_start|>system\n"
    "You are a helpful assistant.<|im_end|>\n{% endif %}<|im_start|>{{ message['role'] }}\n"
    "{% for content in message['content'] %}{% if content['type'] == 'image' %}"
    "<|vision_start|><|image_pad|><|vision_end|>"
    "{% elif 'text' in content %}{{ content['text'] }}{% endif %}{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SMOLVLM = (
    "<|im_start|>{% for message in messages %}{{ message['role'] | capitalize }}"
    "{% if message['content'][0]['type'] == 'image' %}{{ ':' }}{% else %}{{ ': ' }}{% endif %}"
    "{% for line in message['content'] %}{% if line['type'] == 'text' %}{{ line['text'] }}"
    "{% elif line['type'] == 'image' %}{{ '<image>' }}{% endif %}{% endfor %}<end_of_utterance>\n{% endfor %}"
    "{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)
GEMMA3 = (
    "{{ bos_token }}{% for message in messages %}"
    "{% set role = 'model' if message['role'] == 'assistant' else message['role'] %}"
    "{{ '<start_of_turn>' + role + '\n' }}{% for item in message['content'] %}{% if item['type'] == 'image' %}"
    "{{ '<start_of_image>' }}{% elif item['type'] == 'text' %}{{ item['text'] | trim }}{% endif %}{% endfor %}"
    "{{ '<end_of_turn>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
)


def build(name: str) -> Captioner:
    """Builds a captioner of family `auto`, with the same random weights each time."""
    torch.manual_seed(0)
    model, processor = MAKERS[name]()
    model.eval()
    return Captioner(model, processor, auto)


def save(name: str, folder: Path) -> Path:
    """Saves the captioner as a model folder, with float16 weights."""
    captioner = build(name)
    captioner.model.half().save_pretrained(folder)
    captioner.processor.save_pretrained(folder)
    return folder


def qwen2_vl() -> tuple[Any, Any]:
    words = make_tokenizer(
        [
            "<|endoftext|>",
            "<|im_start|>",
            "<|im_end|>",
            "<|vision_start|>",
            "<|vision_end|>",
            "<|image_pad|>",
            "<|video_pad|>",
        ],
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
    )
    ids = words.convert_tokens_to_ids
    config = Qwen2VLConfig(
        text_config={
            **TEXT,
            "vocab_size": len(words),
            "rope_parameters": {
                "rope_type": "default",
                "mrope_section": [TEXT["hidden_size"] // part for part in (16, 32, 32)],
                "rope_theta": 10_000.0,
            },
            "bos_token_id": ids("<|endoftext|>"),
            "eos_token_id": ids("<|im_end|>"),
            "pad_token_id": ids("<|endoftext|>"),
        },
        vision_config={
            "depth": 1,
            "embed_dim": 16,
            "hidden_size": TEXT["hidden_size"],
            "num_heads": 2,
            "patch_size": 8,
            "mlp_ratio": 2,
        },
        image_token_id=ids("<|image_pad|>"),
        video_token_id=ids("<|video_pad|>"),
        vision_start_token_id=ids("<|vision_start|>"),
        vision_end_token_id=ids("<|vision_end|>"),
    )
    model = Qwen2VLForConditionalGeneration(config)
    model.generation_config.eos_token_id = [ids("<|im_end|>"), ids("<|endoftext|>")]
    pixels = {"patch_size": 8, "min_pixels": 16 * 16, "max_pixels": 48 * 48}
    processor = Qwen2VLProcessor(
        Qwen2VLImageProcessorPil(**pixels), words, Qwen2VLVideoProcessor(**pixels), chat_template=QWEN2_VL
    )
    return model, processor


def idefics3() -> tuple[Any, Any]:
    words = _smol_words()
    model = Idefics3ForConditionalGeneration(_smol_config(Idefics3Config, words))
    return model, Idefics3Processor(
        Idefics3ImageProcessorPil(**_smol_pixels()), words, image_seq_len=4, chat_template=SMOLVLM
    )


def smolvlm() -> tuple[Any, Any]:
    words = _smol_words()
    model = SmolVLMForConditionalGeneration(_smol_config(SmolVLMConfig, words))
    pixels = _smol_pixels()
    video = SmolVLMVideoProcessor(
        size=pixels["size"], max_image_size=pixels["max_image_size"], video_sampling={"max_frames": 2, "fps": 1}
    )
    processor = SmolVLMProcessor(
        SmolVLMImageProcessorPil(**pixels), words, video, image_seq_len=4, chat_template=SMOLVLM
    )
    return model, processor


def paligemma() -> tuple[Any, Any]:
    roles = {"eos_token": "<eos>", "bos_token": "<bos>", "pad_token": "<pad>", "unk_token": "<unk>"}
    words = make_tokenizer(["<pad>", "<eos>", "<bos>", "<unk>", "<image>"], **roles)
    processor = PaliGemmaProcessor(
        SiglipImageProcessorPil(size={"height": 32, "width": 32}, image_seq_length=16), words
    )
    config = PaliGemmaConfig(
        text_config={"model_type": "gemma", **TEXT, "head_dim": 8, "vocab_size": len(words), **_ids(words)},
        vision_config={"model_type": "siglip_vision_model", **SIGLIP, "image_size": 32, "vision_use_head": False},
        image_token_index=words.convert_tokens_to_ids("<image>"),
        projection_dim=32,
        hidden_size=32,
    )
    return PaliGemmaForConditionalGeneration(config), processor


def gemma3() -> tuple[Any, Any]:
    words = make_tokenizer(
        [
            "<pad>",
            "<eos>",
            "<bos>",
            "<unk>",
            "<start_of_turn>",
            "<end_of_turn>",
            "<start_of_image>",
            "<end_of_image>",
            "<image_soft_token>",
        ],
        eos_token="<eos>",
        bos_token="<bos>",
        pad_token="<pad>",
        unk_token="<unk>",
        begins=True,
        extra_special_tokens={
            "image_token": "<image_soft_token>",
            "boi_token": "<start_of_image>",
            "eoi_token": "<end_of_image>",
        },
    )
    words.add_tokens(["\n" * count for count in range(1, 5)])  # as Gemma's tokenizer has them
    ids = words.convert_tokens_to_ids
    config = Gemma3Config(
        text_config={
            **TEXT,
            "head_dim": TEXT["hidden_size"] // 4,
            "vocab_size": len(words),
            "sliding_window": 64,
            **_ids(words),
        },
        vision_config={**SIGLIP, "image_size": 32, "vision_use_head": False},
        mm_tokens_per_image=4,
        boi_token_index=ids("<start_of_image>"),
        eoi_token_index=ids("<end_of_image>"),
        image_token_index=ids("<image_soft_token>"),
    )
    model = Gemma3ForConditionalGeneration(config)
    model.generation_config.eos_token_id = [ids("<eos>"), ids("<end_of_turn>")]
    pictures = Gemma3ImageProcessorPil(size={"height": 32, "width": 32})
    return model, Gemma3Processor(pictures, words, chat_template=GEMMA3, image_seq_length=4)


def florence2() -> tuple[Any, Any]:
    roles = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
    words = make_tokenizer([*roles.values(), "<image>"], **roles, extra_special_tokens={"image_token": "<image>"})
    layers = {"encoder_layers": 1, "decoder_layers": 2, "encoder_ffn_dim": 48, "decoder_ffn_dim": 48}
    heads = {"encoder_attention_heads": 2, "decoder_attention_heads": 2, "max_position_embeddings": 128}
    text = {"model_type": "bart", "d_model": 32, **layers, **heads, "vocab_size": len(words), **_ids(words)}
    stages = {
        "depths": (1, 1, 1, 1),
        "embed_dim": (8, 8, 16, 16),
        "num_heads": (1, 1, 2, 2),
        "num_groups": (1, 1, 2, 2),
    }
    config = Florence2Config(
        text_config={**text, "decoder_start_token_id": words.eos_token_id},
        vision_config={**stages, "window_size": 2, "projection_dim": 32, "drop_path_rate": 0.0},
        image_token_id=words.convert_tokens_to_ids("<image>"),
    )
    pictures = CLIPImageProcessorPil(size={"height": 64, "width": 64}, do_center_crop=False)
    pictures.image_seq_length = 5
    model = Florence2ForConditionalGeneration(config)
    model.generation_config.forced_eos_token_id = None  # as `load` leaves it
    return model, Florence2Processor(pictures, words)


def make_tokenizer(special: list[str], begins: bool = False, **roles: Any) -> PreTrainedTokenizerFast:
    """Makes a byte-level tokenizer of 340 entries; with `begins` it puts BOS before a text, as Gemma's does."""
    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trained.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=340, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    trained.train_from_iterator(TEXTS, trainer)
    if begins:
        bos = roles["bos_token"]
        trained.post_processor = processors.TemplateProcessing(
            single=f"{bos} $A", special_tokens=[(bos, trained.token_to_id(bos))]
        )
    return PreTrainedTokenizerFast(
        tokenizer_object=trained, additional_special_tokens=special, clean_up_tokenization_spaces=False, **roles
    )


def _smol_words() -> PreTrainedTokenizerFast:
    tiles = [f"<row_{row}_col_{column}>" for row in range(1, 7) for column in range(1, 7)]
    return make_tokenizer(
        [
            "<|endoftext|>",
            "<|im_start|>",
            "<|im_end|>",
            "<image>",
            "<fake_token_around_image>",
            "<global-img>",
            "<end_of_utterance>",
            *tiles,
        ],
        bos_token="<|im_start|>",
        eos_token="<end_of_utterance>",
        pad_token="<|im_end|>",
    )


def _smol_config(kind: Any, words: PreTrainedTokenizerFast) -> Any:
    return kind(
        text_config={"model_type": "llama", **TEXT, "vocab_size": len(words), **_ids(words)},
        vision_config={**SIGLIP, "image_size": 32},
        image_token_id=words.convert_tokens_to_ids("<image>"),
        scale_factor=2,
    )


def _smol_pixels() -> dict[str, Any]:
    return {"size": {"longest_edge": 64}, "max_image_size": {"longest_edge": 32}}


def _ids(words: PreTrainedTokenizerFast) -> dict[str, Any]:
    return {f"{role}_token_id": getattr(words, f"{role}_token_id") for role in ("bos", "eos", "pad")}


MAKERS: dict[str, Callable[[], tuple[Any, Any]]] = {
    "qwen2_vl": qwen2_vl,
    "idefics3": idefics3,
    "smolvlm": smolvlm,
    "paligemma": paligemma,
    "gemma3": gemma3,
    "florence2": florence2,
}
