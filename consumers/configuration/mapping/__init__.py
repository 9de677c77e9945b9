"""Which field goes with which: the lines of the file, what is so by default, what describe and the registry add, what doesn't fit."""
