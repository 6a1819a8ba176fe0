"""Which comparisons of the arrivals are tested, and which are shown: the primary, the secondary, and all others."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from lookbook.comparison.ranked import Ranking
from lookbook.comparison.settings import Study
from pipeline.core.errors import UserError
from pipeline.core.params import PARAMS
from pipeline.names import explain_unknown_name
from recsys.scoring.arms import build_name, split_name

PRIMARY = "primary"
SECONDARY = "secondary"
PICTURES = "pictures"  # the one source of a feature set of pictures
REFERENCE = "reference"
NONE = "none"
SHUFFLED = "shuffled"
VARIANTS = ("ft", "pt")
WITHOUT_CAPTIONS = (PICTURES, "ridge", "neighbours", "nearest", "table", "mean", "zeros")  # kinds of sources


class Arm(NamedTuple):
    """A source, as one recommender on one feature set ranks it."""

    ranking: Ranking
    source: str


class Pair(NamedTuple):
    """A comparison a − b.

    Attributes:
        family: primary, secondary, or None: not tested.
        validation: NDCG of b on validation arrivals, where b was chosen by it.
    """

    a: Arm
    b: Arm
    family: str | None = None
    validation: float | None = None


def find_tests(study: Study, rankings: Mapping[str, Ranking], metrics: Mapping[str, Any], metric: str) -> list[Pair]:
    """Find the comparisons that are tested, the primary first; none in a study without the captions they are of.

    Args:
        study: The axes and the primary comparison.
        rankings: Of every recommender on every feature set.
        metrics: metrics/arrivals of each of them.
        metric: That of the comparisons, such as ndcg_12.

    Raises:
        UserError: The primary comparison names a recommender, features or a source that the study does not rank.
    """
    primary = study.primary
    problem = explain_unknown_name("recommender on features of this study's arrivals", primary.name, rankings)
    if problem:
        raise UserError(
            f"{PARAMS}: primary.recommender and primary.features: {problem} (axes `content_recommenders` and "
            "`arrival_features`)"
        )
    ranking = rankings[primary.name]
    if not study.captioners and {primary.a, primary.b} & set(VARIANTS):
        return []
    tests = [Pair(find_arm(study, ranking, "a"), find_arm(study, ranking, "b"), PRIMARY)]
    captions = f"{study.writer}-ft"
    if captions in ranking.sources:
        ft = Arm(ranking, captions)
        tests += [Pair(ft, Arm(ranking, NONE), SECONDARY)] if NONE in ranking.sources else []
        best = find_best(study, rankings, metrics, metric)
        tests += [Pair(ft, best[0], SECONDARY, best[1])] if best else []
        tests += [Pair(Arm(ranking, REFERENCE), ft, SECONDARY)] if REFERENCE in ranking.sources else []
    return [pair for number, pair in enumerate(tests) if not number or {pair.a, pair.b} != {tests[0].a, tests[0].b}]


def find_arm(study: Study, ranking: Ranking, key: str) -> Arm:
    """Find the arm of the primary comparison that a key of its section names; ft and pt are the writer's.

    Raises:
        UserError: There is no such source.
    """
    name = getattr(study.primary, key)
    source = f"{study.writer}-{name}" if name in VARIANTS else name
    problem = explain_unknown_name(f"source of the arrivals that {ranking.name} ranks", source, ranking.sources)
    if problem:
        raise UserError(f"{PARAMS}: primary.{key}: {problem} (axes `sources` and `imputations`, and `captioners`)")
    return Arm(ranking, source)


def find_best(
    study: Study, rankings: Mapping[str, Ranking], metrics: Mapping[str, Any], metric: str
) -> tuple[Arm, float] | None:
    """Find the best arm without captions of the primary comparison's recommender, and its NDCG.

    It is the one with the highest NDCG on validation arrivals; the arrivals themselves are not looked at. Arms are the
    sources that need no captioner on the features of the primary comparison, and pictures alone on theirs.
    """
    names = [build_name(study.primary.recommender, features) for features in study.arrival_features]
    figures = {
        Arm(rankings[name], source): float(values[metric])
        for name in names
        for source, values in metrics[name]["validation"].items()
        if source in rankings[name].sources and is_without_captions(source)
        if source == PICTURES or name == study.primary.name
    }
    best = max(figures, key=lambda arm: figures[arm], default=None)
    return None if best is None else (best, figures[best])


def is_without_captions(source: str) -> bool:
    """Tell whether a source needs no captioner and is more than nothing.

    >>> [is_without_captions(source) for source in ("ridge-resnet50", "nearest", "none", "tiny-llava-ft")]
    [True, True, False, False]
    """
    return source in WITHOUT_CAPTIONS or source.startswith(("ridge-", "neighbours-"))


def list_shown(study: Study, rankings: Mapping[str, Ranking]) -> Iterator[Pair]:
    """Yield the comparisons that are shown, whether they are tested or not.

    In every model: both captions of each captioner; the writer's fine-tuned captions with no words and with the shop's
    own descriptions. In those of the primary comparison's recommender, and of every recommender on its features, also:
    every source with the writer's pre-trained captions and with no words; the fine-tuned captions with what needs no
    captions and with captions of other garments. Pictures are compared with the sources of the primary comparison's
    features.
    """
    ft, pt = (f"{study.writer}-{variant}" for variant in VARIANTS)
    for name, ranking in rankings.items():
        sources = ranking.sources
        pairs = [(f"{captioner}-ft", f"{captioner}-pt") for captioner in study.captioners]
        pairs += [(ft, NONE), (REFERENCE, ft)]
        if study.primary.recommender == split_name(name)[0] or study.primary.features == split_name(name)[1]:
            pairs += [(source, base) for base in (pt, NONE) for source in sources if (source, base) != (NONE, pt)]
            pairs += [(ft, source) for source in sources if is_without_captions(source) or source == SHUFFLED]
        for a, b in dict.fromkeys(pairs):
            if a != b and {a, b} <= set(sources):
                yield Pair(Arm(ranking, a), Arm(ranking, b))
        text = rankings.get(build_name(split_name(name)[0], study.primary.features))
        if sources == [PICTURES] and text is not None:
            pictures = Arm(ranking, PICTURES)
            yield from (Pair(pictures, Arm(text, base)) for base in (pt, NONE) if base in text.sources)
            yield from (Pair(Arm(text, source), pictures) for source in (ft,) if source in text.sources)
