"""Captioner families, one file each, loaded by name. (`file` is none: its captions are made elsewhere.) A new one needs:

- `MODEL`, the class of the weights, and `PROMPT`, the words of the question;
- `misfit(config)`: what is wrong with a model's config for this family, empty if nothing is;
- `load_processor(folder, model)`: its processor; the class of the image processor is never left to what is installed;
- `image_inputs(captioner, images)`: what the model takes for each image;
- `image_tokens(captioner, image=None)`: how many tokens the model makes of it (None where that is no constant, and no image given);
- `encode_prompt(captioner, image=None)`: ids of the prompt, image tokens among them;
- `eos_ids(captioner)`: the tokens that end a caption, that of training first;
- `generate(captioner, images, max_new_tokens)`;
- `lora_targets(model, layers, scope)`: the regular expression (or `all-linear`) of the layers that LoRA adapts;
- `vision_parts(model)`: the modules that stay frozen;
- `frozen_features` and `from_features`, if features of its frozen side may be kept between epochs.
"""
