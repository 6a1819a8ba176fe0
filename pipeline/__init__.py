"""How a stage runs: `core` is imported by every stage, the other modules by the stages that need them."""
