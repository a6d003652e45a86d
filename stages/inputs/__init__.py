"""What a person means by the name of a source, and which files it stands for: asked by the stages and the runtime."""
