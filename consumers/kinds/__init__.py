"""The kinds of record that are kept in step, one file each. Nothing else knows one by its name but what the person alone has."""
