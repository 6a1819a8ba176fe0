"""The pages, one file each: TITLE, ABOUT, NEEDS and show(study)."""
