"""Recommenders, one file each, loaded by name. A file holds

- `fit(data, options, seed, features=None) -> Scorer`: data is a `recsys.purchases.dataset.Dataset`, whose `train` is (n_users, n_items)
  binary float32 CSR with sorted indices; features a `features.files.Rows` of (n_items, dim), or None;
- `SEEDED`: whether the result depends on the seed, so that `seeds` runs are made;
- `NEEDS_FEATURES`: whether `features` must be given.

A scorer that is a `Product`, `Shared` or `Drawn` is ranked without a score for every user and item (`recsys.ranking.recommend`); any
other gives dense blocks of scores.

A recommender that needs no features is added by one file here and its name under `recommenders` in params.yaml. One that needs
features is run with `python -m recsys.fit --recommender NAME --features F` and, on anyone's purchases, with
`lookbook recommend --model NAME --features FOLDER`. In the line it has cells like `rec_fit_image` and `rec_fit_text` of dvc.yaml,
beside these and with its name for `vbpr`: they make its lists. Its name in `CONTENT_RECOMMENDERS` of `recsys.scoring.arms` has these
lists scored, compared and shown.
"""
