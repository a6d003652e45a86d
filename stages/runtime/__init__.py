"""What runs the pure kernel: sockets, the loops of the stages, and the launcher that watches over them."""
