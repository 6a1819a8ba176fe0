"""The words of arrivals from each source, and the two controls among the sources."""
