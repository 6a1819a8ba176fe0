"""Text classifiers that predict the category of a caption, a file each."""
