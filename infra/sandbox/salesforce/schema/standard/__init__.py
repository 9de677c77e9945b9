"""The objects that every org has, one file for each part of the Object Reference."""
