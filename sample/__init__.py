"""The sample shop, and the small models and tagger that ship with Lookbook. No study of real data imports it."""
