"""What people do at the user interface: control verbs, and the pages in the browser."""
