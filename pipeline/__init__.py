"""How a stage runs: `core` for every stage, the other files for those that need them."""
