"""What the commands check, doctor, init, grid and export do on a project folder."""
