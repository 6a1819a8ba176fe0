"""From scores to ranked lists."""
