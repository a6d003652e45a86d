"""Where finished frames go: each takes them in order and keeps what it wrote when the process is killed."""
