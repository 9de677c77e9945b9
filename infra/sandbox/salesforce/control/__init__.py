"""What the sandbox's control API and its pages do in the org as a person or an administrator would."""
