"""Right wing: purchases to lists."""
