"""The fixtures of the caption scores' tests."""

from tests.captioning.scores.conftest import coco, coco_scores, empty_cache

__all__ = ["coco", "coco_scores", "empty_cache"]
