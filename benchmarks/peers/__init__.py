"""Side-by-side runs: fastroi, other packages and the floor, interleaved in one session."""
