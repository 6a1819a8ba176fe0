"""Text classifiers that predict the category of a caption, one file each."""
