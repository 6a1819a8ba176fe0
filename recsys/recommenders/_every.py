"""Every recommender as a `Recommender` of its own settings, for mypy.

Nothing imports this file. A test compares these names with the files of the folder.
"""

from recsys.recommenders import (
    ColdRecommender,
    Recommender,
    bm3,
    bpr,
    contentknn,
    freedom,
    itemknn,
    lattice,
    lightgcn,
    mgcn,
    mostpop,
    random,
    userknn,
    vbpr,
)

BM3: ColdRecommender[bm3.Settings] = bm3
BPR: Recommender[bpr.Settings] = bpr
CONTENTKNN: ColdRecommender[contentknn.Settings] = contentknn
FREEDOM: ColdRecommender[freedom.Settings] = freedom
ITEMKNN: Recommender[itemknn.Settings] = itemknn
LATTICE: ColdRecommender[lattice.Settings] = lattice
LIGHTGCN: Recommender[lightgcn.Settings] = lightgcn
MGCN: ColdRecommender[mgcn.Settings] = mgcn
MOSTPOP: Recommender[mostpop.Settings] = mostpop
RANDOM: Recommender[random.Settings] = random
USERKNN: Recommender[userknn.Settings] = userknn
VBPR: ColdRecommender[vbpr.Settings] = vbpr
