"""What every captioner family promises. A family's test class inherits `Contract` and adds what is its own."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from captioning.modelling import (
    IGNORED,
    Captioner,
    ImageInputs,
    check_image_tokens,
    collate,
    example,
    image_inputs,
    join_images,
)
from captioning.training.loss import summed_loss, supervised
from tests.captioning.families.contract_adapters import AdapterContract
from tests.captioning.families.examples import (
    CAPTIONS,
    IMAGES,
    batch_of,
    examples_of,
    gradient,
    random_adapter,
    say,
    speaking,
    without_dropout,
    words,
)


class Contract(AdapterContract):
    """Fixtures `make` and `folder` say where a family's captioner comes from."""

    @pytest.fixture
    def make(self, tiny_captioner: Callable[[str], Captioner]) -> Callable[[], Captioner]:
        return lambda: tiny_captioner(self.family)

    @pytest.fixture
    def folder(self, tiny_folder: Callable[[str], Path]) -> Path:
        return tiny_folder(self.family)

    @pytest.fixture
    def captioner(self, make: Callable[[], Captioner]) -> Captioner:
        return make()

    @pytest.fixture
    def images(self, captioner: Captioner) -> list[ImageInputs]:
        return image_inputs(captioner, IMAGES)

    # What is supervised

    def test_the_last_supervised_token_is_the_only_eos(self, captioner: Captioner, images: list[ImageInputs]) -> None:
        for one in examples_of(captioner, images):
            assert words(one.labels)[-1] == one.labels[-1] == captioner.eos_id
            assert words(one.labels).count(captioner.eos_id) == 1

    def test_exactly_the_caption_and_eos_are_supervised(self, captioner: Captioner, images: list[ImageInputs]) -> None:
        for caption, one in zip(CAPTIONS, examples_of(captioner, images), strict=True):
            assert captioner.tokenizer.decode(words(one.labels)[:-1]) == caption
            assert captioner.image_token_id not in words(one.labels)

    def test_the_input_is_the_prompt_and_only_a_decoder_s_holds_the_caption(
        self, captioner: Captioner, images: list[ImageInputs]
    ) -> None:
        for image, one in zip(images, examples_of(captioner, images), strict=True):
            prompt = captioner.family.encode_prompt(captioner, image)
            if captioner.is_encoder_decoder:
                assert one.input_ids == prompt
            else:
                assert one.input_ids == prompt + words(one.labels)
                assert one.labels[: len(prompt)] == [IGNORED] * len(prompt)
            assert all(len(values) == len(one.input_ids) for values in one.fields.values())

    def test_padding_is_never_supervised_and_ends_with_the_longest(
        self, captioner: Captioner, images: list[ImageInputs]
    ) -> None:
        examples, batch = examples_of(captioner, images), batch_of(captioner, images)
        longest = max(len(one.input_ids) for one in examples)
        assert batch["input_ids"].shape == batch["attention_mask"].shape == (4, longest)
        assert batch["labels"].shape == (4, max(len(one.labels) for one in examples))
        for row, one in enumerate(examples):
            n = len(one.input_ids)
            assert batch["input_ids"][row].tolist() == one.input_ids + [captioner.pad_id] * (longest - n)
            assert batch["attention_mask"][row].tolist() == [1] * n + [0] * (longest - n)
            labels = batch["labels"][row].tolist()
            assert labels == one.labels + [IGNORED] * (len(labels) - len(one.labels))

    def test_an_eos_that_is_also_the_pad_stays_supervised_and_seen(
        self, captioner: Captioner, images: list[ImageInputs]
    ) -> None:
        examples = examples_of(captioner, images)
        batch = collate(examples, images, captioner.eos_id)
        assert (batch["labels"] == captioner.eos_id).sum() == len(CAPTIONS)
        assert batch["attention_mask"].sum() == sum(len(one.input_ids) for one in examples)

    def test_images_and_captions_must_be_equal_in_number(self, captioner: Captioner, images: list[ImageInputs]) -> None:
        with pytest.raises(ValueError, match="3 images for 4 captions"):
            collate(examples_of(captioner, images), images[:3], captioner.pad_id)

    def test_batch_loss_is_the_token_weighted_mean_of_single_losses(
        self, captioner: Captioner, images: list[ImageInputs]
    ) -> None:
        speaking(captioner)
        counts = [len(words(one.labels)) for one in examples_of(captioner, images)]
        with torch.inference_mode():
            together = captioner.model(**batch_of(captioner, images)).loss.item()
            single = [
                captioner.model(**batch_of(captioner, [image], [caption])).loss.item()
                for image, caption in zip(images, CAPTIONS, strict=True)
            ]
        weighted = sum(loss * n for loss, n in zip(single, counts, strict=True)) / sum(counts)
        assert together == pytest.approx(weighted, rel=1e-5)

    @pytest.mark.parametrize("training", [False, True])
    def test_what_training_minimises_is_the_models_own_loss(
        self, captioner: Captioner, images: list[ImageInputs], training: bool
    ) -> None:
        without_dropout(speaking(captioner))
        captioner.model.train(training)
        batch = batch_of(captioner, images)
        with torch.no_grad():
            ours = summed_loss(captioner, captioner.model, batch) / supervised(batch["labels"])
            torch.testing.assert_close(ours, captioner.model(**batch).loss, rtol=1e-5, atol=0)

    @pytest.mark.parametrize("training", [False, True])
    def test_a_word_does_not_see_those_that_follow(
        self, captioner: Captioner, images: list[ImageInputs], training: bool
    ) -> None:
        """With the last word of a caption changed, the loss of the words before it is the same."""
        without_dropout(speaking(captioner))
        captioner.model.train(training)
        batch = batch_of(captioner, images[:1], CAPTIONS[1:2])
        word = batch["labels"][0].ne(IGNORED).nonzero()[-2]
        other = (batch["labels"][0, word] + 1) % 50
        changed = {name: values.clone() for name, values in batch.items()}
        for name in ("labels",) if captioner.is_encoder_decoder else ("labels", "input_ids"):
            changed[name][0, word] = other
        for one in (batch, changed):
            one["labels"][0, word:] = IGNORED
        with torch.no_grad():
            before, after = (summed_loss(captioner, captioner.model, one) for one in (batch, changed))
        torch.testing.assert_close(before, after, rtol=1e-6, atol=0)

    def test_any_split_of_the_batch_gives_the_same_gradient(self, captioner: Captioner) -> None:
        captions = [caption * (1 + row % 2) for row, caption in enumerate(4 * CAPTIONS)]
        images = image_inputs(captioner, 4 * IMAGES)
        adapted = random_adapter(speaking(captioner, 0.1))
        without_dropout(adapted)
        adapted.model.train()
        gradients = [
            gradient(
                adapted,
                [
                    batch_of(adapted, images[first : first + size], captions[first : first + size])
                    for first in range(0, 16, size)
                ],
            )
            for size in (16, 4, 1)
        ]
        assert gradients[0].norm() > 0
        for other in gradients[1:]:
            assert (other - gradients[0]).norm() / gradients[0].norm() <= 1e-6

    # Image tokens

    def test_a_wrong_number_of_image_tokens_is_refused(self, captioner: Captioner, images: list[ImageInputs]) -> None:
        prompt, token = captioner.family.encode_prompt(captioner, images[0]), captioner.image_token_id
        check_image_tokens(captioner, prompt, images[0])
        missing = list(prompt)
        missing.remove(token)
        for wrong in (missing, [token, *prompt], [other for other in prompt if other != token]):
            with pytest.raises(ValueError, match="image tokens"):
                check_image_tokens(captioner, wrong, images[0])

    def test_an_image_token_inside_a_caption_is_refused(self, captioner: Captioner, images: list[ImageInputs]) -> None:
        with pytest.raises(ValueError, match="does a caption contain the image token"):
            example(captioner, images[0], [captioner.image_token_id])

    def test_the_prompt_holds_as_many_image_tokens_as_the_model_makes(
        self, captioner: Captioner, images: list[ImageInputs]
    ) -> None:
        for image in images:
            made = captioner.base.get_image_features(**join_images([image])).pooler_output
            found = captioner.family.encode_prompt(captioner, image).count(captioner.image_token_id)
            assert found == sum(part.shape[:-1].numel() for part in made)

    def test_the_image_matters(self, captioner: Captioner, images: list[ImageInputs]) -> None:
        speaking(captioner)
        losses = [captioner.model(**batch_of(captioner, [image], CAPTIONS[:1])).loss.item() for image in images[2:]]
        assert losses[0] != pytest.approx(losses[1], rel=1e-4)

    # Generation

    def test_one_by_one_equals_batched(self, captioner: Captioner, images: list[ImageInputs]) -> None:
        together = captioner.family.generate(speaking(captioner), images, 9)
        assert together == [captioner.family.generate(captioner, [image], 9)[0] for image in images]
        assert len({caption.text for caption in together}) > 1
        assert captioner.family.generate(captioner, [], 9) == []

    def test_generation_stops_at_any_eos_and_counts_it(self, captioner: Captioner, images: list[ImageInputs]) -> None:
        for token in captioner.eos_ids:
            say(captioner, token, after=4)
            for caption in captioner.family.generate(captioner, images, 9):
                assert (caption.tokens, caption.finished) == (4, True)

    def test_max_new_tokens_does_not_count_the_prompt(self, captioner: Captioner, images: list[ImageInputs]) -> None:
        say(captioner, captioner.eos_id, after=10_000)
        for caption in captioner.family.generate(captioner, images, 3):
            assert (caption.tokens, caption.finished) == (3, False)

    def test_nothing_of_the_prompt_is_returned(self, captioner: Captioner, images: list[ImageInputs]) -> None:
        say(captioner, captioner.eos_id, after=1)
        assert [caption.text for caption in captioner.family.generate(captioner, images, 9)] == [""] * 4

    def test_settings_of_the_checkpoint_do_not_leak_into_generation(
        self, captioner: Captioner, images: list[ImageInputs]
    ) -> None:
        expected = captioner.family.generate(speaking(captioner), images, 9)
        inner = getattr(captioner.base, "language_model", captioner.base)
        for config in (captioner.base.generation_config, inner.generation_config):
            config.update(
                max_length=5, num_beams=3, do_sample=True, temperature=5.0, repetition_penalty=3.0, min_length=8
            )
        assert captioner.family.generate(captioner, images, 9) == expected

    def test_generation_has_no_dropout_and_leaves_the_mode_as_it_was(
        self, captioner: Captioner, images: list[ImageInputs]
    ) -> None:
        expected = captioner.family.generate(speaking(captioner), images, 9)
        captioner.model.train()
        assert captioner.family.generate(captioner, images, 9) == expected
        assert captioner.model.training
