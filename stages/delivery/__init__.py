"""Who gets which task, and when it is sent again: pure state machines."""
