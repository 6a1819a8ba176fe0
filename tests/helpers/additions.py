"""The files that tests/test_adding.py adds, one of each kind.

Each builds on a file of its kind, so that it is as short as such a file can be.
"""

FAMILY = '''
"""Caption as LLaVA, in capital letters."""

from dataclasses import replace

from captioning.families import llava
from captioning.families.llava import *  # noqa: F403


def generate(*arguments, **options):
    return [replace(caption, text=caption.text.upper()) for caption in llava.generate(*arguments, **options)]
'''
SCORE = '''
"""Share of a caption's words that a reference has."""

import numpy as np

METRICS = ("word_overlap",)


def score(pairs):
    return np.array([[_share(caption.split(), references)] for caption, references in pairs.tokenized])


def _share(words, references):
    known = {word for text in references for word in text.split()}
    return sum(word in known for word in words) / len(words) if words else 0.0
'''
CONTENT_SCORE = '''
"""Number of words of a caption, where it has any."""

import pandas as pd

METRICS = ("words",)
LEFT_OUT = {"words": "the caption is empty"}


def score(garments):
    return pd.DataFrame({"words": [len(caption.split()) or float("nan") for caption in garments.captions]})
'''
RECOMMENDER = '''
"""Recommend what fewest users have bought."""

from dataclasses import replace

from recsys.recommenders import mostpop
from recsys.recommenders.mostpop import *  # noqa: F403


def fit(*arguments, **options):
    scorer = mostpop.fit(*arguments, **options)
    return replace(scorer, item=-scorer.item)
'''
CONTENT_RECOMMENDER = '''
"""Recommend what is least like what a user has bought."""

from recsys.recommenders import contentknn
from recsys.recommenders.contentknn import *  # noqa: F403


def fit(*arguments, **options):
    model = contentknn.fit(*arguments, **options)
    model.user[:] *= -1
    return model
'''
EXTRACTOR = '''
"""The vectors of sbert with the opposite sign."""

from recsys.extractors import sbert
from recsys.extractors.sbert import *  # noqa: F403


def text_vectors(*arguments, **options):
    return -sbert.text_vectors(*arguments, **options)
'''
IMAGE_EXTRACTOR = '''
"""The vectors of resnet50 with the opposite sign."""

from recsys.extractors import resnet50
from recsys.extractors.resnet50 import *  # noqa: F403


def image_vectors(*arguments, **options):
    return -resnet50.image_vectors(*arguments, **options)
'''
READER = '''
"""Read Kaggle's zip from a folder `kaggle`."""

from catalogue.readers import hm


def open_raw(folder, *settings):
    return hm.open_raw(folder / "kaggle", *settings)
'''
