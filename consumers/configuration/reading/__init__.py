"""From the text of the file to values: places in it, kinds of values, lengths of time, files, sections."""
