"""What runs a configuration on Kubernetes, with Compose or under systemd: manifests and units, made of it."""
