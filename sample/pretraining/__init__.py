"""How the small pre-trained models in data/models/ are made: real classes, small sizes, generic texts of the sample's world."""
