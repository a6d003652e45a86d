"""What travels between processes: messages, and what bounds them."""
