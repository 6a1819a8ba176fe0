"""One cell of the stage `recsys.fit`, and the runs of its recommender."""
