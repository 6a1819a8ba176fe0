"""Feature files, and the encoders that captioning and recsys share."""
