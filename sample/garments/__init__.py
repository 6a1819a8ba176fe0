"""The sample's world: garments with known attributes, drawn as small pictures and worded in three styles of text."""
