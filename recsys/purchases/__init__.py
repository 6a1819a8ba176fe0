"""The split of purchases and the data that recommenders are fitted on."""
