"""Every extractor as an `ImageExtractor`, a `TextExtractor` or both, of its own settings, for mypy.

Nothing imports this file. A test compares these names with the files of the folder.
"""

from recsys.extractors import ImageExtractor, ImageTextExtractor, TextExtractor, clip, resbert, resnet50, sbert

CLIP: ImageTextExtractor[clip.Settings] = clip
RESBERT: ImageTextExtractor[resbert.Settings] = resbert
RESNET50: ImageExtractor[resnet50.Settings] = resnet50
SBERT: TextExtractor[sbert.Settings] = sbert
