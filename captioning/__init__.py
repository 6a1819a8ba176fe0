"""Left wing: images to words."""
