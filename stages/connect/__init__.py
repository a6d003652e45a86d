"""Sends the events of a run to an MQTT broker and to webhooks: a process of its own, which reads what is written.

A broker or server that is slow, away or hostile never holds or ends the pipeline. `events.jsonl` is the queue: how far
each destination has confirmed it is kept on the disk, so that nothing is lost by a kill, and some may be sent twice.
"""
