"""The YAML file in, frozen settings out: kinds of settings, sections, the reference and the schema that are published of them."""
