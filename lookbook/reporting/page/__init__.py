"""The pages of the report: what they show, and how they are written."""
