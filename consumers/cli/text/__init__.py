"""What the commands print for people, one file for each answer. Nothing is asked or computed here."""
