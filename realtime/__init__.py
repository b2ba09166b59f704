"""Second floor: voice sessions. The top of the house, so it also wires the house together."""
