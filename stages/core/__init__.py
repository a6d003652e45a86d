"""The pure kernel: messages, flow, joining and configuration. No socket, clock, file or process."""
