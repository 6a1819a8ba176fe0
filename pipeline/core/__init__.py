"""What every stage imports: parameters, outputs that are whole or absent, errors, progress."""
