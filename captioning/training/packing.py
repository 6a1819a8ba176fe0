"""Training without padding: the tokens of a batch in one row, so that layers compute no token that is not there.

Only attention sees the captions apart: it gets them as padded rows, and its result is packed again. This is what
transformers' padding-free collator does with FlashAttention, here with torch's own kernels, on any device. Captions are
padded on the right, where a causal mask hides the padding.
"""

from dataclasses import dataclass
from typing import Any

import torch
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from captioning.modelling import Captioner
from captioning.modelling.lora import find_language_model

ATTENTION = "packed_sdpa"  # the name by which transformers finds `attend`
# Causal models whose layers need nothing of a token but its position and its attention: model and language model.
PACKED_MODELS = {("blip-2", "opt"), ("llava", "llama")}


@dataclass(frozen=True)
class Places:
    """Where the tokens of a packed batch stand in the padded one.

    Attributes:
        indices: of each token in the flattened padded batch, (n_tokens,).
        rows: captions of the batch.
        longest: tokens of the longest.
    """

    indices: torch.Tensor
    rows: int
    longest: int

    def pack(self, padded: torch.Tensor) -> torch.Tensor:
        """Leaves out the padding: (rows, longest, …) to (1, n_tokens, …)."""
        return padded.flatten(0, 1).index_select(0, self.indices)[None]

    def pad(self, packed: torch.Tensor) -> torch.Tensor:
        """Fills the padding with zeros: (1, n_tokens, …) to (rows, longest, …)."""
        empty = packed.new_zeros(self.rows * self.longest, *packed.shape[2:])
        filled = empty.index_put((self.indices,), packed[0])  # index_copy would keep the packed states for its gradient
        return filled.unflatten(0, (self.rows, self.longest))


def can_pack(captioner: Captioner) -> bool:
    """Tells whether the captioner's language model computes a packed batch as it does a padded one."""
    return (captioner.base.config.model_type, captioner.text_config.model_type) in PACKED_MODELS


def find_places(attention_mask: torch.Tensor) -> Places:
    """Finds the places of the tokens.

    >>> find_places(torch.tensor([[1, 1, 1], [1, 0, 0]])).indices.tolist()
    [0, 1, 2, 3]

    Args:
        attention_mask: 1 for a token, 0 for padding: (rows, longest).
    """
    return Places(attention_mask.flatten().nonzero().squeeze(1), *attention_mask.shape)


def make_packed_inputs(captioner: Captioner, input_ids: torch.Tensor, places: Places) -> dict[str, Any]:
    """Makes the model's arguments for a packed batch, and prepares its attention for it.

    Args:
        captioner: of `can_pack`.
        input_ids: padded on the right: (rows, longest).
        places: of its tokens.
    """
    language_model = captioner.base.get_submodule(find_language_model(captioner.base))
    if language_model.config._attn_implementation != ATTENTION:
        language_model.set_attn_implementation(ATTENTION)
    positions = torch.arange(places.longest, device=input_ids.device).expand_as(input_ids)
    packed = {"input_ids": places.pack(input_ids), "position_ids": places.pack(positions)}
    mask = torch.ones_like(packed["input_ids"])  # without one, transformers makes a mask of n_tokens², for nothing
    return {**packed, "attention_mask": mask, "places": places, "use_cache": False}


def attend(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    places: Places | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """Computes attention with torch's kernels: of each caption apart where the batch is packed, else as usual.

    Args:
        module: the layer, as transformers hands it on.
        query: (batch, heads, tokens, width); `key` and `value` likewise.
        key: see `query`.
        value: see `query`.
        attention_mask: of a batch that is not packed.
        places: of the tokens of a packed batch.
        kwargs: of transformers' own function.
    """
    if places is None:
        return sdpa_attention_forward(module, query, key, value, attention_mask, **kwargs)
    query, key, value = (places.pad(states.transpose(1, 2)).transpose(1, 2) for states in (query, key, value))
    output, _ = sdpa_attention_forward(module, query, key, value, None, **kwargs | {"is_causal": True})
    return places.pack(output), None


AttentionInterface.register(ATTENTION, attend)
AttentionMaskInterface.register(ATTENTION, sdpa_mask)
