"""Greedy decoding of a batch that captions leave when they are finished."""

from typing import Any

import torch
from transformers import GenerationConfig, LogitsProcessorList, StoppingCriteriaList

# Finished rows leave when they are one in so many: each time, the cache of the other rows is copied.
DROP_AT_ONE_IN = 8
# Arguments of a step that have an entry for each row, beside the cache.
ROW_ARGUMENTS = ("attention_mask", "position_ids", "decoder_attention_mask")


def decode_unfinished(
    model: Any,
    input_ids: Any,  # tensor of (n_rows, prompt)
    logits_processor: LogitsProcessorList,
    stopping_criteria: StoppingCriteriaList,
    generation_config: GenerationConfig,
    **model_kwargs: Any,
) -> torch.Tensor:
    """Runs the greedy loop of transformers' `generate` (its argument `custom_generate`) on unfinished captions only.

    The words are the same, for less work: nothing is computed for finished captions while the batch waits for its
    longest. Not for models that keep something of each row outside their cache, such as Qwen2-VL.

    Returns:
        (n_rows, longest), as `generate` does; after EOS the pad token.
    """
    n_rows, is_encoder_decoder = len(input_ids), model.config.is_encoder_decoder
    rows = torch.arange(n_rows, device=input_ids.device)  # still in the batch
    sequences = input_ids.new_full((n_rows, generation_config.max_length), generation_config.pad_token_id)
    unfinished = torch.ones_like(rows, dtype=torch.bool)
    outputs = model._prefill(input_ids, generation_config, model_kwargs)
    while True:
        model_kwargs = model._update_model_kwargs_for_generation(outputs, model_kwargs, is_encoder_decoder)
        scores = logits_processor(input_ids, outputs.logits[:, -1].float())
        token = torch.where(unfinished, scores.argmax(dim=-1), generation_config.pad_token_id)
        input_ids = torch.cat([input_ids, token[:, None]], dim=-1)
        unfinished &= ~stopping_criteria(input_ids, None)
        n_unfinished = int(unfinished.sum())
        if n_unfinished <= len(rows) - len(rows) / DROP_AT_ONE_IN:
            sequences[rows, : input_ids.shape[1]] = input_ids
            if not n_unfinished:
                return sequences[:, : input_ids.shape[1]]
            chosen = unfinished.nonzero()[:, 0]
            rows, input_ids, unfinished = rows[chosen], input_ids[chosen], unfinished[chosen]
            _keep_rows(model_kwargs, chosen)
        inputs = model.prepare_inputs_for_generation(input_ids, next_sequence_length=1, **model_kwargs)
        outputs = model(**inputs, return_dict=True)


def _keep_rows(model_kwargs: dict[str, Any], rows: torch.Tensor) -> None:
    """Reduces the cache and all arguments of the next step to these rows of the batch."""
    model_kwargs["past_key_values"].batch_select_indices(rows)
    for name in ROW_ARGUMENTS:
        if model_kwargs.get(name) is not None:
            model_kwargs[name] = model_kwargs[name][rows]
    if "encoder_outputs" in model_kwargs:
        encoded = model_kwargs["encoder_outputs"]
        model_kwargs["encoder_outputs"] = type(encoded)(last_hidden_state=encoded.last_hidden_state[rows])
