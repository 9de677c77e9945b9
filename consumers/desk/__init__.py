"""The desk: what a person does with what waits (dead letters, holds, conflicts), with what flows, and with what was done."""
