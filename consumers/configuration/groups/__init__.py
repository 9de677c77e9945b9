"""Settings that belong together, a section of the file each: rules, who qualifies, currencies, custom objects, what pushes."""
