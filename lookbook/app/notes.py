"""The notes of the one who looks."""


def list_noted() -> list[str]:
    """List the garments that the one who looks has a note on."""
    return []
