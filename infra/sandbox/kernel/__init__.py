"""What both sandbox systems stand on: clock, journal, faults, meters, control routes, process shell."""
