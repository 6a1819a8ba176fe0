"""Images to words: captioners, fine-tuning, generation, attributes, caption scores."""
