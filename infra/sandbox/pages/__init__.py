"""The sandbox's web pages for people: records, search, editing, history, faults. Plain HTML and CSS from the server, nothing else."""
