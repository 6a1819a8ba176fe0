"""Pictures and texts to feature files, by an extractor."""
