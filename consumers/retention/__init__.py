"""How long things are kept: what has had its time is let go in small steps, by one worker of the fleet, in nobody's way."""
