"""What a shop sells: readers of raw data, its preparation, the prepared items and images, and the text variants."""
