"""The topics as a public interface: which there are, what a message on them says, and reading them as any subscriber does."""
