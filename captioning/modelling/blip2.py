"""What BLIP-2's two families share: query tokens first (before BOS), a processor that counts them, a frozen vision side."""

from typing import Any

from torch import nn
from transformers import Blip2Processor, PreTrainedModel

from captioning.modelling.captioner import Captioner


def image_tokens(captioner: Captioner) -> int:
    """As many as the Q-Former has queries: 32 in the published models."""
    return captioner.base.config.num_query_tokens


def processor(model: PreTrainedModel, image_processor: Any, tokenizer: Any) -> Blip2Processor:
    """Without `num_query_tokens` this processor leaves the image tokens out, and the model then never sees the image."""
    return Blip2Processor(image_processor, tokenizer, num_query_tokens=model.config.num_query_tokens)


def vision_parts(model: Any) -> list[nn.Module]:
    return [model.vision_model, model.qformer]
