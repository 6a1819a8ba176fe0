"""Learning from pairs (BPR, Rendle et al. 2009): the triples, the steps over them, when to stop, and the factors.

A triple is a user, an item the user has bought and one the user has not; the loss is −ln σ(score of the first − score
of the second), averaged over a batch, plus `regularisation` times the mean squared length of the parameters in it.
"""
