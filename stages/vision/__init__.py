"""What is seen in a picture: faces, their attributes, who is who."""
