"""The search for settings on validation data, and its choices."""
