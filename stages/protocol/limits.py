"""Every limit of the pipeline in one table, each with what happens beyond it."""

from __future__ import annotations

# Beyond: the message is refused before it is decoded, and counted.
# 256 faces with 64 scores each take 150 kB; as nothing but empty maps it takes 16 MB for a moment.
HEADER_BYTES = 256_000
PART_BYTES = 512_000_000
PARTS = 64  # buffers behind one header
NAME_CHARACTERS = 200
TEXT_CHARACTERS = 2000
COUNT = 2**53  # frame numbers, sequence numbers and sizes: what a float64 still holds exactly
CLOCK_S = 250_000_000_000  # a time of day in seconds since 1970: the year 9892, and years have four digits

# Beyond: the faces with the highest scores are kept, and the run says so once.
FACES = 256
CROP_BYTES = 256_000_000  # of all crops of one frame together

# Beyond: a card with a larger input, and a frame that asks for a larger crop, are refused.
CROP_SIDE = 512  # pixels

# Below: a smaller `every` holds, so that no face waits long for its labels.
ASKED_PER_S = 2.0  # frames of every second that each attribute stage is asked about

# Beyond: those that have been out of sight longest are forgotten, and get another number if they come back; counted.
TRACKS = 512

# Beyond: the picture is refused by the source, before its pixels are decoded where its header tells the size.
PICTURE_PIXELS = 100_000_000

# A task of an attribute stage is inferred together with others up to so many faces, then the stage sends a heartbeat.
BATCH_FACES = 32

# Beyond: capture and render forget whom they have greeted, and greet again who is still there. It bounds what a peer
# that connects and leaves without end can cost.
GREETED = 10_000

# Beyond: a worker that never finished anything makes room for the next one, or the next one is refused.
WORKERS = 1000  # of one capture

# Beyond: those of the oldest frames are told; the others are, when these are done.
MISSING_FRAMES = 1000  # frames in one acknowledgement
REFUSALS = 32  # answers not taken, in one acknowledgement

# Beyond: no further worker of this stage on this host is taken in this run.
EVICTED = 16  # workers of one stage on one host whose answers could not be taken
EVICTIONS = 1000  # evicted in all: beyond, the oldest are forgotten

# Beyond: messages of this peer wait in its own memory, or in the network.
QUEUED = 64  # messages of one peer, not taken yet

# Beyond: said no more, only counted.
SENTENCES = 20  # about workers that are not taken

# Beyond: the oldest are not told. Capture knows a worker by its last life but a few.
ENDS = 16  # former lives of a worker that its hello tells the end of

# What one worker may hold for one capture: one task in work and one waiting, so that it never stands idle. Of a file,
# where latency does not matter, more of them where they take little time: they travel several at once.
CREDIT = 2
FILE_CREDIT = 8
MAX_CREDIT = 16  # beyond: no more is given to it, whatever it asks for
