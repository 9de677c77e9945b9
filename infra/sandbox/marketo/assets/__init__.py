"""What marketers keep in folders: folders, my tokens, static and smart lists, and the conventions of the Asset API."""
