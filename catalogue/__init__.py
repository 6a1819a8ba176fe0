"""Ground floor: what a shop sells (readers, validation, images, splits, text variants)."""
