"""The report's tables: rows as printed, and the same at full precision."""
