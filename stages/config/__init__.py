"""Configuration: from YAML to one typed value."""
