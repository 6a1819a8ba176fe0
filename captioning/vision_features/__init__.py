"""Features of pictures from BLIP-2's frozen vision side: ViT tokens and Q-Former queries of one forward pass."""
