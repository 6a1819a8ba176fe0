"""Makes the small pre-trained models in data/models/: real classes, small sizes, drawn pictures and texts."""
