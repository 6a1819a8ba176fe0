"""Caption scores, one file each."""
