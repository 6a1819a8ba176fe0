"""How a stage runs: parameters, outputs that are whole or absent, the run record, errors, feature files."""
