"""What the command tells the pages, which run in the process that it starts."""

RATER = "LOOKBOOK_RATER"  # the environment variable with the name of who rates and writes notes
