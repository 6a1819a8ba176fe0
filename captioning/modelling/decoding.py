"""Greedy decoding of a batch that captions leave when they are finished."""

from typing import Any

import torch
from transformers import GenerationConfig, LogitsProcessorList, StoppingCriteriaList

LEAVE = 8  # when one in so many is finished: whenever some leave, what the model remembers of the others is copied
OF_ROWS = (
    "attention_mask",
    "position_ids",
    "decoder_attention_mask",
)  # what steps are told of each row, beside the cache


def without_finished(
    model: Any,
    input_ids: Any,  # tensor of (n_rows, prompt)
    logits_processor: LogitsProcessorList,
    stopping_criteria: StoppingCriteriaList,
    generation_config: GenerationConfig,
    **model_kwargs: Any,
) -> torch.Tensor:
    """The greedy loop of transformers' `generate` (its argument `custom_generate`), with the same words for less work: nothing
    is computed for finished captions while the batch waits for its longest.

    Not for models that keep something of each row outside their cache, such as Qwen2-VL.

    Returns:
        (n_rows, longest), as `generate` does; after EOS the pad token.
    """
    n_rows, is_encoder_decoder = len(input_ids), model.config.is_encoder_decoder
    rows = torch.arange(n_rows, device=input_ids.device)  # that are still in the batch
    said = input_ids.new_full((n_rows, generation_config.max_length), generation_config.pad_token_id)
    going = torch.ones_like(rows, dtype=torch.bool)
    outputs = model._prefill(input_ids, generation_config, model_kwargs)
    while True:
        model_kwargs = model._update_model_kwargs_for_generation(outputs, model_kwargs, is_encoder_decoder)
        scores = logits_processor(input_ids, outputs.logits[:, -1].float())
        token = torch.where(going, scores.argmax(dim=-1), generation_config.pad_token_id)
        input_ids = torch.cat([input_ids, token[:, None]], dim=-1)
        going &= ~stopping_criteria(input_ids, None)
        left = int(going.sum())
        if left <= len(rows) - len(rows) / LEAVE:
            said[rows, : input_ids.shape[1]] = input_ids
            if not left:
                return said[:, : input_ids.shape[1]]
            chosen = going.nonzero()[:, 0]
            rows, input_ids, going = rows[chosen], input_ids[chosen], going[chosen]
            _choose(model_kwargs, chosen)
        inputs = model.prepare_inputs_for_generation(input_ids, next_sequence_length=1, **model_kwargs)
        outputs = model(**inputs, return_dict=True)


def _choose(model_kwargs: dict[str, Any], rows: torch.Tensor) -> None:
    model_kwargs["past_key_values"].batch_select_indices(rows)
    for name in OF_ROWS:
        if model_kwargs.get(name) is not None:
            model_kwargs[name] = model_kwargs[name][rows]
    if "encoder_outputs" in model_kwargs:
        encoded = model_kwargs["encoder_outputs"]
        model_kwargs["encoder_outputs"] = type(encoded)(last_hidden_state=encoded.last_hidden_state[rows])
