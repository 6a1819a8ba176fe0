"""Every reader as a `Reader`, for mypy.

Nothing imports this file. A test compares these names with the files of the folder.
"""

from catalogue.readers import Reader, facad, hm, shop

CHECKED: tuple[Reader, ...] = (facad, hm, shop)
