"""Commands on a project folder: check, doctor, init, grid, export."""
