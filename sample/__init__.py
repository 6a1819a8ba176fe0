"""Makes the sample shop, and the small models and tagger that ship with Lookbook.

No other package imports this package, so that a study of real data runs none of it.
"""
