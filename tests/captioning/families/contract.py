"""What every captioner family must do. A family's test class inherits `Contract` and adds tests of its own."""

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
    join_images,
    make_example,
    prepare_images,
)
from captioning.training.loss import count_supervised, sum_loss
from tests.captioning.families.contract_adapters import AdapterContract
from tests.captioning.families.examples import (
    CAPTIONS,
    IMAGES,
    add_random_adapter,
    compute_gradient,
    force_token,
    make_batch,
    make_examples,
    pick_supervised,
    randomize_weights,
    remove_dropout,
)


class Contract(AdapterContract):
    """Tests of a captioner that the fixtures `make` and `folder` build."""

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
        return prepare_images(captioner, IMAGES)

    # What is supervised

    def test_the_last_supervised_token_is_the_only_eos(self, captioner: Captioner, images: list[ImageInputs]) -> None:
        for example in make_examples(captioner, images):
            assert pick_supervised(example.labels)[-1] == example.labels[-1] == captioner.eos_id
            assert pick_supervised(example.labels).count(captioner.eos_id) == 1

    def test_exactly_the_caption_and_eos_are_supervised(self, captioner: Captioner, images: list[ImageInputs]) -> None:
        for caption, example in zip(CAPTIONS, make_examples(captioner, images), strict=True):
            assert captioner.tokenizer.decode(pick_supervised(example.labels)[:-1]) == captioner.answer_prefix + caption
            assert captioner.image_token_id not in pick_supervised(example.labels)

    def test_the_input_is_the_prompt_and_only_a_decoder_s_holds_the_caption(
        self, captioner: Captioner, images: list[ImageInputs]
    ) -> None:
        for image, example in zip(images, make_examples(captioner, images), strict=True):
            prompt = captioner.family.encode_prompt(captioner, image)
            if captioner.is_encoder_decoder:
                assert example.input_ids == prompt
            else:
                assert example.input_ids == prompt + pick_supervised(example.labels)
                assert example.labels[: len(prompt)] == [IGNORED] * len(prompt)
            assert all(len(values) == len(example.input_ids) for values in example.fields.values())

    def test_padding_is_never_supervised_and_ends_with_the_longest(
        self, captioner: Captioner, images: list[ImageInputs]
    ) -> None:
        examples, batch = make_examples(captioner, images), make_batch(captioner, images)
        longest = max(len(example.input_ids) for example in examples)
        assert batch["input_ids"].shape == batch["attention_mask"].shape == (4, longest)
        assert batch["labels"].shape == (4, max(len(example.labels) for example in examples))
        for row, example in enumerate(examples):
            n = len(example.input_ids)
            assert batch["input_ids"][row].tolist() == example.input_ids + [captioner.pad_id] * (longest - n)
            assert batch["attention_mask"][row].tolist() == [1] * n + [0] * (longest - n)
            labels = batch["labels"][row].tolist()
            assert labels == example.labels + [IGNORED] * (len(labels) - len(example.labels))

    def test_an_eos_that_is_also_the_pad_stays_supervised_and_seen(
        self, captioner: Captioner, images: list[ImageInputs]
    ) -> None:
        examples = make_examples(captioner, images)
        batch = collate(examples, images, captioner.eos_id)
        assert (batch["labels"] == captioner.eos_id).sum() == len(CAPTIONS)
        assert batch["attention_mask"].sum() == sum(len(example.input_ids) for example in examples)

    def test_images_and_captions_must_be_equal_in_number(self, captioner: Captioner, images: list[ImageInputs]) -> None:
        with pytest.raises(ValueError, match="3 images for 4 captions"):
            collate(make_examples(captioner, images), images[:3], captioner.pad_id)

    def test_batch_loss_is_the_token_weighted_mean_of_single_losses(
        self, captioner: Captioner, images: list[ImageInputs]
    ) -> None:
        randomize_weights(captioner)
        counts = [len(pick_supervised(example.labels)) for example in make_examples(captioner, images)]
        with torch.inference_mode():
            together = captioner.model(**make_batch(captioner, images)).loss.item()
            single = [
                captioner.model(**make_batch(captioner, [image], [caption])).loss.item()
                for image, caption in zip(images, CAPTIONS, strict=True)
            ]
        weighted = sum(loss * n for loss, n in zip(single, counts, strict=True)) / sum(counts)
        assert together == pytest.approx(weighted, rel=1e-5)

    @pytest.mark.parametrize("training", [False, True])
    def test_what_training_minimises_is_the_models_own_loss(
        self, captioner: Captioner, images: list[ImageInputs], training: bool
    ) -> None:
        remove_dropout(randomize_weights(captioner))
        captioner.model.train(training)
        batch = make_batch(captioner, images)
        with torch.no_grad():
            ours = sum_loss(captioner, captioner.model, batch) / count_supervised(batch["labels"])
            torch.testing.assert_close(ours, captioner.model(**batch).loss, rtol=1e-5, atol=0)

    @pytest.mark.parametrize("training", [False, True])
    def test_a_word_does_not_see_those_that_follow(
        self, captioner: Captioner, images: list[ImageInputs], training: bool
    ) -> None:
        """Changes the last word of a caption: the loss of the words before it stays the same."""
        remove_dropout(randomize_weights(captioner))
        captioner.model.train(training)
        batch = make_batch(captioner, images[:1], CAPTIONS[1:2])
        word = batch["labels"][0].ne(IGNORED).nonzero()[-2]
        other = (batch["labels"][0, word] + 1) % 50
        changed = {name: values.clone() for name, values in batch.items()}
        for name in ("labels",) if captioner.is_encoder_decoder else ("labels", "input_ids"):
            changed[name][0, word] = other
        for part in (batch, changed):
            part["labels"][0, word:] = IGNORED
        with torch.no_grad():
            before, after = (sum_loss(captioner, captioner.model, part) for part in (batch, changed))
        torch.testing.assert_close(before, after, rtol=1e-6, atol=0)

    def test_any_split_of_the_batch_gives_the_same_gradient(self, captioner: Captioner) -> None:
        captions = [caption * (1 + row % 2) for row, caption in enumerate(4 * CAPTIONS)]
        images = prepare_images(captioner, 4 * IMAGES)
        tuned = add_random_adapter(randomize_weights(captioner, 0.1))
        remove_dropout(tuned)
        tuned.model.train()
        gradients = [
            compute_gradient(
                tuned,
                [
                    make_batch(tuned, images[first : first + size], captions[first : first + size])
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
            make_example(captioner, images[0], [captioner.image_token_id])

    def test_the_prompt_holds_as_many_image_tokens_as_the_model_makes(
        self, captioner: Captioner, images: list[ImageInputs]
    ) -> None:
        for image in images:
            features = captioner.base.get_image_features(**join_images([image])).pooler_output
            n_tokens = captioner.family.encode_prompt(captioner, image).count(captioner.image_token_id)
            assert n_tokens == sum(part.shape[:-1].numel() for part in features)

    def test_the_image_matters(self, captioner: Captioner, images: list[ImageInputs]) -> None:
        randomize_weights(captioner)
        losses = [captioner.model(**make_batch(captioner, [image], CAPTIONS[:1])).loss.item() for image in images[2:]]
        assert losses[0] != pytest.approx(losses[1], rel=1e-4)

    # Generation

    def test_one_by_one_equals_batched(self, captioner: Captioner, images: list[ImageInputs]) -> None:
        together = captioner.family.generate(randomize_weights(captioner), images, 9)
        assert together == [captioner.family.generate(captioner, [image], 9)[0] for image in images]
        assert len({caption.text for caption in together}) > 1
        assert captioner.family.generate(captioner, [], 9) == []

    def test_generation_stops_at_any_eos_and_counts_it(self, captioner: Captioner, images: list[ImageInputs]) -> None:
        for token in captioner.eos_ids:
            force_token(captioner, token, after=4)
            for caption in captioner.family.generate(captioner, images, 9):
                assert (caption.tokens, caption.finished) == (4, True)

    def test_max_new_tokens_does_not_count_the_prompt(self, captioner: Captioner, images: list[ImageInputs]) -> None:
        force_token(captioner, captioner.eos_id, after=10_000)
        for caption in captioner.family.generate(captioner, images, 3):
            assert (caption.tokens, caption.finished) == (3, False)

    def test_nothing_of_the_prompt_is_returned(self, captioner: Captioner, images: list[ImageInputs]) -> None:
        force_token(captioner, captioner.eos_id, after=1)
        assert [caption.text for caption in captioner.family.generate(captioner, images, 9)] == [""] * 4

    def test_settings_of_the_checkpoint_do_not_leak_into_generation(
        self, captioner: Captioner, images: list[ImageInputs]
    ) -> None:
        expected = captioner.family.generate(randomize_weights(captioner), images, 9)
        inner = getattr(captioner.base, "language_model", captioner.base)
        for config in (captioner.base.generation_config, inner.generation_config):
            config.update(
                max_length=5, num_beams=3, do_sample=True, temperature=5.0, repetition_penalty=3.0, min_length=8
            )
        assert captioner.family.generate(captioner, images, 9) == expected

    def test_generation_has_no_dropout_and_leaves_the_mode_as_it_was(
        self, captioner: Captioner, images: list[ImageInputs]
    ) -> None:
        expected = captioner.family.generate(randomize_weights(captioner), images, 9)
        captioner.model.train()
        assert captioner.family.generate(captioner, images, 9) == expected
        assert captioner.model.training
